/**
 * Running jemalloc's configure. With zig, which takes long to start, its small programs are most of
 * what a build for all targets costs: so there are few of them, and they are cheap.
 *
 * @module
 */
import { join } from "node:path";
import { BuildError } from "../../../lib/errors.ts";
import type { Target } from "../../../lib/library/target.ts";
import { objectFormat } from "./link.ts";
import type { LibraryBuild } from "../types.ts";

/** What a run of configure depends on. */
export interface ConfigureRequest {
  /** Configure's own options. */
  readonly options: readonly string[];
  /** Compiler flags that put other headers before the system's. */
  readonly headers: readonly string[];
  /** Whether the library is linked with `-s`. */
  readonly strips: boolean;
}

const LONG_SIZES: Readonly<Record<string, string>> = { win32: "4" };
const LONG_SIZE_DEFAULT = "8";

/**
 * What is known of every target for which zig builds: they have 64 bits, the low byte first. Asked,
 * configure would find it by 46 programs, a quarter of all; {@linkcode SIZE_CHECKS} proves it.
 */
function knownAnswers({ platform }: Target): Record<string, string> {
  return {
    ac_cv_sizeof_void_p: "8",
    ac_cv_sizeof_int: "4",
    ac_cv_sizeof_long: LONG_SIZES[platform] ?? LONG_SIZE_DEFAULT,
    ac_cv_sizeof_long_long: "8",
    ac_cv_sizeof_intmax_t: "8",
    ac_cv_c_bigendian: "no",
  };
}

const SIZES: Readonly<Record<string, string>> = {
  "void *": "PTR",
  "int": "INT",
  "long": "LONG",
  "long long": "LONG_LONG",
  "intmax_t": "INTMAX_T",
};

/** Lines of C after jemalloc's headers that compile only if the answers were true. */
export const SIZE_CHECKS: readonly string[] = [
  ...Object.entries(SIZES).map(([type, name]) =>
    `_Static_assert(sizeof(${type}) == 1 << LG_SIZEOF_${name}, "the size of ${type}");`
  ),
  '_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the order of bytes");',
];

/**
 * What the small programs are compiled with besides. Zig makes parts of a C library when they are
 * first asked for, again for each way of building: without `-dynamic` all of musl (two minutes),
 * without the library's own `-s` all of mingw-w64 a second time (two minutes), and without an
 * option for the sanitizer, which is on where nothing is optimised, its runtime (20 seconds).
 */
function programFlags({ target }: LibraryBuild, strips: boolean): readonly string[] {
  return [
    "-fno-sanitize=undefined",
    ...(strips ? ["-s"] : []),
    ...(target.libc === "musl" ? ["-dynamic"] : []),
  ];
}

/** Whether configure printed that it has something. */
export function configured(printed: string, name: string): boolean {
  return new RegExp(`^${name}\\s*: 1$`, "m").test(printed);
}

interface CrossSettings {
  readonly args: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

/** What configure is given besides when zig is the compiler. */
function crossSettings(build: LibraryBuild, strips: boolean): CrossSettings {
  const { target, toolchain: { cross }, shared } = build;
  if (cross === null) return { args: [], variables: {} };
  return {
    args: [
      `--host=${cross.host}`,
      // A target's variants that are compiled alike get the same answers: the second asks little.
      ...(shared === null
        ? []
        : [`--cache-file=${join(shared, `jemalloc-configure${strips ? "-s" : ""}.cache`)}`]),
    ],
    variables: {
      ...knownAnswers(target),
      // Zig's own unwinder, which goes into the library: the C library's may not be asked for.
      ...(objectFormat(target) === "elf" ? { LIBS: "-lunwind" } : {}),
    },
  };
}

/**
 * Runs configure; what it printed.
 *
 * @throws {BuildError} when it fails, or chose an unwinder that crashes.
 */
export async function configure(
  build: LibraryBuild,
  { options, headers, strips }: ConfigureRequest,
): Promise<string> {
  const { compiler, cross } = build.toolchain;
  const { args, variables } = crossSettings(build, strips);
  const flags = cross === null ? [] : programFlags(build, strips);
  const printed = await build.run(["./configure", ...args, ...options], {
    CC: [...compiler, ...flags, ...headers].join(" "),
    ...variables,
  });
  if (configured(printed, "prof-gcc")) {
    throw new BuildError(
      "Cannot build jemalloc: its configure chose the unwinder prof-gcc, which crashes when " +
        "profiling is on. Use gcc, or a clang with libgcc or libunwind.",
    );
  }
  return printed;
}
