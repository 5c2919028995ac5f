import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ElfError } from "../../lib/binary/elf.ts";
import { readElfVersions } from "../../packages/build/check/elf-versions.ts";
import { BuildError } from "../../lib/errors.ts";
import type { LibcName, Target } from "../../lib/library/target.ts";
import { targetName } from "../../lib/library/target.ts";
import { checkLibrary, type Expectation } from "../../packages/build/check/library.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { THOROUGH } from "../support/effort.ts";
import { readDamaged } from "../support/damage.ts";
import { llvmTool } from "../support/llvm.ts";
import { findCommands, makeFat } from "../support/make-macho.ts";
import { withZig, zigFixture } from "../support/zig.ts";

const readobj = llvmTool("llvm-readobj", withZig);

function target(platform: string, arch: string, libc: LibcName | null = null): Target {
  return { name: targetName(platform, arch, libc), platform, arch, libc };
}

const SHARED = ["-shared"];
const ELF = [
  ...SHARED,
  ...["-fPIC", "-ftls-model=local-dynamic"],
  ...["-Wl,-Bsymbolic", "-Wl,-z,nodelete", "-Wl,-z,now", "-Wl,-soname,libfixture.so"],
];
const MACHO = [...SHARED, "-Wl,-install_name,@rpath/libfixture.dylib"];
const PE = [...SHARED, "-s", "-nostdlib", "-lkernel32"];

interface Case {
  readonly target: Target;
  readonly zig: string;
  readonly source: string;
  readonly file: string;
  readonly flags: readonly string[];
}

function elf(where: Target, zig: string): Case {
  return { target: where, zig, source: "binary-library.c", file: "libfixture.so", flags: ELF };
}

function linux(arch: string, libc: LibcName, zig: string): Case {
  return elf(target("linux", arch, libc), zig);
}

function darwin(arch: string, zig: string): Case {
  const file = "libfixture.dylib";
  return { target: target("darwin", arch), zig, source: "binary-library.c", file, flags: MACHO };
}

function windows(arch: string, zig: string): Case {
  const file = "fixture.dll";
  return { target: target("win32", arch), zig, source: "binary-windows.c", file, flags: PE };
}

const CASES = {
  x64: linux("x64", "glibc", "x86_64-linux-gnu.2.17"),
  arm64: linux("arm64", "glibc", "aarch64-linux-gnu.2.17"),
  x64Musl: linux("x64", "musl", "x86_64-linux-musl"),
  arm64Musl: linux("arm64", "musl", "aarch64-linux-musl"),
  freebsd: elf(target("freebsd", "x64"), "x86_64-freebsd"),
  macos: darwin("arm64", "aarch64-macos"),
  macosX64: darwin("x64", "x86_64-macos"),
  windows: windows("x64", "x86_64-windows-gnu"),
  windowsArm64: windows("arm64", "aarch64-windows-gnu"),
} as const;

function build({ zig, source, file, flags }: Case, more: readonly string[] = []): string {
  return zigFixture(source, file, zig, [...flags, ...more]);
}

const EXPECTED: Expectation = {
  name: "offheap",
  variant: "release",
  required: ["fixture_allocate", "fixture_next", "fixture_version"],
  optional: ["fixture_local", "fixture_absent"],
  glibcFloor: "2.17",
};

const directory = temporaryDirectory();

/** What a check says of a file, without the path. */
function problems(path: string, where: Target, expectation: Partial<Expectation> = {}): string {
  try {
    checkLibrary(path, where, { ...EXPECTED, ...expectation });
    return "";
  } catch (error) {
    assert.ok(error instanceof BuildError, String(error));
    const start = `Cannot use the library that was built, "${path}": `;
    assert.ok(error.message.startsWith(start), error.message);
    return error.message.slice(start.length);
  }
}

/** A copy of a file in which some of its bytes are changed. */
function changed(path: string, change: (view: DataView, bytes: Uint8Array) => void): string {
  const bytes = Uint8Array.from(readFileSync(path));
  change(new DataView(bytes.buffer), bytes);
  const copy = join(directory, "changed");
  writeFileSync(copy, bytes);
  return copy;
}

test("a library that was built well for each target passes", withZig, () => {
  // For each target zig first compiles what its libraries begin with.
  const { freebsd, arm64, arm64Musl, windowsArm64, ...usual } = CASES;
  const others = THOROUGH ? [freebsd, arm64, arm64Musl, windowsArm64] : [];
  for (const row of [...Object.values(usual), ...others]) {
    assert.equal(problems(build(row), row.target), "", row.target.name);
    const exports = checkLibrary(build(row), row.target, EXPECTED);
    assert.ok(EXPECTED.required.every((name) => exports.includes(name)), row.target.name);
  }
});

test("a library for another processor is refused in each format", withZig, () => {
  const pairs = [
    [CASES.x64, CASES.arm64],
    [CASES.macosX64, CASES.macos],
    [CASES.windows, CASES.windowsArm64],
  ] as const;
  for (const [one, other] of pairs) {
    assert.equal(problems(build(one), other.target), "it is for another processor.");
  }
});

test(
  "exports that are missing or too many are named, all problems in one sentence",
  withZig,
  () => {
    for (const row of [CASES.x64, CASES.macos, CASES.windows]) {
      const found = problems(build(row), row.target, {
        required: ["fixture_next", "first", "second"],
        optional: ["fixture_local", "fixture_version"],
      });
      assert.equal(
        found,
        "it does not export first, second; it exports besides fixture_allocate.",
        row.target.name,
      );
    }
  },
);

test("a library that asks for more than the system has is refused", withZig, () => {
  const musl = build(CASES.x64Musl);
  assert.equal(problems(musl, CASES.x64.target), "it needs besides libc.so.");
  assert.equal(
    problems(build(CASES.x64), CASES.x64Musl.target),
    "it needs besides libc.so.6, ld-linux-x86-64.so.2.",
  );
  const user = readFileSync(build(CASES.windows)).indexOf("KERNEL32.dll");
  const windows = changed(build(CASES.windows), (_, bytes) => {
    bytes.set(new TextEncoder().encode("OTHER"), user);
  });
  assert.equal(problems(windows, CASES.windows.target), "it needs besides OTHERL32.dll.");
  const needed = ["OTHERL32.dll"];
  assert.equal(problems(windows, CASES.windows.target, { needed }), "");
  const macos = changed(build(CASES.macosX64), (view, bytes) => {
    const [at] = findCommands(bytes, 0xc);
    assert.ok(at !== undefined);
    bytes.set(new TextEncoder().encode("/opt"), at + view.getUint32(at + 8, true));
  });
  assert.equal(
    problems(macos, CASES.macosX64.target),
    "it needs besides /opt/lib/libSystem.B.dylib.",
  );
});

test("a newer glibc than the floor is refused, unless the machine's own will do", withZig, () => {
  const old = build(CASES.x64);
  const name = readFileSync(old).indexOf("GLIBC_2.2.5\0");
  const needing = (version: string): string =>
    changed(old, (_, bytes) => bytes.set(new TextEncoder().encode(`${version}\0`), name));
  const newer = needing("GLIBC_2.34");
  assert.equal(
    problems(newer, CASES.x64.target),
    "it needs GLIBC_2.34 of libc.so.6, above 2.17.",
  );
  assert.equal(problems(newer, CASES.x64.target, { glibcFloor: "2.34" }), "");
  assert.equal(problems(newer, CASES.x64.target, { glibcFloor: null }), "");
  assert.equal(
    problems(needing("GLIBC_ABCD"), CASES.x64.target, { glibcFloor: "2.99" }),
    "it needs GLIBC_ABCD of libc.so.6, above 2.99.",
  );
});

test("the needed versions are those that LLVM shows", readobj.options, () => {
  const rows = THOROUGH ? [CASES.arm64] : [];
  const musl = build(CASES.x64Musl);
  const paths = [build(CASES.x64), ...rows.map((row) => build(row)), musl];
  // A program of the machine, which asks for several versions of one library.
  for (const path of [...paths, "/bin/cat"]) {
    const shown = readobj.tool("--version-info", path);
    const listed = [...shown.matchAll(/FileName: (\S+)([^\]]*)/g)].flatMap(([, library]) =>
      library
    );
    const versions = readElfVersions(path);
    assert.deepEqual([...new Set(versions.map(({ library }) => library))], listed);
    const names = [...shown.slice(shown.indexOf("VersionRequirements")).matchAll(/ Name: (\S+)/g)];
    assert.deepEqual(versions.map(({ version }) => version), names.map(([, name]) => name));
    assert.equal(versions.length === 0, path === musl);
  }
});

test("damaged needed versions end in an ElfError or a reading", withZig, () => {
  const original = Uint8Array.from(readFileSync(build(CASES.x64)));
  const refused = readDamaged(original, 1400, 500, (bytes) => {
    const path = join(directory, "damaged");
    writeFileSync(path, bytes);
    readElfVersions(path);
  }, ElfError);
  assert.ok(refused > 0, "some of the damage must be noticed");
});

test("needed versions that run in circles are refused", withZig, () => {
  const path = changed(build(CASES.x64), (view) => {
    // The entry of the first of two libraries: of layout 1, for one version, which comes after
    // both. That has no successor: as the first of many it would come again and again.
    let at = 0;
    while (view.getUint32(at, true) !== 0x10001 || view.getUint32(at + 8, true) !== 32) at += 4;
    view.setUint16(at + 2, 0xffff, true);
  });
  assert.throws(() => readElfVersions(path), ElfError);
});

test("each property that an ELF library lacks is named", withZig, () => {
  const without = (flag: string): readonly string[] => ELF.filter((word) => !word.includes(flag));
  const cases = [
    [without("nodelete"), "it is not marked NODELETE."],
    [[...without("now"), "-Wl,-z,lazy"], "its symbols are not bound when it is loaded."],
    [without("symbolic"), "it is not linked with -Bsymbolic."],
    [
      [...without("tls-model"), "-ftls-model=initial-exec"],
      "it uses static TLS, so opening it may fail.",
    ],
  ] as const;
  for (const [flags, problem] of cases) {
    assert.equal(problems(build({ ...CASES.x64, flags }), CASES.x64.target), problem);
  }
  const flags = [...without("tls-model"), "-ftls-model=initial-exec"];
  const preload = build({ ...CASES.x64, flags });
  assert.equal(problems(preload, CASES.x64.target, { variant: "preload" }), "");
  const program = changed(build(CASES.x64), (view) => view.setUint16(16, 2, true));
  assert.equal(problems(program, CASES.x64.target), "it is not a shared library.");
});

test("each property that a library for macOS lacks is named", withZig, () => {
  const { target: arm64 } = CASES.macos;
  const path = build(CASES.macos);
  const [signature] = findCommands(Uint8Array.from(readFileSync(path)), 0x1d);
  const [version] = findCommands(Uint8Array.from(readFileSync(path)), 0x32);
  assert.ok(signature !== undefined && version !== undefined);
  const view = new DataView(Uint8Array.from(readFileSync(path)).buffer);
  const directory = view.getUint32(signature + 8, true) + 20;
  const page = "page 0, at 0, is not what was signed";
  const cases = [
    [(view: DataView) => view.setUint32(signature, 0x7000, true), "it has no code signature."],
    [
      (view: DataView) => view.setUint32(directory + 12, 0x20000),
      "its code signature is not ad hoc.",
    ],
    [(view: DataView) => view.setUint32(version + 8, 2, true), `it is not for macOS; ${page}.`],
    [(view: DataView) => view.setUint32(12, 8, true), `it is not a shared library; ${page}.`],
    [(view: DataView) => view.setUint8(20000, 1 ^ view.getUint8(20000)), /^page 1, at 16384, is/],
  ] as const;
  for (const [change, problem] of cases) {
    const found = problems(changed(path, change), arm64);
    if (typeof problem === "string") assert.equal(found, problem);
    else assert.match(found, problem);
  }
  const both = join(temporaryDirectory(), "both");
  writeFileSync(both, makeFat([Uint8Array.from(readFileSync(path))], 32));
  assert.equal(problems(both, arm64), "");
  const x64 = Uint8Array.from(readFileSync(build(CASES.macosX64)));
  writeFileSync(both, makeFat([Uint8Array.from(readFileSync(path)), x64], 32));
  assert.match(problems(both, arm64), /it is for several processors/);
  const absolute = [...SHARED, "-Wl,-install_name,/home/me/libfixture.dylib"];
  assert.equal(
    problems(build({ ...CASES.macos, flags: absolute }), arm64),
    "its install name is a path of the machine that built it.",
  );
  const interposing = build({ ...CASES.macos, source: "binary-program.c" });
  const required = ["main"];
  assert.equal(problems(interposing, arm64, { required }), "it interposes functions.");
  assert.equal(problems(interposing, arm64, { required, variant: "preload" }), "");
});

test("each property that a library for Windows lacks is named", withZig, () => {
  const path = build(CASES.windows);
  const at = (view: DataView, field: number): number => view.getUint32(0x3c, true) + field;
  const clear = (bit: number) => (view: DataView): void => {
    const flags = view.getUint16(at(view, 94), true);
    view.setUint16(at(view, 94), flags & ~bit, true);
  };
  const cases = [
    [clear(0x20), "it has to be loaded below 4 GiB."],
    [clear(0x40), "it has to be loaded at one address."],
    [clear(0x100), "its data may be executed."],
    [
      (view: DataView) => view.setUint16(at(view, 22), 0x22, true),
      "it is not a shared library.",
    ],
    [
      (view: DataView) => view.setUint32(at(view, 136 + 8 * 6), 0, true),
      "it has the time of its build in it.",
    ],
  ] as const;
  for (const [change, problem] of cases) {
    assert.equal(problems(changed(path, change), CASES.windows.target), problem);
  }
});

test(
  "a library that is larger than its limit is refused, but not one for debugging",
  withZig,
  () => {
    const copy = join(directory, "large");
    copyFileSync(build(CASES.x64), copy);
    appendFileSync(copy, new Uint8Array(200_001));
    assert.match(problems(copy, CASES.x64.target), /^it has \d{6} bytes, more than 200000\.$/);
    assert.equal(problems(copy, CASES.x64.target, { variant: "debug" }), "");
    assert.equal(problems(copy, CASES.x64.target, { name: "mimalloc" }), "");
  },
);

test(
  "an empty file, a file of another format or for an unknown system is refused",
  withZig,
  () => {
    const empty = join(directory, "empty");
    writeFileSync(empty, "");
    for (const row of [CASES.x64, CASES.macos, CASES.windows]) {
      assert.throws(() => checkLibrary(empty, row.target, EXPECTED), {
        name: "BuildError",
        message: /^Cannot use the library that was built\. Cannot read ".*empty": it is not an? /,
      });
    }
    assert.throws(() => checkLibrary(build(CASES.x64), CASES.macos.target, EXPECTED), {
      name: "BuildError",
      message: /it is not a Mach-O file\.$/,
    });
    assert.equal(
      problems(empty, target("plan9", "x64")),
      "no check is known for plan9-x64.",
    );
  },
);
