/**
 * The program that misuses the heap, and the set-ups that it is run under.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { BUILT_ALLOCATORS, type BuiltAllocator } from "../../lib/allocators/mod.ts";
import { launchEnvironment } from "../../lib/run/plan.ts";
import { ROOT } from "../../tools/paths.ts";
import { manifestBeside } from "./manifests.ts";

/** The identifiers of the program's cases. */
export interface MisuseCase {
  /** The kind of misuse, such as `double free`. */
  readonly class: string;
  /** The way it is done. */
  readonly way: string;
  /** The size of the blocks: `small`, `medium`, `large` or `any`. */
  readonly size: string;
}

/** One way to serve the program's memory. */
export interface Setup {
  /** Its name in a table. */
  readonly title: string;
  /** The set-up that costs are compared with besides glibc; `null` for one that is not compared. */
  readonly plain: string | null;
  /** What the program is started with, beside the environment. */
  readonly variables: Readonly<Record<string, string>>;
}

const SOURCE = fileURLToPath(new URL("misuse.c", import.meta.url));
const PROGRAM = join(ROOT, "build", "bench", "misuse");

/** What would let the compiler see, warn of or leave out the misuse is off. */
const FLAGS: readonly string[] = [
  "-std=gnu11",
  "-O1",
  "-fno-builtin",
  "-U_FORTIFY_SOURCE",
  "-w",
];

/** Compiles the program; its path. */
export function buildMisuse(): string {
  mkdirSync(dirname(PROGRAM), { recursive: true });
  execFileSync("cc", [...FLAGS, SOURCE, "-o", PROGRAM], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  return PROGRAM;
}

/** The program's cases. */
export function listCases(program: string): MisuseCase[] {
  const lines = execFileSync(program, { encoding: "utf8" }).trim().split("\n");
  return lines.map((line) => {
    const [kind = "", way = "", size = ""] = line.split("\t");
    return { class: kind, way, size };
  });
}

function launched(
  allocator: BuiltAllocator,
  options: { readonly secure?: boolean; readonly library?: string },
): Setup {
  const variables = launchEnvironment({ allocator, ...options });
  const [library = ""] = (variables["LD_PRELOAD"] ?? "").split(":");
  const { version } = manifestBeside(library);
  const name = `${allocator} ${version}`;
  const secure = options.secure === true;
  return {
    title: secure ? `${name} --secure` : name,
    plain: secure ? name : null,
    variables,
  };
}

/**
 * glibc, both allocators as `offheap run` has them, and with `--secure`.
 *
 * @param more Further libraries of the secure variant.
 * @throws {LaunchError | LibraryLoadError} where one is missing.
 */
export function makeSetups(more: readonly string[] = []): Setup[] {
  if (process.env["LD_PRELOAD"] !== undefined) {
    throw new Error("Cannot compare set-ups: LD_PRELOAD is set already; unset it");
  }
  const glibc = execFileSync("getconf", ["GNU_LIBC_VERSION"], { encoding: "utf8" }).trim();
  return [
    { title: glibc, plain: null, variables: {} },
    launched("jemalloc", {}),
    launched("mimalloc", {}),
    launched("jemalloc", { secure: true }),
    launched("mimalloc", { secure: true }),
    ...more.map((library) => {
      const { allocator } = manifestBeside(library);
      const known = BUILT_ALLOCATORS.find((name) => name === allocator);
      if (known !== undefined) return launched(known, { secure: true, library });
      throw new Error(`Cannot take "${library}": it is ${allocator}, which serves no malloc`);
    }),
  ];
}
