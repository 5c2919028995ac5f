import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkLaunch, readPreloadLibrary } from "../../lib/run/check.ts";
import { MACH_O } from "../../lib/run/macho.ts";
import { MACH_O_RULES } from "../../lib/run/macho-rules.ts";
import { appendPreload, variantOf } from "../../lib/run/plan.ts";
import { LAUNCH_PLATFORMS, type LaunchPlatform, launchPlatform } from "../../lib/run/platforms.ts";
import { needsLink } from "../../lib/run/preload-path.ts";
import { followCommand } from "../../lib/run/follow-command.ts";
import type {
  DyldFacts,
  Launch,
  LaunchHost,
  PreloadLibrary,
  ProcessIdentity,
  ProgramFile,
} from "../../lib/run/types.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { refuses } from "../support/launch-fixtures.ts";
import { signMachO, type SignOptions } from "../support/make-macho.ts";
import { withZig, zigFixture } from "../support/zig.ts";

const DARWIN: LaunchPlatform = launchPlatform(undefined, "darwin");
const HOST: LaunchHost = { fileCapabilities: () => false, platform: DARWIN, arch: "arm64" };
const USER: ProcessIdentity = {
  uid: 501,
  euid: 501,
  gid: 20,
  egid: 20,
  noNewPrivileges: false,
};
const FLAG = { restrict: 0x800, libraryValidation: 0x2000, runtime: 0x10000 } as const;
const DYLD_VARIABLES = "<key>com.apple.security.cs.allow-dyld-environment-variables</key><true/>";
const NO_VALIDATION = "<key>com.apple.security.cs.disable-library-validation</key><true/>";

const directory = realpathSync(temporaryDirectory());

function write(name: string, content: Uint8Array | string): string {
  const path = join(directory, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, 0o755);
  return path;
}

function built(kind: "program" | "library", arch: "arm64" | "x64"): Uint8Array<ArrayBuffer> {
  const target = arch === "arm64" ? "aarch64-macos" : "x86_64-macos";
  const path = kind === "program"
    ? zigFixture("hello.c", "program", target, [])
    : zigFixture("hello.c", "libhello.dylib", target, ["-shared"]);
  return Uint8Array.from(readFileSync(path));
}

/** A universal file of parts for arm64 and x64, in that order. */
function universal(parts: readonly Uint8Array[]): Uint8Array {
  const PAGE = 16_384;
  const offsets: number[] = [];
  let end = PAGE;
  for (const { length } of parts) {
    offsets.push(end);
    end = Math.ceil((end + length) / PAGE) * PAGE;
  }
  const file = new Uint8Array(end);
  const view = new DataView(file.buffer);
  const words = [0xcafebabe, parts.length];
  parts.forEach((part, index) => {
    const { buffer, byteOffset } = part;
    const header = new DataView(buffer, byteOffset);
    const offset = offsets[index] ?? 0;
    words.push(header.getUint32(4, true), header.getUint32(8, true), offset, part.length, 14);
    file.set(part, offset);
  });
  words.forEach((word, index) => view.setUint32(index * 4, word));
  return file;
}

function follow(command: string, environment: Record<string, string> = {}): Launch {
  return followCommand({ command, args: ["a b"], environment, cwd: directory }, HOST);
}

function check(program: string, library: string, identity = USER): void {
  const found = follow(program);
  checkLaunch(found, [readPreloadLibrary(library, found)], identity);
}

test(
  "a program for macOS is followed to itself, and takes a library for its processor",
  withZig,
  () => {
    const program = write("program", built("program", "arm64"));
    const found = follow(program);
    assert.equal(found.path, program);
    assert.deepEqual(found.argv, [program, "a b"]);
    assert.equal(found.directory, null);
    assert.deepEqual(
      [found.program.format, found.program.arch, found.program.dyld?.cpu, found.program.libc],
      ["macho", "arm64", "arm64", null],
    );
    check(program, write("libhello.dylib", built("library", "arm64")));
  },
);

test(
  "a program and a library for different processors are distinguished, universal ones by their parts",
  withZig,
  () => {
    const [arm, x64] = [built("program", "arm64"), built("program", "x64")];
    const program = write("arm", arm);
    const intel = write("intel", x64);
    const both = write("both", universal([arm, x64]));
    const armLibrary = write("arm.dylib", built("library", "arm64"));
    const x64Library = write("x64.dylib", built("library", "x64"));
    const bothLibrary = write(
      "both.dylib",
      universal([built("library", "arm64"), built("library", "x64")]),
    );
    check(program, bothLibrary);
    check(intel, bothLibrary);
    check(intel, x64Library);
    check(both, armLibrary);
    refuses(
      () => check(intel, armLibrary),
      125,
      /runs as x86_64, and ".*arm\.dylib" is for arm64\. Build the library for darwin-x64\./,
    );
    refuses(
      () => check(both, x64Library),
      125,
      /runs as arm64, and ".*x64\.dylib" is for x86_64\./,
    );
    const translated = { ...HOST, arch: "x64" };
    const found = followCommand({ command: both, environment: {}, cwd: "/" }, translated);
    assert.equal(
      found.program.arch,
      "x64",
      "a translated runtime starts the part for its processor",
    );
  },
);

const SIGNATURES: readonly (SignOptions & { readonly what: string; readonly refusal?: RegExp })[] =
  [
    { what: "signed by nobody in particular" },
    { what: "of the system", platform: 1, refusal: /is signed as a part of macOS, so dyld drops/ },
    { what: "restricted", flags: FLAG.restrict, refusal: /is marked as restricted/ },
    {
      what: "hardened",
      flags: FLAG.runtime,
      refusal:
        /hardened runtime and without the entitlement .*allow-dyld-environment-variables, so/,
    },
    {
      what: "hardened, with library validation",
      flags: FLAG.runtime,
      entitlements: DYLD_VARIABLES,
      refusal: /libraries of its own team only .* is signed by nobody\./,
    },
    {
      what: "hardened, with another team",
      flags: FLAG.runtime,
      entitlements: DYLD_VARIABLES,
      team: "TEAM",
      refusal: /is signed by nobody\./,
    },
    {
      what: "hardened, with both entitlements",
      flags: FLAG.runtime,
      entitlements: DYLD_VARIABLES + NO_VALIDATION,
    },
    {
      what: "hardened, and without variables though libraries may be loaded",
      flags: FLAG.runtime,
      entitlements: NO_VALIDATION,
      refusal: /hardened runtime and without the entitlement com\.apple\.security\.cs\.allow-dyld/,
    },
    {
      what: "library validation by itself",
      flags: FLAG.libraryValidation,
      refusal: /library validation/,
    },
  ];

for (const { what, refusal, ...options } of SIGNATURES) {
  const how = refusal === undefined ? "runs" : "is refused";
  test(`a program that is ${what} ${how}`, withZig, () => {
    const program = write("signed", signMachO(built("program", "arm64"), options));
    const library = write("libhello.dylib", built("library", "arm64"));
    if (refusal === undefined) check(program, library);
    else refuses(() => check(program, library), 125, refusal);
  });
}

test(
  "library validation lets a library of the same team pass, and none of another",
  withZig,
  () => {
    const hardened = { flags: FLAG.runtime, entitlements: DYLD_VARIABLES, team: "OURS" };
    const program = write("signed", signMachO(built("program", "arm64"), hardened));
    const library = (team: string): string =>
      write(`${team}.dylib`, signMachO(built("library", "arm64"), { team }));
    check(program, library("OURS"));
    refuses(
      () => check(program, library("THEIRS")),
      125,
      /"[^"]*THEIRS\.dylib" is of team THEIRS\./,
    );
  },
);

test("a program with a __RESTRICT segment is refused", withZig, () => {
  const path = zigFixture("binary-program.c", "restricted", "aarch64-macos", [
    "-Wl,-undefined,dynamic_lookup",
  ]);
  const program = write("restricted", Uint8Array.from(readFileSync(path)));
  const library = write("libhello.dylib", built("library", "arm64"));
  refuses(() => check(program, library), 125, /is marked as restricted \(a segment __RESTRICT/);
});

/** A program as it would be read at a place on a Mac. */
function programAt(realPath: string, changes: Partial<DyldFacts> = {}): ProgramFile {
  return {
    path: realPath,
    format: "macho",
    bits: 64,
    arch: "arm64",
    littleEndian: true,
    libc: null,
    interpreter: "/usr/lib/dyld",
    interpreterExists: true,
    mode: 0o755,
    uid: 0,
    gid: 0,
    fileCapabilities: false,
    dyld: {
      realPath,
      cpu: "arm64",
      restricted: false,
      platformBinary: false,
      hardenedRuntime: false,
      allowsDyldVariables: false,
      libraryValidation: false,
      team: null,
      ...changes,
    },
  };
}

const LIBRARY: PreloadLibrary = {
  path: "/opt/lib/libx.dylib",
  format: "macho",
  bits: 64,
  arch: "arm64",
  littleEndian: true,
  libc: null,
  dyld: { slices: [{ arch: "arm64", cpu: "arm64" }], team: null },
};

function refusals(program: ProgramFile, library = LIBRARY, identity = USER): string[] {
  const subject = { program, called: "it", library, identity };
  return MACH_O_RULES.filter(({ refusal }) => refusal(subject) !== null).map(({ name }) => name);
}

test("what System Integrity Protection covers is refused, and /usr/local is not covered", () => {
  const places = [
    "/bin/sh",
    "/sbin/x",
    "/usr/bin/env",
    "/usr/sbin/x",
    "/usr/libexec/x",
    "/System/x",
  ];
  for (const path of places) {
    assert.deepEqual(refusals(programAt(path)), ["system-integrity"], path);
  }
  const free = [
    "/usr/local/bin/node",
    "/opt/homebrew/bin/node",
    "/Users/a/bin/x",
    "/binary",
    "/x/usr/bin/a",
  ];
  for (const path of free) assert.deepEqual(refusals(programAt(path)), [], path);
});

test("set-user-ID and set-group-ID programs are refused on macOS, too", () => {
  assert.deepEqual(refusals({ ...programAt("/x"), mode: 0o4755 }), ["set-user-id"]);
  assert.deepEqual(refusals({ ...programAt("/x"), mode: 0o2755 }), ["set-group-id"]);
  assert.deepEqual(refusals({ ...programAt("/x"), mode: 0o4755, uid: 501 }), []);
});

test("an arm64 library does not fit an arm64e program", () => {
  const program = programAt("/x", { cpu: "arm64e" });
  assert.deepEqual(refusals(program), ["machine"]);
  const both = [{ arch: "arm64", cpu: "arm64" }, { arch: "arm64", cpu: "arm64e" }];
  assert.deepEqual(refusals(program, { ...LIBRARY, dyld: { slices: both, team: null } }), []);
});

test("a script's env is not run on macOS: what it would execute is", withZig, () => {
  const program = write("bin/tool", built("program", "arm64"));
  write("env", built("program", "arm64"));
  const script = write("script", `#!${directory}/env -S NAME=value OTHER=1 tool --flag\nx`);
  const found = follow(script, { PATH: join(directory, "bin"), OTHER: "0" });
  assert.equal(found.path, program);
  assert.deepEqual(found.argv, ["tool", "--flag", script, "a b"]);
  assert.deepEqual(found.environment, {
    PATH: join(directory, "bin"),
    NAME: "value",
    OTHER: "1",
  });
  assert.equal(found.directory, null);
  assert.deepEqual(found.chain.map(({ kind, path }) => [kind, path]), [
    ["script", script],
    ["program", program],
  ]);
  const elsewhere = write("elsewhere", `#!${directory}/env -C ${directory}/bin ./tool\n`);
  assert.equal(follow(elsewhere).directory, join(directory, "bin"));
  const plain = write("plain", `#!${directory}/env tool --one --two\n`);
  assert.deepEqual(follow(plain, { PATH: join(directory, "bin") }).argv, [
    "tool",
    "--one",
    "--two",
    plain,
    "a b",
  ]);
  const dropping = write("dropping", `#!${directory}/env -u DYLD_INSERT_LIBRARIES tool\n`);
  refuses(
    () => follow(dropping),
    125,
    /makes "env" drop DYLD_INSERT_LIBRARIES\. Take -u DYLD_INSERT_LIBRARIES out/,
  );
});

test("damaged, foreign and 32-bit files end in a sentence", withZig, () => {
  const library = write("libhello.dylib", built("library", "arm64"));
  const program = write("program", built("program", "arm64"));
  const found = follow(program);
  const whole = built("program", "arm64");
  refuses(() => follow(write("cut", whole.subarray(0, 9000))), 126, /Mach-O file is truncated/);
  refuses(
    () => follow(write("old", Uint8Array.of(0xce, 0xfa, 0xed, 0xfe, 7, 0, 0, 0, 0))),
    126,
    /32 bits/,
  );
  refuses(() => follow(library), 126, /a Mach-O file, but not a program \(dylib\)/);
  refuses(
    () => follow(write("elf", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0, 0))),
    126,
    /known format/,
  );
  const inserts = (path: string) => () => readPreloadLibrary(path, found);
  refuses(inserts(program), 125, /not a shared library \(executable\)/);
  refuses(inserts(write("text", "text of a file")), 125, /is not a Mach-O shared library/);
  refuses(inserts(join(directory, "none")), 125, /it does not exist/);
  refuses(inserts(directory), 125, /not a regular file/);
  const cut = built("library", "arm64");
  refuses(
    inserts(write("cut.dylib", cut.subarray(0, cut.length - 1))),
    125,
    /is truncated or damaged/,
  );
});

test("a class file of Java is not taken for a universal program", () => {
  const head = (...bytes: number[]) => Uint8Array.of(0xca, 0xfe, 0xba, 0xbe, ...bytes);
  assert.equal(MACH_O.recognises(head(0, 0, 0, 2)), true);
  assert.equal(MACH_O.recognises(head(0, 0, 0, 52)), false);
  assert.equal(MACH_O.recognises(head()), false);
});

test("the build that serves a process is inserted, and macOS has no secure one", () => {
  assert.equal(variantOf({}, DARWIN), "preload");
  refuses(
    () => variantOf({ secure: true }, DARWIN),
    125,
    /^Cannot run a command with --secure: on macOS/,
  );
  const linux = launchPlatform(undefined, "linux");
  assert.equal(variantOf({}, linux), "preload");
  assert.equal(variantOf({ secure: true }, linux), "secure");
});

test("DYLD_INSERT_LIBRARIES is separated by colons alone", () => {
  assert.equal(DARWIN.preloadVariable, "DYLD_INSERT_LIBRARIES");
  assert.equal(appendPreload("/a b.dylib:", ["/c.dylib"], DARWIN), "/a b.dylib:/c.dylib");
  assert.equal(needsLink("/a b.dylib", DARWIN), false);
  assert.equal(needsLink("/a:b.dylib", DARWIN), true);
});

test("Windows refuses to launch, with the reason and what to do instead", () => {
  assert.equal(LAUNCH_PLATFORMS.win32, undefined);
  refuses(
    () => launchPlatform(undefined, "win32"),
    125,
    /^Cannot run a command under another allocator: Windows has no preload: .*openAllocator\(\).*WSL/,
  );
});
