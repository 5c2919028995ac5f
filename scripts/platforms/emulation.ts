/**
 * What a row's programs need here: another system's files, an emulator, a C compiler for it. All
 * of it is fetched or made below `build`.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { debianRoot } from "../../tools/packages/debian.ts";
import { pinnedPackage } from "../../tools/packages/npm-package.ts";
import { ROOT } from "../../tools/paths.ts";
import { type NamespaceContents, namespacePrefix, requireNamespace } from "./namespace.ts";
import type { Way } from "./types.ts";

/** How programs of a row are started. */
export interface Emulation {
  /** The words in front of a command. */
  readonly prefix: readonly string[];
  /** Variables of its processes. */
  readonly variables: Readonly<Record<string, string>>;
  /** Where a runtime's binary has to be; a copy is made when it is elsewhere. */
  readonly place: (binary: string) => string;
  /** What they call the repository's root, where that is another name. */
  readonly root?: string;
  /** Remarks for the report. */
  readonly notes: readonly string[];
}

/** Where this script keeps what it made. */
const STORE: string = join(ROOT, "build", "platforms");
const SOURCES: string = join(ROOT, "scripts", "platforms");
const ZIG: string = join(ROOT, "node_modules", ".bin", "zig");
/** Without the sanitizer, whose runtime zig would first make for each target. */
const ZIG_FLAGS = "-fno-sanitize=undefined";

/**
 * Where wine's programs look for the server of their prefix; in a namespace everyone is root. A second
 * one must not find the first one's: that server would know processes by IDs that mean others
 * here, and it ends with its namespace.
 */
const WINE_SERVERS = "/tmp/.wine-0";

/** Debian's release whose archives of libstdc++ are linked for musl, and its gcc. */
const GCC = { suite: "bookworm", version: "12" };
const KOFFI = "3.3.4";

/** Names of one processor in npm, Debian, GNU and zig. */
interface Processor {
  readonly debian: "amd64" | "arm64";
  readonly machine: "x86_64" | "aarch64";
}

const X64: Processor = { debian: "amd64", machine: "x86_64" };
const ARM64: Processor = { debian: "arm64", machine: "aarch64" };

/**
 * Gets ready what a way needs.
 *
 * @throws {Error} when it cannot be had here; the message is the reason, in words.
 */
export function prepare(way: Way): Emulation {
  switch (way) {
    case "qemu":
      return arm64Glibc();
    case "musl":
      return musl(X64);
    case "qemu-musl":
      return musl(ARM64);
    case "wine":
      return wine();
    default:
      return { prefix: [], variables: {}, place: (binary) => binary, notes: [] };
  }
}

function arm64Glibc(): Emulation {
  const system = debianRoot([
    "libc6:arm64",
    "libgcc-s1:arm64",
    "libstdc++6:arm64",
    "libatomic1:arm64",
  ]);
  const contents = {
    roots: [compilerRoot("aarch64-linux-gnu.2.17"), debianRoot(["qemu-user-static"]), system],
    arm64: true,
    modules: modules(["@koromix/koffi-linux-arm64"]),
  };
  return inNamespace(contents, [
    "qemu-user in a private namespace, where the kernel runs arm64 programs by binfmt_misc: " +
    "`offheap run` and the programs that tests start run as on arm64",
  ]);
}

function musl(processor: Processor): Emulation {
  const emulated = processor === ARM64;
  const contents = {
    roots: [
      compilerRoot(`${processor.machine}-linux-musl`),
      standardLibrary(processor),
      ...(emulated ? [debianRoot(["qemu-user-static"])] : []),
      debianRoot([emulated ? "musl:arm64" : "musl"]),
    ],
    arm64: emulated,
  };
  return inNamespace(contents, [
    "Debian's musl in its place in a private namespace; libstdc++ for it linked from Debian's " +
    "static archives",
  ]);
}

/** What runs in a private namespace, with compilers for what it emulates. */
function inNamespace(contents: NamespaceContents, notes: readonly string[]): Emulation {
  requireNamespace(contents);
  return {
    prefix: namespacePrefix(contents),
    variables: compilerVariables(),
    place: (binary) => binary,
    notes,
  };
}

function wine(): Emulation {
  const contents = {
    roots: [debianRoot(["wine64", "libwine"], { dependencies: true })],
    alone: true,
    own: WINE_SERVERS,
  };
  requireNamespace(contents);
  const home = join(STORE, "wine");
  mkdirSync(home, { recursive: true });
  return {
    prefix: [...namespacePrefix(contents), "/usr/lib/wine/wine64"],
    variables: {
      WINEPREFIX: join(home, "prefix"),
      WINEDEBUG: "-all",
      // Debian's zlib for wine's own libraries; without it user32 and shell32 do not load.
      WINEDLLPATH: "/usr/x86_64-w64-mingw32/lib",
      WINEDLLOVERRIDES: "mscoree,mshtml=;bcryptprimitives=n,b",
      DISPLAY: "",
      // npm names a Node by these; Bun follows them, and wine 8 lacks what it calls to do so.
      NODE: "",
      npm_node_execpath: "",
    },
    place: (binary) => withRandomNumbers(binary, join(home, "bin")),
    root: `Z:${ROOT}`,
    notes: ["Bun for Windows under Debian's wine, in a private namespace"],
  };
}

/** Wine 8 lacks the library that Bun takes random numbers from: ours is beside the program. */
function withRandomNumbers(binary: string, directory: string): string {
  const copy = join(directory, "bun.exe");
  const library = join(directory, "bcryptprimitives.dll");
  mkdirSync(directory, { recursive: true });
  const source = join(SOURCES, "bcryptprimitives.c");
  if (!isNewer(library, source)) {
    zig(["cc", "-target", "x86_64-windows-gnu", "-shared", "-O1", source, "-ladvapi32"], library);
  }
  if (!existsSync(copy)) {
    try {
      linkSync(binary, copy);
    } catch {
      cpSync(binary, copy); // on another disk
    }
  }
  return copy;
}

/** A root with musl's libstdc++, and the file by which musl's linker looks there. */
function standardLibrary(processor: Processor): string {
  const root = join(STORE, `libstdc++-${processor.machine}-musl`);
  const file = join(root, "usr", "lib", "offheap-musl", "libstdc++.so.6");
  if (!isNewer(file, join(SOURCES, "musl-stubs.c"))) {
    const names = [`libstdc++-${GCC.version}-dev`, `libgcc-${GCC.version}-dev`];
    const archives = debianRoot(names.map((name) => `${name}:${processor.debian}`), {
      suite: GCC.suite,
    });
    const place = join(archives, "usr/lib/gcc", `${processor.machine}-linux-gnu`, GCC.version);
    const flags = ["cc", "-target", `${processor.machine}-linux-musl`, "-shared", "-fPIC", "-O1"];
    const parts = ["libstdc++.a", "libgcc_eh.a"].map((name) => join(place, name));
    zig([
      ...flags,
      join(SOURCES, "musl-stubs.c"),
      "-Wl,--whole-archive",
      ...parts,
      "-Wl,--no-whole-archive",
      join(place, "libgcc.a"),
      "-Wl,-soname,libstdc++.so.6",
    ], file);
  }
  const paths = join(root, "etc", `ld-musl-${processor.machine}.path`);
  mkdirSync(dirname(paths), { recursive: true });
  const system = `/lib/${processor.machine}-linux-musl`;
  writeFileSync(paths, `/usr/lib/offheap-musl\n${system}\n/usr${system}\n/usr/local/lib\n`);
  return root;
}

/** A root with a `cc` that compiles for the row: the tests compile what they look at. */
function compilerRoot(triple: string): string {
  const root = join(STORE, `cc-${triple}`);
  const directory = join(root, "usr", "local", "bin");
  mkdirSync(directory, { recursive: true });
  const script = `#!/bin/sh\nexec "$OFFHEAP_ZIG" cc -target ${triple} ${ZIG_FLAGS} "$@"\n`;
  for (const name of ["cc", "gcc"]) writeFileSync(join(directory, name), script, { mode: 0o755 });
  return root;
}

function compilerVariables(): Record<string, string> {
  const path = process.env["PATH"] ?? "/usr/bin:/bin";
  return {
    OFFHEAP_ZIG: ZIG,
    ZIG_GLOBAL_CACHE_DIR: join(STORE, "zig-cache"),
    PATH: `/usr/local/bin:${path}`,
  };
}

/** A directory that has these packages by their names, for a namespace's `node_modules`. */
function modules(names: readonly string[]): string {
  const directory = join(STORE, "modules");
  for (const name of names) {
    const link = join(directory, name);
    if (existsSync(link)) continue;
    const found = pinnedPackage(name, KOFFI);
    mkdirSync(dirname(link), { recursive: true });
    rmSync(link, { force: true });
    symlinkSync(found, link);
  }
  return directory;
}

function isNewer(file: string, source: string): boolean {
  return existsSync(file) && statSync(file).mtimeMs >= statSync(source).mtimeMs;
}

/** Runs zig and puts the file that it made into its place, complete or not at all. */
function zig(words: readonly string[], output: string): void {
  mkdirSync(dirname(output), { recursive: true });
  const work = mkdtempSync(`${output}-`);
  try {
    const made = join(work, "made");
    execFileSync(ZIG, [...words, ZIG_FLAGS, "-o", made], {
      env: { ...process.env, ZIG_GLOBAL_CACHE_DIR: join(STORE, "zig-cache") },
      stdio: ["ignore", "ignore", "pipe"],
      timeout: 300_000,
    });
    renameSync(made, output);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
