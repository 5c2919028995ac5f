/**
 * Test files about one kind of system, or about what is alike in all runtimes: elsewhere there is
 * nothing for them to test, or nothing new.
 *
 * @module
 */
import type { Target } from "../../lib/library/target.ts";
import type { RuntimeName } from "../../tools/runtimes.ts";
import { testName } from "./files.ts";

/** Where tests run. */
export interface Place {
  /** The system and the C library. */
  readonly target: Target;
  /** The runtime. */
  readonly runtime: RuntimeName;
  /** Whether the checkout's libraries are built from pinned sources. */
  readonly pinned: boolean;
  /** Whether all files that can run in a place are wanted, as in the nightly run. */
  readonly everywhere: boolean;
}

/** Files that run in some places only. */
export interface Rule {
  /** The files' names, as `memory/arena`. */
  readonly files: readonly string[];
  /** Whether they have something to test there. */
  readonly fits: (place: Place) => boolean;
  /** Why not, elsewhere. */
  readonly reason: string;
}

/** In one runtime, where all of them would take the same way. */
const isOnce = ({ runtime }: Place): boolean => runtime === "node26";
const isLinux = ({ target }: Place): boolean => target.platform === "linux";

/** The rules; a file that none names runs everywhere. */
export const RULES: readonly Rule[] = [
  {
    files: [
      ...["analysis", "check", "churn", "report", "suite", "versions"].map((name) =>
        `bench/${name}`
      ),
      ...[
        "project/marked-text",
        "npm/dnt",
        "npm/next",
        "npm/tools",
        "project/platforms",
        "npm/release",
        "project/test-runner",
        "project/workflows",
      ],
    ],
    fits: isOnce,
    reason: "it is about the checkout's scripts, which are always run by Node; once will do",
  },
  {
    files: ["run/background", "run/children"],
    fits: (place) => isLinux(place) && isOnce(place),
    reason: "it is about programs that offheap starts; run looks at what the runtimes do",
  },
  {
    files: ["project/types"],
    fits: isOnce,
    reason: "it is about type checkers, not about the runtime that starts them; once will do",
  },
  {
    files: [
      "build/build",
      "build/secure",
      "build/sources",
      ...["configure", "source", "zeroing"].map((n) => `build/jemalloc-${n}`),
    ],
    fits: isOnce,
    reason: "what it tries is alike in all runtimes; build-process and cli-build build in each",
  },
  {
    files: ["build/build"],
    fits: ({ pinned }) => pinned,
    reason: "it would build the pinned versions in place of the one to be tested",
  },
  {
    files: [
      "run/run",
      "ffi/shim",
      "run/preload-path",
      "run/exec",
      "run/program",
      "watch/doctor",
      "memory/native",
    ],
    fits: isLinux,
    reason: "it is about LD_PRELOAD, ELF and /proc; ports and launch-macho stand in",
  },
  {
    files: ["run/require", "library/resolve", "system/system"],
    fits: isLinux,
    reason: "it names Linux's C libraries, paths and file names; ports stands in",
  },
  {
    files: ["check", "churn", "latency", "service", "suite", "versions", "workloads"]
      .map((name) => `bench/${name}`),
    fits: (place) => isLinux(place) && place.target.libc === "glibc",
    reason: "the benchmarks preload libraries beside glibc's allocator, and read /proc",
  },
];

/** Why a test file has nothing to test in a place; `null` when it has. */
export function reasonToLeaveOut(path: string, place: Place): string | null {
  const name = testName(path);
  const rule = RULES.find(({ files, fits }) => files.includes(name) && !fits(place));
  return rule?.reason ?? null;
}
