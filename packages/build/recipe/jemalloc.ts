/**
 * How jemalloc is built: its own configure, and then make, or zig for another machine.
 *
 * @module
 */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  JEMALLOC_SHIM_SYMBOLS,
  JEMALLOC_SYMBOLS,
  jemallocPrefix,
} from "../../../ffi/symbols/jemalloc.ts";
import {
  MALLOC_SYMBOLS,
  OPERATOR_SYMBOLS,
  OPTIONAL_MALLOC_SYMBOLS,
  STANDARD_MALLOC_SYMBOLS,
} from "../../../ffi/overrides.ts";
import { BuildError } from "../../../lib/errors.ts";
import type { Variant } from "../../../lib/library/manifest.ts";
import type { Target } from "../../../lib/library/target.ts";
import { writeDarwinHeaders } from "./darwin-headers.ts";
import { compileGuard, guardFeatures, guardFiles, hasGuard, INNER_PREFIX } from "./guard.ts";
import { configure, configured, SIZE_CHECKS } from "./jemalloc-configure.ts";
import { completeJemalloc } from "./jemalloc-source.ts";
import { limitZeroing } from "./jemalloc-zeroing.ts";
import {
  exportingUnit,
  type ExportNames,
  LINK_FLAGS,
  nameFlags,
  type ObjectFormat,
  objectFormat,
  symbolNames,
  writeExports,
} from "./link.ts";
import { addOperators, operatorFiles } from "./operators.ts";
import type { LibraryBuild, Recipe } from "../types.ts";

const JOBS = 2;
const UNIT = "offheap-unit.c";

/** What macOS and Windows, where the library does not take the place of malloc, have in common. */
const PREFIX = jemallocPrefix("darwin");

const COMMON_OPTIONS: readonly string[] = [
  "--disable-cxx",
  "--disable-doc",
  "--enable-stats",
  "--with-lg-hugepage=21",
];

/** The unwinder that configure may fall back to crashes when profiling is on; better none. */
const PROFILING: readonly string[] = ["--enable-prof", "--disable-prof-gcc"];

/** TLS that survives dlopen: the library is opened long after the program's start. */
const OPENED_LATE = "--disable-initial-exec-tls";

const VARIANT_OPTIONS: Readonly<Record<Variant, readonly string[]>> = {
  release: [OPENED_LATE],
  debug: [OPENED_LATE, "--enable-debug"],
  secure: [
    OPENED_LATE,
    "--enable-opt-safety-checks",
    "--enable-opt-size-checks",
    "--enable-uaf-detection",
  ],
  preload: [],
};

/** The functions that the guarding layer replaces: guard-jemalloc.c calls some of them. */
const GUARDED: readonly string[] = [
  ...MALLOC_SYMBOLS,
  ...["pvalloc", "free_sized", "free_aligned_sized"],
  ...symbolNames([JEMALLOC_SYMBOLS], JEMALLOC_SHIM_SYMBOLS).required,
  ...["sdallocx", "xallocx"],
];

/** Below the layer jemalloc's own checks would find nothing. */
const GUARD_OPTIONS: readonly string[] = [
  OPENED_LATE,
  `--with-mangling=${GUARDED.map((name) => `${name}:${INNER_PREFIX}${name}`).join(",")}`,
];

/** Without the zone, loading the library leaves the process's malloc alone. */
function formatOptions(format: ObjectFormat, variant: Variant): readonly string[] {
  const zone = variant === "preload" ? "--enable-zone-allocator" : "--disable-zone-allocator";
  const options: Readonly<Record<ObjectFormat, readonly string[]>> = {
    elf: PROFILING,
    macho: [...PROFILING, `--with-jemalloc-prefix=${PREFIX}`, zone],
    // Its profiling needs an unwinder that is not there.
    pe: ["--disable-prof", `--with-jemalloc-prefix=${PREFIX}`],
  };
  return options[format];
}

/** sallocx answers 0 for an address that is not jemalloc's own, where it would crash else. */
const SAFE_LOOKUP = "-DJEMALLOC_FORCE_IVSALLOC";

const VARIANT_FLAGS: Readonly<Record<Variant, readonly string[]>> = {
  release: ["-g0", SAFE_LOOKUP],
  debug: [SAFE_LOOKUP],
  secure: ["-g0", SAFE_LOOKUP],
  preload: ["-g0", SAFE_LOOKUP],
};

/** What zig compiles with; the host's make has such flags of its own. */
const CROSS_FLAGS: Readonly<Record<ObjectFormat, readonly string[]>> = {
  // Zig keeps frame pointers by default: three steps of each malloc.
  elf: ["-std=gnu11", "-fPIC", "-fvisibility=hidden", "-fomit-frame-pointer", "-w"],
  // The exports are marked by the unit instead, see exportingUnit.
  macho: ["-std=gnu11", "-fPIC", "-fvisibility=hidden", "-w", "-DJEMALLOC_EXPORT="],
  pe: ["-std=gnu11", "-w", "-DJEMALLOC_EXPORT="],
};

const OPTIMISATION: Readonly<Record<Variant, readonly string[]>> = {
  release: ["-O3", "-funroll-loops", "-s"],
  debug: ["-g"],
  secure: ["-O3", "-funroll-loops", "-s"],
  preload: ["-O3", "-funroll-loops", "-s"],
};

const VARIANT_FEATURES: Readonly<Record<Variant, readonly string[]>> = {
  release: [],
  debug: ["assertions"],
  secure: ["safety-checks", "size-checks", "uaf-detection", "guarded"],
  preload: [],
};

/** The binary logarithm of the largest page size that a system has; others have 4 KiB. */
const LG_PAGE: Readonly<Record<string, number>> = { "linux-arm64": 16, "darwin-arm64": 14 };
const LG_PAGE_DEFAULT = 12;

/**
 * The bits of an address. Configure would ask the building machine's processor where it can, and
 * take all 57 that any x86-64 may have else, which cost a third level of jemalloc's tree. Linux gives
 * no address above 47 bits to whoever does not ask for one (its documentation,
 * arch/x86/x86_64/5level-paging).
 */
const LG_ADDRESS: Readonly<Record<string, number>> = {
  "linux-x64": 48,
  "darwin-x64": 57,
  "win32-x64": 57,
  "freebsd-x64": 57,
};

const symbols = symbolNames([JEMALLOC_SYMBOLS], JEMALLOC_SHIM_SYMBOLS);

/**
 * Those of its functions that offheap itself does not call. A program may be linked to a jemalloc of
 * the system's: what the preload left out would be that one's, and be given blocks of the preload's.
 */
const BESIDES: readonly string[] = ["sdallocx", "xallocx", "malloc_stats_print"];

const ELF_EXPORTS: ExportNames = {
  required: [...symbols.required, ...MALLOC_SYMBOLS, ...OPERATOR_SYMBOLS, ...BESIDES],
  optional: [...symbols.optional, ...OPTIONAL_MALLOC_SYMBOLS],
};

const PREFIXED_EXPORTS: ExportNames = {
  required: [...symbols.required, ...STANDARD_MALLOC_SYMBOLS].map((name) => PREFIX + name),
  optional: symbols.optional.map((name) => PREFIX + name),
};

function configureOptions(variant: Variant, target: Target): string[] {
  const machine = `${target.platform}-${target.arch}`;
  const address = LG_ADDRESS[machine];
  return [
    ...COMMON_OPTIONS,
    ...formatOptions(objectFormat(target), variant),
    `--with-lg-page=${LG_PAGE[machine] ?? LG_PAGE_DEFAULT}`,
    ...(address === undefined ? [] : [`--with-lg-vaddr=${address}`]),
    ...(hasGuard(target, variant) ? GUARD_OPTIONS : VARIANT_OPTIONS[variant]),
  ];
}

/** The guarding layer's object file, where there is one. */
async function guardObjects(build: LibraryBuild): Promise<string[]> {
  if (!hasGuard(build.target, build.variant)) return [];
  // Its makefile takes what was renamed for private, and gives that a prefix of its own.
  const names = build.toolchain.cross === null
    ? GUARDED.map((name) => `-D${INNER_PREFIX}${name}=je_${INNER_PREFIX}${name}`)
    : [];
  return [await compileGuard(build, "jemalloc", names)];
}

async function make(build: LibraryBuild): Promise<void> {
  const flags = [
    ...await guardObjects(build),
    ...LINK_FLAGS.elf,
    ...nameFlags("elf", build.output),
    // Make hands its variables to a shell: a path of the checkout's may hold anything.
    ...writeExports("elf", build.exports, build.directory, () => "exports.map"),
  ];
  await build.run([
    "make",
    `-j${JOBS}`,
    "build_lib_shared",
    `EXTRA_CFLAGS=${VARIANT_FLAGS[build.variant].join(" ")}`,
    `EXTRA_LDFLAGS=${flags.join(" ")}`,
  ], { CC: build.toolchain.compiler.join(" ") });
  copyFileSync(join(build.directory, "lib/libjemalloc.so.2"), build.output);
}

/** The sources that jemalloc's makefile lists, with macOS's zone where it is wanted. */
function sourcesOf(build: LibraryBuild): string[] {
  const makefile = readFileSync(join(build.directory, "Makefile.in"), "utf8");
  const list = /^C_SRCS := ((?:.*\\\n)*.*)$/m.exec(makefile)?.[1] ?? "";
  const sources = [...list.matchAll(/\bsrc\/\w+\.c\b/g)].map(([path]) => path);
  if (!sources.includes("src/jemalloc.c")) {
    throw new BuildError("Cannot build jemalloc: its Makefile.in lists no src/jemalloc.c.");
  }
  const hasZone = build.variant === "preload" && objectFormat(build.target) === "macho";
  return hasZone ? [...sources, "src/zone.c"] : sources;
}

/** The libraries that configure found to be needed; zig has libgcc's functions itself. */
function librariesOf(build: LibraryBuild): string[] {
  const makefile = readFileSync(join(build.directory, "Makefile"), "utf8");
  const line = /^LIBS := *(.*)$/m.exec(makefile)?.[1] ?? "";
  return line.split(/\s+/).filter((flag) => flag !== "" && flag !== "-lgcc");
}

function writeUnit(build: LibraryBuild, format: ObjectFormat): void {
  const text = exportingUnit(format, build.exports, {
    head: [],
    headers: [
      "jemalloc/internal/jemalloc_preamble.h",
      "jemalloc/internal/jemalloc_internal_includes.h",
    ],
    body: SIZE_CHECKS,
    source: "src/jemalloc.c",
  });
  writeFileSync(join(build.directory, UNIT), text);
}

/** All sources by one command: make's own way would take three times as long with zig. */
async function compileDirectly(build: LibraryBuild, headers: readonly string[]): Promise<void> {
  const format = objectFormat(build.target);
  // It renames internal functions, which are hidden here anyway.
  writeFileSync(join(build.directory, "include/jemalloc/internal/private_namespace.h"), "");
  writeUnit(build, format);
  await build.run([
    ...build.toolchain.compiler,
    "-shared",
    "-o",
    build.output,
    ...CROSS_FLAGS[format],
    ...OPTIMISATION[build.variant],
    ...VARIANT_FLAGS[build.variant],
    "-D_GNU_SOURCE",
    "-D_REENTRANT",
    "-Iinclude",
    "-I.",
    ...headers,
    ...sourcesOf(build).map((source) => source === "src/jemalloc.c" ? UNIT : source),
    ...await guardObjects(build),
    ...librariesOf(build),
    ...LINK_FLAGS[format],
    ...nameFlags(format, build.output),
    ...writeExports(format, build.exports, dirname(build.output)),
  ]);
}

/** How jemalloc is built. */
export const JEMALLOC_RECIPE: Recipe = {
  name: "jemalloc",
  ownFiles: (target, variant) => [
    ...operatorFiles(target),
    ...guardFiles("jemalloc", target, variant),
  ],
  exports: (target) => objectFormat(target) === "elf" ? ELF_EXPORTS : PREFIXED_EXPORTS,
  // Of it, 120 MiB are for the lists of apt and an autoconf out of Debian's packages.
  space: 280 * 2 ** 20,
  tools: ["make"],
  prepare: completeJemalloc,
  flags: (variant, target, cross) => {
    const format = objectFormat(target);
    return [
      ...configureOptions(variant, target),
      ...(cross ? [...CROSS_FLAGS[format], ...OPTIMISATION[variant]] : []),
      ...VARIANT_FLAGS[variant],
      ...LINK_FLAGS[format],
    ];
  },
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
  async compile(build) {
    const headers = objectFormat(build.target) === "macho"
      ? writeDarwinHeaders(build.directory)
      : [];
    const limited = limitZeroing(build.directory);
    // The guarding layer has its own.
    if (objectFormat(build.target) === "elf" && !hasGuard(build.target, build.variant)) {
      addOperators("jemalloc", join(build.directory, "src/jemalloc.c"));
    }
    const printed = await configure(build, {
      options: configureOptions(build.variant, build.target),
      headers,
      strips: OPTIMISATION[build.variant].includes("-s"),
    });
    await (build.toolchain.cross === null ? make(build) : compileDirectly(build, headers));
    return {
      features: [
        ...(hasGuard(build.target, build.variant) ? [] : VARIANT_FEATURES[build.variant]),
        ...guardFeatures(build.target, build.variant),
        "safe-lookup",
        ...(limited ? ["zeroing-limit"] : []),
        ...(configured(printed, "stats") ? ["statistics"] : []),
        ...(configured(printed, "prof") ? ["profiling"] : []),
      ],
    };
  },
};
