/**
 * How mimalloc is built: one translation unit.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { MIMALLOC_SHIM_SYMBOLS, MIMALLOC_SYMBOLS } from "../../ffi/mimalloc.ts";
import { MALLOC_SYMBOLS, OPTIONAL_MALLOC_SYMBOLS } from "../../ffi/overrides.ts";
import { BuildError } from "../../lib/errors.ts";
import type { Variant } from "../../lib/library/manifest.ts";
import { decodeMimallocVersion } from "../../lib/mimalloc/version.ts";
import { LINK_FLAGS } from "./link.ts";
import { symbolNames } from "./symbols.ts";
import type { Recipe } from "./types.ts";

const VARIANT_FLAGS: Readonly<Record<Variant, readonly string[]>> = {
  release: ["-O3", "-DNDEBUG"],
  // Level 2 has the internal assertions; level 3 would walk whole heaps at each call.
  debug: ["-O2", "-g", "-DMI_DEBUG=2", "-DMI_PADDING=1"],
  // Versions before 2.1.9 do not know MI_GUARDED and pass over it.
  secure: ["-O3", "-DNDEBUG", "-DMI_SECURE=4", "-DMI_PADDING=1", "-DMI_GUARDED=1"],
  preload: ["-O3", "-DNDEBUG"],
};

const VARIANT_FEATURES: Readonly<Record<Variant, readonly string[]>> = {
  release: [],
  debug: ["padding", "assertions"],
  secure: ["padding"],
  preload: [],
};

const COMMON_FLAGS: readonly string[] = [
  "-std=gnu11",
  "-fPIC",
  "-fvisibility=hidden",
  // TLS that survives dlopen: the library is opened long after the program's start.
  "-ftls-model=local-dynamic",
  // Or the compiler turns our own calloc into a call of calloc.
  "-fno-builtin-malloc",
  "-DMI_MALLOC_OVERRIDE",
  "-DMI_SHARED_LIB",
  "-DMI_SHARED_LIB_EXPORT",
  "-w",
];

const HEADERS: readonly string[] = ["include/mimalloc/types.h", "include/mimalloc-types.h"];
const UNIT = "src/static.c";
const symbols = symbolNames([MIMALLOC_SYMBOLS], MIMALLOC_SHIM_SYMBOLS);

/** How mimalloc is built. */
export const MIMALLOC_RECIPE: Recipe = {
  name: "mimalloc",
  required: [...symbols.required, ...MALLOC_SYMBOLS],
  optional: [...symbols.optional, ...OPTIONAL_MALLOC_SYMBOLS],
  // Of it, 60 MiB are for the lists of apt.
  space: 80 * 2 ** 20,
  tools: [],
  flags: (variant) => [...COMMON_FLAGS, ...VARIANT_FLAGS[variant], ...LINK_FLAGS, "-pthread"],
  version(directory) {
    const header = join(directory, "include/mimalloc.h");
    const match = existsSync(header) && existsSync(join(directory, UNIT))
      ? /#define\s+MI_MALLOC_VERSION\s+(\d+)/.exec(readFileSync(header, "utf8"))
      : null;
    if (match?.[1] === undefined) {
      throw new BuildError(
        `Cannot build mimalloc from "${directory}": it is not mimalloc's source, which has ` +
          `${UNIT} and a version in include/mimalloc.h.`,
      );
    }
    return decodeMimallocVersion(Number(match[1]));
  },
  async build(job) {
    await job.run([
      ...job.toolchain.compiler,
      "-shared",
      "-o",
      job.output,
      ...MIMALLOC_RECIPE.flags(job.variant, job.target),
      `-Wl,-soname,${basename(job.output)}`,
      `-Wl,--version-script=${job.versionScript}`,
      "-Iinclude",
      UNIT,
    ]);
    const guarded = job.variant === "secure" && HEADERS.some((header) => {
      const path = join(job.directory, header);
      return existsSync(path) && readFileSync(path, "utf8").includes("MI_GUARDED");
    });
    return { features: [...VARIANT_FEATURES[job.variant], ...(guarded ? ["guarded"] : [])] };
  },
};
