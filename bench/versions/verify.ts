/**
 * In which runtimes a build is proven to serve the process: each is really started under it.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import { LaunchError } from "../../lib/errors.ts";
import { prepareVariant } from "../../lib/watch/compare/variants.ts";
import type { Runtime } from "../../tools/runtimes.ts";
import { neutralEnvironment } from "../suite/prepare.ts";
import type { VersionBuild } from "./builds.ts";

/** How often a build was proven in a runtime. */
export const Proof = z.object({
  runtime: z.string(),
  proven: z.number().int().nonnegative(),
  times: z.number().int().positive(),
  /** What spoke against it the first time; how the program ended, when it did not end well. */
  problem: z.string().nullable(),
});

/** How often a build was proven in a runtime. */
export type Proof = z.infer<typeof Proof>;

const Counted = Proof.omit({ runtime: true });
const CHILD = fileURLToPath(new URL("verify-child.ts", import.meta.url));
const LIMIT_MS = 120_000;
const SAID_LIMIT = 300;

const start = promisify(execFile);

/** The last thing that a failed program said, or how it ended. */
function problemOf(error: unknown): string {
  if (error instanceof LaunchError) return error.message;
  const { code, signal, stderr = "" } = error as {
    readonly code?: number | string | null;
    readonly signal?: string | null;
    readonly stderr?: string;
  };
  const said = stderr.trim().split("\n").at(-1)?.slice(0, SAID_LIMIT) ?? "";
  return `it ended with ${signal ?? code}${said === "" ? "" : `: ${said}`}`;
}

/**
 * Starts a runtime under a build, as `offheap run` would, and has it verify itself.
 *
 * @param times How often it is asked within the one process.
 */
export async function prove(
  build: Pick<VersionBuild, "allocator" | "file">,
  { spec, binary }: Runtime,
  times: number,
): Promise<Proof> {
  const words = [...spec.run, CHILD, build.allocator, String(times)];
  const variant = { name: build.file, allocator: build.allocator, library: build.file };
  try {
    const { environment } = prepareVariant(variant, [binary, ...words], neutralEnvironment());
    const { stdout } = await start(binary, words, { env: environment, timeout: LIMIT_MS });
    const line = stdout.trimEnd().split("\n").at(-1) ?? "";
    return { runtime: spec.title, ...Counted.parse(JSON.parse(line)) };
  } catch (error) {
    if (error instanceof z.ZodError || error instanceof SyntaxError) throw error;
    return { runtime: spec.title, proven: 0, times, problem: problemOf(error) };
  }
}
