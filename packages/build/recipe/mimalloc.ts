/**
 * How mimalloc is built: one translation unit.
 *
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { MIMALLOC_SHIM_SYMBOLS, MIMALLOC_SYMBOLS } from "../../../ffi/symbols/mimalloc.ts";
import {
  MALLOC_SYMBOLS,
  OPERATOR_SYMBOLS,
  OPTIONAL_MALLOC_SYMBOLS,
} from "../../../ffi/overrides.ts";
import { BuildError } from "../../../lib/errors.ts";
import type { Variant } from "../../../lib/library/manifest.ts";
import type { Target } from "../../../lib/library/target.ts";
import { decodeMimallocVersion } from "../../../lib/allocators/mimalloc/version.ts";
import { writeDarwinHeaders } from "./darwin-headers.ts";
import { compileGuard, guardFeatures, guardFiles, hasGuard, INNER_PREFIX } from "./guard.ts";
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

/**
 * Whether mimalloc counts its live bytes, which costs too much to be on: the figures are in
 * docs/development/benchmarks/decisions.md. A debug build counts in any case.
 */
const COUNTS_LIVE_BYTES = false;

const STATISTICS = `-DMI_STAT=${COUNTS_LIVE_BYTES ? 1 : 0}`;

const VARIANT_FLAGS: Readonly<Record<Variant, readonly string[]>> = {
  release: ["-O3", "-DNDEBUG", STATISTICS],
  // Level 2 has the internal assertions; level 3 would walk whole heaps at each call.
  debug: ["-O2", "-g", "-DMI_DEBUG=2", "-DMI_PADDING=1"],
  // Versions before 2.1.9 do not know MI_GUARDED and pass over it.
  secure: ["-O3", "-DNDEBUG", STATISTICS, "-DMI_SECURE=4", "-DMI_PADDING=1", "-DMI_GUARDED=1"],
  preload: ["-O3", "-DNDEBUG", STATISTICS],
};

/** The functions that the guarding layer replaces: guard-mimalloc.c has them. */
const GUARDED: readonly string[] = [
  "mi_good_size",
  ...MIMALLOC_SHIM_SYMBOLS.filter((name) => name !== "mi_heap_visit_blocks"),
];

/**
 * Below the guarding layer, which has the padding: pages without access around its own data, free
 * lists that cannot be forged, for what is written to freed blocks that the layer has let go.
 */
const GUARD_FLAGS: readonly string[] = [
  "-O3",
  "-DNDEBUG",
  "-DMI_SECURE=4",
  "-DMI_PADDING=0",
  ...GUARDED.map((name) => `-D${name}=${INNER_PREFIX}${name}`),
];

const VARIANT_FEATURES: Readonly<Record<Variant, readonly string[]>> = {
  release: [],
  debug: ["padding", "assertions"],
  secure: ["padding"],
  preload: [],
};

/** How thread-local storage is reached when a library is opened long after the program's start. */
const OPENED_LATE = "-ftls-model=local-dynamic";

const TLS_MODEL: Readonly<Record<Variant, string>> = {
  release: OPENED_LATE,
  debug: OPENED_LATE,
  secure: OPENED_LATE,
  // What is there from the start has a fixed place.
  preload: "-ftls-model=initial-exec",
};

const ELF_FLAGS: readonly string[] = [
  "-fPIC",
  "-fvisibility=hidden",
  // Or the compiler turns our own calloc into a call of calloc.
  "-fno-builtin-malloc",
  "-DMI_SHARED_LIB",
  "-DMI_SHARED_LIB_EXPORT",
  "-pthread",
];

/** What is shared by the sources of a build that takes over macOS's malloc when it is inserted. */
const INTERPOSE_FLAGS: readonly string[] = ["-DMI_MALLOC_OVERRIDE", "-DMI_OSX_INTERPOSE=1"];

/** By this mark of glibc's headers mimalloc decides whether there is an aligned_alloc to replace. */
const HAS_ALIGNED_ALLOC = "-D__USE_ISOC11=1";

function formatFlags(target: Target, variant: Variant): readonly string[] {
  const flags: Readonly<Record<ObjectFormat, readonly string[]>> = {
    elf: [
      ...ELF_FLAGS,
      TLS_MODEL[variant],
      // The layer defines the C library's names itself.
      ...(hasGuard(target, variant) ? [] : ["-DMI_MALLOC_OVERRIDE"]),
      ...(target.libc === "glibc" ? [] : [HAS_ALIGNED_ALLOC]),
    ],
    macho: ["-fPIC", "-fvisibility=hidden", ...(variant === "preload" ? INTERPOSE_FLAGS : [])],
    pe: ["-DMI_WIN_NOREDIRECT=1"],
  };
  return flags[objectFormat(target)];
}

const LIBRARIES: Readonly<Record<string, readonly string[]>> = {
  // For the operators, in glibc before 2.34.
  linux: ["-ldl"],
  win32: ["-lpsapi", "-lshell32", "-luser32", "-ladvapi32", "-lbcrypt"],
};

const HEADERS: readonly string[] = ["include/mimalloc/types.h", "include/mimalloc-types.h"];
const SOURCE = "src/static.c";
const UNIT = "offheap-unit.c";

/** Where versions have macOS's zone, which goes into a unit of its own. */
const ZONE_SOURCES: readonly string[] = [
  "src/prim/osx/alloc-override-zone.c",
  "src/alloc-override-osx.c",
];

const symbols = symbolNames([MIMALLOC_SYMBOLS], MIMALLOC_SHIM_SYMBOLS);

const ELF_EXPORTS: ExportNames = {
  required: [...symbols.required, ...MALLOC_SYMBOLS, ...OPERATOR_SYMBOLS],
  optional: [...symbols.optional, ...OPTIONAL_MALLOC_SYMBOLS],
};

const EXPORTS: Readonly<Record<ObjectFormat, ExportNames>> = {
  elf: ELF_EXPORTS,
  macho: symbols,
  // mimalloc marks its entry point itself.
  pe: { ...symbols, optional: [...symbols.optional, "DllMain"] },
};

/**
 * The unit for formats whose exports the sources mark. mimalloc's own marks would export all that
 * it has, so they are switched on only after the header: the code goes by them, too.
 */
function writeUnit(build: LibraryBuild, format: ObjectFormat): void {
  const text = exportingUnit(format, build.exports, {
    head: ["#ifndef _DEFAULT_SOURCE", "#define _DEFAULT_SOURCE", "#endif"],
    headers: ["mimalloc.h"],
    body: ["#define MI_SHARED_LIB 1", "#define MI_SHARED_LIB_EXPORT 1"],
    source: SOURCE,
  });
  writeFileSync(join(build.directory, UNIT), text);
}

interface Units {
  readonly sources: readonly string[];
  readonly flags: readonly string[];
}

async function prepareUnits(build: LibraryBuild, format: ObjectFormat): Promise<Units> {
  if (format === "elf") {
    if (hasGuard(build.target, build.variant)) {
      return { sources: [SOURCE, await compileGuard(build, "mimalloc")], flags: [] };
    }
    addOperators("mimalloc", join(build.directory, SOURCE));
    return { sources: [SOURCE], flags: [] };
  }
  writeUnit(build, format);
  const headers = format === "macho" ? writeDarwinHeaders(build.directory) : [];
  if (build.variant !== "preload") return { sources: [UNIT], flags: headers };
  const zone = ZONE_SOURCES.find((file) => existsSync(join(build.directory, file)));
  if (zone === undefined) {
    throw new BuildError("Cannot build mimalloc for macOS: this version has no malloc zone.");
  }
  // One file would define the same names twice. `0` is "defined" to the first, and false.
  const object = "offheap-zone.o";
  await build.run([
    ...build.toolchain.compiler,
    "-c",
    ...MIMALLOC_RECIPE.flags(build.variant, build.target, true).filter((flag) => flag !== "-s"),
    "-DMI_SHARED_LIB",
    "-DMI_SHARED_LIB_EXPORT",
    "-DMI_OSX_ZONE=1",
    ...headers,
    "-Iinclude",
    "-o",
    object,
    zone,
  ]);
  return { sources: [UNIT, object], flags: ["-DMI_OSX_ZONE=0", ...headers] };
}

/** How mimalloc is built. */
export const MIMALLOC_RECIPE: Recipe = {
  name: "mimalloc",
  ownFiles: (target, variant) => [
    ...operatorFiles(target),
    ...guardFiles("mimalloc", target, variant),
  ],
  exports: (target) => EXPORTS[objectFormat(target)],
  // Of it, 60 MiB are for the lists of apt.
  space: 80 * 2 ** 20,
  tools: [],
  flags: (variant, target, cross) => [
    "-std=gnu11",
    ...formatFlags(target, variant),
    "-w",
    ...(hasGuard(target, variant) ? GUARD_FLAGS : VARIANT_FLAGS[variant]),
    // Zig keeps frame pointers by default.
    ...(cross && variant !== "debug" ? ["-fomit-frame-pointer", "-g0", "-s"] : []),
    ...LINK_FLAGS[objectFormat(target)],
  ],
  version(directory) {
    const header = join(directory, "include/mimalloc.h");
    const match = existsSync(header) && existsSync(join(directory, SOURCE))
      ? /#define\s+MI_MALLOC_VERSION\s+(\d+)/.exec(readFileSync(header, "utf8"))
      : null;
    if (match?.[1] === undefined) {
      throw new BuildError(
        `Cannot build mimalloc from "${directory}": it is not mimalloc's source, which has ` +
          `${SOURCE} and a version in include/mimalloc.h.`,
      );
    }
    return decodeMimallocVersion(Number(match[1]));
  },
  async compile(build) {
    const format = objectFormat(build.target);
    const { sources, flags } = await prepareUnits(build, format);
    await build.run([
      ...build.toolchain.compiler,
      "-shared",
      "-o",
      build.output,
      ...MIMALLOC_RECIPE.flags(build.variant, build.target, build.toolchain.cross !== null),
      ...flags,
      "-Iinclude",
      "-I.",
      ...sources,
      ...nameFlags(format, build.output),
      ...writeExports(format, build.exports, dirname(build.output)),
      ...LIBRARIES[build.target.platform] ?? [],
    ]);
    if (hasGuard(build.target, build.variant)) {
      return { features: guardFeatures(build.target, build.variant) };
    }
    const guarded = build.variant === "secure" && HEADERS.some((header) => {
      const path = join(build.directory, header);
      return existsSync(path) && readFileSync(path, "utf8").includes("MI_GUARDED");
    });
    return { features: [...VARIANT_FEATURES[build.variant], ...(guarded ? ["guarded"] : [])] };
  },
};
