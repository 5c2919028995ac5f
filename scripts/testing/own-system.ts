/**
 * Test files about one kind of system: elsewhere there is nothing for them to test.
 *
 * @module
 */
import { basename } from "node:path";
import type { Target } from "../../lib/library/target.ts";

interface Rule {
  /** The files' names, without `.test.ts`. */
  readonly files: readonly string[];
  /** Whether they have something to test there. */
  readonly fits: (target: Target) => boolean;
  /** Why not, elsewhere. */
  readonly reason: string;
}

const isLinux = ({ platform }: Target): boolean => platform === "linux";

const RULES: readonly Rule[] = [
  {
    files: ["run", "shim", "preload-path", "exec", "launch-target", "doctor", "memory-native"],
    fits: isLinux,
    reason: "it is about LD_PRELOAD, ELF and /proc; ports and launch-macho stand in",
  },
  {
    files: ["require", "resolve", "system"],
    fits: isLinux,
    reason: "it names Linux's C libraries, paths and file names; ports stands in",
  },
  {
    files: ["check", "churn", "latency", "service", "suite", "workloads"]
      .map((name) => `bench-${name}`),
    fits: (target) => isLinux(target) && target.libc === "glibc",
    reason: "the benchmarks preload libraries beside glibc's allocator, and read /proc",
  },
];

/** Why a test file has nothing to test on a target; `null` when it has. */
export function reasonToLeaveOut(path: string, target: Target): string | null {
  const name = basename(path, ".test.ts");
  const rule = RULES.find(({ files, fits }) => files.includes(name) && !fits(target));
  return rule?.reason ?? null;
}
