/**
 * Programs that are started with heap profiling.
 *
 * @module
 */
import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { AgentError } from "../../lib/errors.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { askAgent } from "../../lib/watch/agent/client.ts";
import { during } from "./child.ts";
import { offheapCommand } from "./runtime.ts";
import { skipUnless } from "./skip.ts";

const { platform, libc, arch } = hostTarget();

/** Whether the shim has its unwinder here. */
export const HAS_UNWINDER: boolean = platform === "linux" && libc === "glibc" &&
  ["x64", "arm64"].includes(arch);

/** The option of tests that need it. */
export const WITH_UNWINDER = skipUnless(
  HAS_UNWINDER,
  "the unwinder is for Linux with glibc, x64 and arm64",
);

/** A command under jemalloc. */
export function launched(
  options: readonly string[],
  command: readonly string[],
): [string, ...string[]] {
  return offheapCommand("run", "-a", "jemalloc", ...options, "--", ...command);
}

/** The agent makes its socket a moment after the program's first thread. */
async function whenListening(pid: number): Promise<void> {
  for (let attempts = 100; attempts > 0; attempts--) {
    try {
      await askAgent(pid, "hello");
      return;
    } catch (error) {
      if (!(error instanceof AgentError) || attempts === 1) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Works while a command runs, once it has printed a line and its agent listens. */
export function duringSampling<T>(
  command: readonly string[],
  work: (pid: number, child: ChildProcess) => Promise<T>,
): Promise<T> {
  return during(command, async (pid, child) => {
    try {
      await whenListening(pid);
      return await work(pid, child);
    } finally {
      rmSync(`/tmp/perf-${pid}.map`, { force: true });
    }
  });
}
