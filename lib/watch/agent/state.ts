/**
 * Whether the agent of a process runs, for people.
 *
 * @module
 */
import { AgentError } from "../../errors.ts";
import { askAgent } from "./client.ts";
import { wantsAgent } from "./sockets.ts";

/**
 * What is to be said of the agent of a process after "agent: "; `null` where none was asked for.
 *
 * @throws {PermissionError} when the runtime's permissions do not allow it.
 */
export async function describeAgent(pid: number): Promise<string | null> {
  try {
    const { idleMilliseconds, stopped } = await askAgent(pid, "hello");
    if (stopped !== null) return `runs, and gives nothing back at rest: ${stopped}`;
    return idleMilliseconds === 0
      ? "runs, and gives memory back near a limit only"
      : `runs, and gives memory back after ${idleMilliseconds / 1000} s of rest`;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return wantsAgent(pid) ? `does not answer. ${error.message}` : null;
  }
}
