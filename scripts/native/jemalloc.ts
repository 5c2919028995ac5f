/**
 * How jemalloc is built: its own configure and make.
 *
 * @module
 */
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { JEMALLOC_SHIM_SYMBOLS, JEMALLOC_SYMBOLS } from "../../ffi/jemalloc.ts";
import { MALLOC_SYMBOLS, OPTIONAL_MALLOC_SYMBOLS } from "../../ffi/overrides.ts";
import { BuildError } from "../../lib/errors.ts";
import type { Variant } from "../../lib/library/manifest.ts";
import type { Target } from "../../lib/library/target.ts";
import { LINK_FLAGS } from "./link.ts";
import { symbolNames } from "./symbols.ts";
import type { Recipe } from "./types.ts";

const JOBS = 2;
const VERSION_SCRIPT = "offheap-exports.map";

const COMMON_OPTIONS: readonly string[] = [
  "--disable-cxx",
  "--disable-doc",
  "--enable-stats",
  // The unwinder that configure may fall back to crashes when profiling is on; better none.
  "--enable-prof",
  "--disable-prof-gcc",
  // TLS that survives dlopen: the library is opened long after the program's start.
  "--disable-initial-exec-tls",
  "--with-lg-hugepage=21",
];

const VARIANT_OPTIONS: Readonly<Record<Variant, readonly string[]>> = {
  release: [],
  debug: ["--enable-debug"],
  secure: ["--enable-opt-safety-checks", "--enable-opt-size-checks", "--enable-uaf-detection"],
  preload: [],
};

/** sallocx answers 0 for an address that is not jemalloc's own, where it would crash else. */
const SAFE_LOOKUP = "-DJEMALLOC_FORCE_IVSALLOC";

const VARIANT_FLAGS: Readonly<Record<Variant, readonly string[]>> = {
  release: ["-g0", SAFE_LOOKUP],
  debug: [SAFE_LOOKUP],
  secure: ["-g0", SAFE_LOOKUP],
  preload: ["-g0", SAFE_LOOKUP],
};

const VARIANT_FEATURES: Readonly<Record<Variant, readonly string[]>> = {
  release: [],
  debug: ["assertions"],
  secure: ["safety-checks", "size-checks", "uaf-detection", "guarded"],
  preload: [],
};

const LARGE_PAGE_ARCHITECTURES: readonly string[] = ["arm64"];
const symbols = symbolNames([JEMALLOC_SYMBOLS], JEMALLOC_SHIM_SYMBOLS);

function configureOptions(variant: Variant, target: Target): string[] {
  // A build serves all page sizes up to this one; arm64 has kernels of 64 KiB.
  const page = LARGE_PAGE_ARCHITECTURES.includes(target.arch) ? 16 : 12;
  return [...COMMON_OPTIONS, `--with-lg-page=${page}`, ...VARIANT_OPTIONS[variant]];
}

function configured(printed: string, name: string): boolean {
  return new RegExp(`^${name}\\s*: 1$`, "m").test(printed);
}

/** How jemalloc is built. */
export const JEMALLOC_RECIPE: Recipe = {
  name: "jemalloc",
  required: [...symbols.required, ...MALLOC_SYMBOLS],
  optional: [...symbols.optional, ...OPTIONAL_MALLOC_SYMBOLS],
  space: 160 * 2 ** 20,
  tools: ["make"],
  flags: (
    variant,
    target,
  ) => [...configureOptions(variant, target), ...VARIANT_FLAGS[variant], ...LINK_FLAGS],
  version(directory) {
    const file = join(directory, "VERSION");
    const match = existsSync(file) && existsSync(join(directory, "src/jemalloc.c"))
      ? /^(\d+\.\d+\.\d+)/.exec(readFileSync(file, "utf8"))
      : null;
    if (match?.[1] === undefined) {
      throw new BuildError(
        `Cannot build jemalloc from "${directory}": it is not jemalloc's source, which has ` +
          "src/jemalloc.c and VERSION.",
      );
    }
    return match[1];
  },
  async build(job) {
    if (!existsSync(join(job.directory, "configure"))) {
      throw new BuildError(
        `Cannot build jemalloc from "${job.directory}": it has no configure. ` +
          'Run "autoconf" there, or take a release archive.',
      );
    }
    const variables = { CC: job.toolchain.compiler.join(" ") };
    const printed = await job.run(
      ["./configure", ...configureOptions(job.variant, job.target)],
      variables,
    );
    if (configured(printed, "prof-gcc")) {
      throw new BuildError(
        "Cannot build jemalloc: its configure chose the unwinder prof-gcc, which crashes when " +
          "profiling is on. Use gcc, or a clang with libgcc or libunwind.",
      );
    }
    // Make hands its variables to a shell: a path of the checkout's may hold anything.
    copyFileSync(job.versionScript, join(job.directory, VERSION_SCRIPT));
    const linkFlags = [
      ...LINK_FLAGS,
      `-Wl,-soname,${basename(job.output)}`,
      `-Wl,--version-script=${VERSION_SCRIPT}`,
    ];
    await job.run([
      "make",
      `-j${JOBS}`,
      "build_lib_shared",
      `EXTRA_CFLAGS=${VARIANT_FLAGS[job.variant].join(" ")}`,
      `EXTRA_LDFLAGS=${linkFlags.join(" ")}`,
    ], variables);
    copyFileSync(join(job.directory, "lib/libjemalloc.so.2"), job.output);
    return {
      features: [
        ...VARIANT_FEATURES[job.variant],
        "safe-lookup",
        ...(configured(printed, "stats") ? ["statistics"] : []),
        ...(configured(printed, "prof") ? ["profiling"] : []),
      ],
    };
  },
};
