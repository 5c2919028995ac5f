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
/** The same on a push; in each runtime with `--everywhere`. */
const isUsual = (place: Place): boolean => place.everywhere || isOnce(place);
/** On a push in Bun, whose processes start in half the time. */
const isQuickest = (place: Place): boolean => place.everywhere || place.runtime === "bun";
/** The same, and in Deno, which asks for permissions. */
const isQuickestOrDeno = (place: Place): boolean => isQuickest(place) || place.runtime === "deno";
/** The same, and in Node 26, for what Bun has not. */
const isQuickestOrNode = (place: Place): boolean => isQuickest(place) || isOnce(place);
/** On a push not in Node 22. */
const isOneNode = (place: Place): boolean => place.everywhere || place.runtime !== "node22";
/** Only with `--everywhere`. */
const isThorough = (place: Place): boolean => place.everywhere && isOnce(place);
const isLinux = ({ target }: Place): boolean => target.platform === "linux";

/** Files of a folder. */
function within(folder: string, ...names: readonly string[]): string[] {
  return names.map((name) => `${folder}/${name}`);
}

/** The rules; a file that none names runs everywhere. */
export const RULES: readonly Rule[] = [
  {
    files: [
      ...within("bench", "analysis", "check", "report", "versions"),
      ...within(
        "project",
        "imports",
        "marked-text",
        "platforms",
        "test-runner",
        "workflows",
      ),
      ...within("npm", "dnt", "nest", "next", "release", "tools"),
    ],
    fits: isOnce,
    reason: "it is about the checkout's scripts, which are always run by Node; once will do",
  },
  {
    files: ["npm/jsr"],
    fits: ({ runtime }) => runtime === "deno",
    reason: "only Deno imports from a URL",
  },
  {
    files: ["npm/next"],
    fits: isThorough,
    reason:
      "npm/tools bundles by webpack, rollup and esbuild on each push; Next is tried each night",
  },
  {
    files: within("run", "children", "installed-programs"),
    fits: (place) => isLinux(place) && (place.everywhere ? isOnce(place) : isQuickest(place)),
    reason: "it is about programs that offheap starts; run looks at what the runtimes do",
  },
  {
    files: ["project/types"],
    fits: isOnce,
    reason: "it is about type checkers, not about the runtime that starts them; once will do",
  },
  {
    files: within(
      "build",
      ...["build", "sources", "jemalloc-configure", "jemalloc-source", "jemalloc-zeroing"],
    ),
    fits: isOnce,
    reason: "what it tries is alike in all runtimes; each night build/command builds in each",
  },
  {
    files: ["build/build"],
    fits: ({ pinned }) => pinned,
    reason: "it would build the pinned versions in place of the one to be tested",
  },
  {
    files: [
      ...within("allocators", "malloc-conf", "mimalloc-variables", "policy"),
      ...within("watch", "cgroup", "compare-charts", "compare-statistics", "health"),
      ...within("watch", "memory-trend", "memory-verdict", "heap/parts"),
      ...within("allocators", "mimalloc-statistics"),
      ...within("cli", "top"),
      ...within("memory", "address-index"),
      ...within("project", "deploy"),
    ],
    fits: isUsual,
    reason:
      "it is about functions of numbers, bytes and text, alike in all runtimes; each night tries them",
  },
  {
    files: within(
      "watch",
      ...["compare-programs", "heap/command", "prometheus", "serve-page"],
    ),
    fits: (place) => isLinux(place) && isUsual(place),
    reason: "it starts programs and looks at /proc, alike in all runtimes; each night tries them",
  },
  {
    files: within("binary", "elf", "library", "macho", "pe", "structures"),
    fits: isQuickest,
    reason: "it is about functions of bytes, alike in all runtimes; each night tries them in each",
  },
  {
    files: [
      ...within("allocators", "tcmalloc"),
      ...within("library", "integrity", "resolve"),
      ...within("npm", "compare"),
      ...within("run", "other-preloads", "wrappers"),
      ...within("verify", "decoys", "kept", "other-libraries", "versions-debian"),
      ...within("watch", "doctor", "info", "mallctl", "metrics", "pressure", "processes"),
      ...within("cli", "output"),
    ],
    fits: isQuickest,
    reason:
      "what other libraries and files are is alike in all runtimes, and Bun starts fastest; " +
      "run/run and verify/verify run in each",
  },
  {
    files: [
      ...within("cli", "cli"),
      ...["memory/limits", "run/handover"],
      ...within("project", "api"),
      ...within("watch", "attach", "heap/api", "heap/proof", "process-memory", "serve"),
    ],
    fits: isOneNode,
    reason: "Node 22 differs from Node 26 in its foreign function interface, which ffi, memory, " +
      "run/run and verify/verify use there; each night tries all in it",
  },
  {
    files: ["cli/doctor-memory"],
    fits: isQuickest,
    reason: "it is about figures that the agent and /proc have; watch/attach attaches in each",
  },
  {
    files: ["watch/heap/code-map"],
    fits: isUsual,
    reason: "V8's map is alike in Node and Deno; watch/heap/proof has names in each",
  },
  {
    files: [...within("memory", "examples", "heap"), "run/heap-profiling-storms"],
    fits: isQuickestOrDeno,
    reason: "what Deno does not do as Node does is tried there; memory/block runs in each runtime",
  },
  {
    files: [
      ...within("memory", "bad-input", "copies", "leaks"),
      ...within("run", "exec", "heap-profiling", "own-options"),
      "system/ports",
    ],
    fits: isQuickestOrNode,
    reason:
      "Deno has the same engine as Node; run/heap-profiling-storms and memory/block run there",
  },
  {
    files: ["library/no-download"],
    fits: isQuickestOrDeno,
    reason:
      "it is about the modules and about what the system sees; Deno has permissions of its own",
  },
  {
    files: [
      ...within("ffi", "failures", "shim"),
      ...within("memory", "native"),
      ...within("run", "agent", "agent-limits", "agent-native", "agent-rules", "memory-limit"),
      ...within("run", "heap-profiling-options", "unwinder"),
      ...within("verify", "operators"),
    ],
    fits: isQuickest,
    reason: "it is about C in programs that are no runtimes, and Bun starts them fastest",
  },
  {
    files: [
      ...within("run", "descriptors", "env-command", "env-formats", "env-requirement"),
      ...within("run", "exact-text", "macho"),
      ...within("run", "preload-path", "profiles", "program", "quick-run", "require", "texts"),
      ...within("verify", "evidence", "versions"),
    ],
    fits: isQuickest,
    reason: "what is planned, and said of it, is alike in all runtimes; run/run starts in each",
  },
  {
    files: ["run/installed-libraries"],
    fits: (place) => isQuickest(place) || place.runtime === "node22",
    reason: "what is found is alike in all runtimes, but that Node 22 needs a package for it",
  },
  {
    files: [
      ...within("run", "background", "refusals", "successors"),
      ...within("watch", "compare", "compare-command", "compare-known", "compare-page"),
      ...within("watch", "compare-servers", "diseases"),
    ],
    fits: (place) => isLinux(place) && isQuickest(place),
    reason:
      "what is refused, and what programs do that offheap starts, is alike in all; run starts in each",
  },
  {
    files: ["run/managers"],
    fits: isQuickest,
    reason: "it is about PM2; run/handover has the channel of fork() in each runtime",
  },
  {
    files: ["project/examples"],
    fits: isQuickest,
    reason: "the examples are programs of their own; memory/* and run/run are about the runtimes",
  },
  {
    files: ["cli/reports", "project/messages"],
    fits: isQuickest,
    reason: "what is printed is alike in all runtimes; cli/cli has each command run in each",
  },
  {
    files: ["memory/model-variants"],
    fits: isQuickest,
    reason: "memory/model runs in each runtime, and here it is other libraries that differ",
  },
  {
    files: [
      ...within("bench", "churn", "latency", "service", "suite", "workloads"),
      ...within("build", "secure"),
    ],
    fits: isQuickest,
    reason: "it is about programs that are not offheap's; each night starts them from each runtime",
  },
  {
    files: within("build", "build-process", "targets"),
    fits: isUsual,
    reason: "it is about compilers, locks and files; each night builds in each runtime",
  },
  {
    files: ["library/cache-privacy"],
    fits: isQuickest,
    reason: "it is about files and their modes; each night each runtime looks at them",
  },
  {
    files: [
      "run/run",
      "ffi/failures",
      "ffi/shim",
      "run/preload-path",
      "run/exec",
      "run/program",
      "watch/doctor",
      "memory/native",
    ],
    fits: isLinux,
    reason: "it is about LD_PRELOAD, ELF and /proc; ports and macho cover it",
  },
  {
    files: ["run/require", "library/resolve", "system/system"],
    fits: isLinux,
    reason: "it names Linux's C libraries, paths and file names; ports covers it",
  },
  {
    files: ["allocators/statistics", "memory/zeroing", ...within("system", "mounts", "system")],
    fits: isQuickest,
    reason: "it is about what allocators and the system do, alike in all runtimes",
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
