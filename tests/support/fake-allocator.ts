/**
 * A source that builds like mimalloc's within a moment, and compilers that wait or count.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import process from "node:process";
import { OPERATOR_SYMBOLS } from "../../ffi/overrides.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { MIMALLOC_RECIPE } from "../../packages/build/recipe/mimalloc.ts";
import { temporaryDirectory } from "./compile.ts";
import { builtLibrary } from "./runtime.ts";

/** What the operators call that is not exported. */
const INTERNAL: readonly string[] = ["mi_free_size"];

/** How the source differs from one that is right. */
export interface FakeSource {
  /** The number in the header. */
  readonly version?: number;
  /** The number that `mi_version()` answers. */
  readonly answer?: number;
  /** A symbol that is left out. */
  readonly without?: string;
  /** More C code. */
  readonly more?: string;
}

/** A function of any type; the C library's own under another name, as the unit has its headers, too. */
function definitionOf(name: string): string {
  return name.startsWith("mi_")
    ? `EXPORT void *${name}() { return 0; }\n`
    : `EXPORT void *fake_${name}(void) __asm__("${name}");\nvoid *fake_${name}(void) { return 0; }\n`;
}

/** Writes a source directory that the recipe of mimalloc builds, and gives its path. */
export function fakeMimalloc(fake: FakeSource = {}): string {
  const { version = 209, answer = version, without, more = "" } = fake;
  const directory = join(temporaryDirectory(), "fake");
  for (const name of ["include", "src"]) mkdirSync(join(directory, name), { recursive: true });
  writeFileSync(join(directory, "include/mimalloc.h"), `#define MI_MALLOC_VERSION ${version}\n`);
  const functions = [...MIMALLOC_RECIPE.exports(hostTarget(), "release").required, ...INTERNAL]
    .filter((name) => name !== without && name !== "mi_version" && !OPERATOR_SYMBOLS.includes(name))
    .map(definitionOf);
  writeFileSync(
    join(directory, "src/static.c"),
    '#define EXPORT __attribute__((visibility("default")))\n' +
      `${functions.join("")}EXPORT int mi_version(void) { return ${answer}; }\n` +
      `EXPORT int leaked(void) { return 1; }\n${more}\n`,
  );
  return directory;
}

/** A fresh output directory in which the shim is already: compiling it takes seconds. */
export function outputWithShim(...more: readonly "debug"[]): string {
  const directory = join(temporaryDirectory(), "out");
  for (const variant of ["release", ...more]) {
    const place = variant === "release" ? directory : join(directory, variant);
    const shim = builtLibrary("offheap", variant);
    mkdirSync(place);
    if (!existsSync(shim)) continue;
    for (const file of [shim, `${shim}.json`]) copyFileSync(file, join(place, basename(file)));
  }
  return directory;
}

/** A compiler, the value of `CC`, that has the shim already, and makes it for all to write to. */
export function compilerWithShim(): string {
  const command = join(temporaryDirectory(), "shim-cc");
  writeFileSync(
    command,
    '#!/bin/sh\ncase "$3" in */liboffheap.so)\n' +
      `  cat '${builtLibrary("offheap")}' > "$3" && exec chmod 777 "$3" ;;\n` +
      'esac\nexec cc "$@"\n',
    { mode: 0o755 },
  );
  return command;
}

/** A compiler that logs each compilation of the fake, and may wait in it. */
export interface HeldCompiler {
  /** The value of `CC`. */
  readonly command: string;
  /** A file with a line for each compilation: the process ID. */
  readonly log: string;
  /** Waits until a compilation waits at the gate; the number of its process group. */
  arrived(): Promise<number>;
  /** Ends a wait for a compilation that does not come; its process group is then 0. */
  ring(): void;
  /** Lets a compilation that waits go on. */
  open(): void;
}

/** Makes a compiler that waits at a gate in each compilation of an allocator. */
export function heldCompiler(): HeldCompiler {
  const directory = temporaryDirectory();
  const command = join(directory, "held-cc");
  const log = join(directory, "log");
  const gate = join(directory, "gate");
  const bell = join(directory, "bell");
  execFileSync("mkfifo", [gate, bell]);
  writeFileSync(
    command,
    "#!/bin/sh\n" +
      'case "$*" in *static.c*)\n' +
      `  echo $$ >> '${log}'\n  echo $$ > '${bell}'\n  read line < '${gate}' ;;\n` +
      "esac\nfor name in gcc cc clang; do\n" +
      '  command -v "$name" > /dev/null && exec "$name" "$@"\ndone\n',
    { mode: 0o755 },
  );
  // Before the directory with the log goes.
  process.prependOnceListener("exit", () => endHeld(log));
  return {
    command,
    log,
    arrived: async () => Number(await readFile(bell, "utf8")),
    // Opened for reading, too, a pipe that nobody reads does not hold up its writer.
    ring: () => writeFileSync(bell, "0\n", { flag: "r+" }),
    open: () => writeFileSync(gate, "go\n"),
  };
}

/** Ends the compilers that a test which failed has left at the gate. */
function endHeld(log: string): void {
  if (!existsSync(log)) return;
  for (const group of readFileSync(log, "utf8").trim().split("\n")) {
    try {
      process.kill(-Number(group), "SIGKILL");
    } catch {
      // It has ended, as it should have.
    }
  }
}

/** A directory that has these programs and no other, to be a whole `PATH`. */
export function pathWith(names: readonly string[]): string {
  const directory = temporaryDirectory();
  for (const name of names) {
    const found = execFileSync("/bin/sh", ["-c", `command -v ${name}`], {
      encoding: "utf8",
      env: { PATH: process.env["PATH"] ?? "" },
    });
    symlinkSync(found.trim(), join(directory, name));
  }
  return directory;
}
