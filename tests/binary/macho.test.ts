import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ByteReader, sliceSource } from "../../lib/binary/bytes.ts";
import { MachOError, type MachOFile, readMachO } from "../../lib/binary/macho.ts";
import { readMachOExports } from "../../packages/build/check/macho-exports.ts";
import { verifyMachOSignature } from "../../packages/build/check/macho-hashes.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { readDamaged } from "../support/damage.ts";
import { llvmTool } from "../support/llvm.ts";
import { findCommands, makeFat, signMachO } from "../support/make-macho.ts";
import { withZig, zigFixture } from "../support/zig.ts";

const objdump = llvmTool("llvm-objdump", withZig);
const readobj = llvmTool("llvm-readobj", withZig);

const TARGETS = { arm64: "aarch64-macos", x64: "x86_64-macos" } as const;
const DYLD_INFO = 0x80000022;
const BUILD_VERSION = 0x32;
const NEUTRAL = 0x7000;

function library(arch: keyof typeof TARGETS): string {
  return zigFixture("binary-library.c", "libfixture.dylib", TARGETS[arch], [
    "-shared",
    "-Wl,-install_name,@rpath/libfixture.dylib",
  ]);
}

/** A program that needs the library, which may be missing. */
function program(): string {
  const directory = join(library("arm64"), "..");
  return zigFixture("binary-program.c", "program", TARGETS.arm64, [
    `-L${directory}`,
    "-weak-lfixture",
  ]);
}

const directory = temporaryDirectory();

function write(bytes: Uint8Array): string {
  const path = join(directory, "file");
  writeFileSync(path, bytes);
  return path;
}

function parseMachO(bytes: Uint8Array, arch?: string): MachOFile {
  return readMachO(write(bytes), arch);
}

function bytesOf(path: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(readFileSync(path));
}

/** A copy of a file in which some of its bytes are changed. */
function changed(path: string, change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = bytesOf(path);
  change(new DataView(bytes.buffer), bytes);
  return bytes;
}

function commandAt(path: string, command: number): number {
  const [at] = findCommands(bytesOf(path), command);
  assert.ok(at !== undefined);
  return at;
}

const EXPORTS = [
  ["__dso_handle", "regular", false],
  ["_mh_dylib_header", "regular", false],
  ["fixture_allocate", "regular", true],
  ["fixture_local", "thread-local", false],
  ["fixture_next", "regular", false],
  ["fixture_version", "regular", false],
];

test("a library for each processor reads as it was built", withZig, () => {
  for (const arch of ["arm64", "x64"] as const) {
    const file = readMachO(library(arch));
    assert.deepEqual(
      [file.arch, file.type, file.installName, file.threadLocal, file.interposes],
      [arch, "dylib", "@rpath/libfixture.dylib", true, false],
    );
    assert.deepEqual(file.needed.map(({ name, kind }) => [name, kind]), [
      ["/usr/lib/libSystem.B.dylib", "load"],
    ]);
    assert.equal(file.minimum?.platform, "macos");
    assert.equal(file.restrictSection, false);
    assert.deepEqual(
      readMachOExports(library(arch)).map(({ name, kind, weak }) => [name, kind, weak]),
      EXPORTS,
    );
  }
});

test("a program's weak libraries, interposing and restricted sections are seen", withZig, () => {
  const file = readMachO(program());
  assert.deepEqual(
    [file.type, file.installName, file.interposes, file.restrictSection, file.threadLocal],
    ["executable", null, true, true, false],
  );
  assert.deepEqual(file.needed.map(({ name, kind }) => [name, kind]), [
    ["@rpath/libfixture.dylib", "weak"],
    ["/usr/lib/libSystem.B.dylib", "load"],
  ]);
});

test(
  "exports and their addresses, libraries with versions, UUID and system are those that LLVM shows",
  objdump.options,
  () => {
    for (const path of [library("arm64"), library("x64"), program()]) {
      const shown = objdump.tool("--macho", "--private-headers", "--exports-trie", path);
      // LLVM adds the address that the file asks for.
      const base = Number(/segname __TEXT\n\s+vmaddr (\S+)/.exec(shown)?.[1]);
      const listed = [...shown.matchAll(/^(0x[0-9A-F]+)\s+_(\S+)(.*)$/gm)]
        .map(([, address, name = "", marks = ""]) => ({
          name,
          kind: marks.includes("[per-thread]") ? "thread-local" : "regular",
          weak: marks.includes("[weak_def]"),
          address: Number(address) - base,
        }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      assert.ok(listed.length > 0);
      assert.deepEqual(readMachOExports(path), listed);

      const file = readMachO(path);
      const dylibs = [...shown.matchAll(
        /cmd LC_(LOAD|LOAD_WEAK)_DYLIB$[^]*?name (\S+)[^]*?current version (\S+)\n\S+ version (\S+)/gm,
      )].map(([, kind, name, currentVersion, compatibilityVersion]) => ({
        name,
        kind: kind === "LOAD" ? "load" : "weak",
        currentVersion,
        compatibilityVersion,
      }));
      assert.deepEqual(file.needed, dylibs);
      assert.equal(file.uuid, /uuid (\S+)/.exec(shown)?.[1]);
      assert.deepEqual(file.minimum, {
        platform: /platform (\S+)/.exec(shown)?.[1],
        version: /minos (\S+)/.exec(shown)?.[1],
        sdk: /sdk (\S+)/.exec(shown)?.[1],
      });
      assert.equal(file.signature !== null, shown.includes("LC_CODE_SIGNATURE"));
    }
  },
);

test("the processor and type are those that llvm-readobj shows", readobj.options, () => {
  for (const path of [library("arm64"), library("x64"), program()]) {
    const shown = readobj.tool("--file-headers", path);
    const { arch, type } = readMachO(path);
    assert.equal(arch, /CpuType: Arm64/.test(shown) ? "arm64" : "x64");
    assert.equal(type, /FileType: Execut/.test(shown) ? "executable" : "dylib");
  }
});

test("the exports trie of newer files and the symbol table give the same names", withZig, () => {
  const path = library("arm64");
  const trie = readMachOExports(path);
  const at = commandAt(path, DYLD_INFO);
  // The same place by LC_DYLD_EXPORTS_TRIE, and the rest of the command by one that says nothing.
  const newer = changed(path, (view) => {
    const place = [view.getUint32(at + 40, true), view.getUint32(at + 44, true)];
    const words = [0x80000033, 16, ...place, NEUTRAL, 32];
    words.forEach((word, index) => view.setUint32(at + 4 * index, word, true));
    view.setUint32(16, view.getUint32(16, true) + 1, true);
  });
  assert.deepEqual(readMachOExports(write(newer)), trie);
  const without = changed(path, (view) => view.setUint32(at, NEUTRAL, true));
  const table = readMachOExports(write(without));
  assert.deepEqual(
    table.map(({ name, address, weak }) => [name, address, weak]),
    trie.map(({ name, address, weak }) => [name, address, weak]),
  );
  const of = program();
  const ofProgram = commandAt(of, DYLD_INFO);
  const untold = changed(of, (view) => view.setUint32(ofProgram, NEUTRAL, true));
  assert.deepEqual(
    readMachOExports(write(untold)).map(({ name, address }) => [name, address]),
    readMachOExports(of).map(({ name, address }) => [name, address]),
  );
  const hidden = changed(path, (view) => {
    view.setUint32(at, NEUTRAL, true);
    const symbols = view.getUint32(commandAt(path, 0x2) + 8, true);
    let last = symbols;
    while (view.getUint8(last + 4) !== 0x0f) last += 16;
    // Private to the file, though external among its parts.
    view.setUint8(last + 4, 0x1f);
  });
  assert.equal(readMachOExports(write(hidden)).length, trie.length - 1);
  const empty = changed(path, (view) => view.setUint32(at + 44, 0, true));
  assert.deepEqual(readMachOExports(write(empty)), []);
});

test("the kinds of needed libraries and the older mark of a version are read", withZig, () => {
  const path = library("arm64");
  const load = commandAt(path, 0xc);
  const kinds = { 0x8000001f: "reexport", 0x80000023: "upward", 0x20: "lazy" };
  for (const [command, kind] of Object.entries(kinds)) {
    const file = parseMachO(changed(path, (view) => view.setUint32(load, Number(command), true)));
    assert.deepEqual(file.needed.map((library) => library.kind), [kind]);
  }
  const at = commandAt(path, BUILD_VERSION);
  const older = changed(path, (view) => {
    const words = [0x24, 16, 0x000a0f07, 0x000b0000, NEUTRAL, view.getUint32(at + 4, true) - 16];
    words.forEach((word, index) => view.setUint32(at + 4 * index, word, true));
    view.setUint32(16, view.getUint32(16, true) + 1, true);
  });
  assert.deepEqual(parseMachO(older).minimum, {
    platform: "macos",
    version: "10.15.7",
    sdk: "11.0",
  });
  const none = changed(path, (view) => view.setUint32(at, NEUTRAL, true));
  assert.equal(parseMachO(none).minimum, null);
});

test(
  "the signature that the linker made is ad hoc and valid; there is none for x64",
  withZig,
  () => {
    for (const path of [library("arm64"), program()]) {
      const { signature } = readMachO(path);
      assert.deepEqual(
        [signature?.adHoc, signature?.linkerSigned, signature?.hash, signature?.team],
        [true, true, "sha256", null],
      );
      assert.deepEqual(verifyMachOSignature(path), []);
    }
    assert.equal(readMachO(library("x64")).signature, null);
    assert.deepEqual(verifyMachOSignature(library("x64")), ["it has no code signature"]);
  },
);

test("one altered byte in a signed page is found, and the page named", withZig, () => {
  const original = bytesOf(library("arm64"));
  const limit = new DataView(original.buffer).getUint32(
    commandAt(library("arm64"), 0x1d) + 8,
    true,
  );
  // zig's linker hashes pages of 16 KiB.
  const pageBytes = 16384;
  for (const at of [2 * pageBytes + 17, pageBytes, limit - 1]) {
    const bytes = original.slice();
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    const page = Math.floor(at / pageBytes);
    assert.deepEqual(verifyMachOSignature(write(bytes)), [
      `page ${page}, at ${page * pageBytes}, is not what was signed`,
    ]);
  }
});

test(
  "each hash type, several code directories and each size of a page are verified",
  withZig,
  () => {
    const original = bytesOf(library("arm64"));
    const cases = [
      { hashTypes: [1], hash: "sha1", lines: 1 },
      { hashTypes: [3], hash: "sha256", lines: 1 },
      { hashTypes: [4], pageBits: 14, hash: "sha384", lines: 1 },
      { hashTypes: [2], pageBits: 0, hash: "sha256", lines: 1 },
      { hashTypes: [1, 2], entitlements: "<plist/>", hash: "sha256", lines: 2 },
    ];
    for (const { hash, lines, ...options } of cases) {
      const bytes = signMachO(original, options);
      const path = write(bytes);
      assert.equal(readMachO(path).signature?.hash, hash);
      assert.deepEqual(verifyMachOSignature(path), [], JSON.stringify(options));
      bytes[5000] = (bytes[5000] ?? 0) ^ 1;
      assert.equal(verifyMachOSignature(write(bytes)).length, lines, JSON.stringify(options));
    }
  },
);

test(
  "a signature that covers less than the file, or other entitlements, is not valid",
  withZig,
  () => {
    const original = bytesOf(library("arm64"));
    const at = commandAt(library("arm64"), 0x1d);
    const start = new DataView(original.buffer).getUint32(at + 8, true);
    const directory = start + 20;
    const less = original.slice();
    new DataView(less.buffer).setUint32(directory + 32, 4096);
    assert.match(
      verifyMachOSignature(write(less)).join(),
      /^its signature covers 4096 bytes, but /,
    );
    const pages = original.slice();
    new DataView(pages.buffer).setUint32(directory + 28, 3);
    assert.match(verifyMachOSignature(write(pages)).join(), /^its signature has hashes of 3 pages/);
    const type = original.slice();
    type[directory + 37] = 9;
    assert.match(verifyMachOSignature(write(type)).join(), /hashes of an unknown type, 9$/);
    const size = original.slice();
    size[directory + 36] = 16;
    assert.match(verifyMachOSignature(write(size)).join(), /hashes of an unknown type, 2$/);
    const signed = signMachO(original, { entitlements: "<key>a</key><true/>" });
    const bare = signed.slice();
    // Two parts are listed before the code directory.
    new DataView(bare.buffer).setUint32(start + 12 + 8 * 2 + 24, 0);
    assert.deepEqual(verifyMachOSignature(write(bare)), [
      "the signature's slot 5 is not what was signed",
    ]);
    const place = Buffer.from(signed).indexOf("<key>a<");
    signed[place + 5] = 0x62;
    assert.deepEqual(verifyMachOSignature(write(signed)), [
      "the signature's slot 5 is not what was signed",
    ]);
  },
);

test("what keeps DYLD variables away is read: flags, platform, team, entitlements", withZig, () => {
  const original = bytesOf(program());
  const DYLD = "com.apple.security.cs.allow-dyld-environment-variables";
  const VALIDATION = "com.apple.security.cs.disable-library-validation";
  const read = (options: Parameters<typeof signMachO>[1]): unknown[] => {
    const { signature } = parseMachO(signMachO(original, options));
    assert.ok(signature);
    return [
      ...[signature.adHoc, signature.hardenedRuntime, signature.libraryValidation],
      ...[signature.restricted, signature.platformBinary, signature.team],
      ...[signature.allowsDyldVariables, signature.disablesLibraryValidation],
    ];
  };
  const none = [false, false, false, false, false, null, false, false];
  const but = (index: number, value: unknown): unknown[] =>
    none.map((old, at) => (at === index ? value : old));
  assert.deepEqual(read({ flags: 0 }), none);
  assert.deepEqual(read({ flags: 0x2 }), but(0, true));
  assert.deepEqual(read({ flags: 0x10000 }), but(1, true));
  assert.deepEqual(read({ flags: 0x2000 }), but(2, true));
  assert.deepEqual(read({ flags: 0x800 }), but(3, true));
  assert.deepEqual(read({ flags: 0, platform: 15 }), but(4, true));
  assert.deepEqual(read({ flags: 0, team: "ABCDE12345" }), but(5, "ABCDE12345"));
  const granted = (key: string): string => `<dict><key>${key}</key>\n\t<true/></dict>`;
  assert.deepEqual(read({ flags: 0, entitlements: granted(DYLD) }), but(6, true));
  assert.deepEqual(read({ flags: 0, entitlements: granted(VALIDATION) }), but(7, true));
  const refused = `<dict><key>${DYLD}</key><false/><key>x</key><true/></dict>`;
  assert.deepEqual(read({ flags: 0, entitlements: refused }), none);
  const text = parseMachO(signMachO(original, { entitlements: refused })).signature?.entitlements;
  assert.equal(text, refused);
});

test("of a universal file the wanted slice is read, else the runtime's own", withZig, () => {
  const parts = [bytesOf(library("x64")), signMachO(bytesOf(library("arm64")))];
  for (const bits of [32, 64] as const) {
    const fat = makeFat(parts, bits);
    const path = write(fat);
    const own = process.arch === "arm64" ? "arm64" : "x64";
    assert.equal(readMachO(path).arch, own);
    for (const [arch, name] of [["x64", "x64"], ["x86_64", "x64"], ["arm64", "arm64"]] as const) {
      const file = readMachO(path, arch);
      assert.deepEqual([file.arch, file.slices.map(({ cpu }) => cpu)], [name, ["x86_64", "arm64"]]);
      assert.deepEqual(
        readMachOExports(path, arch).map(({ name }) => name),
        EXPORTS.map(([name]) => name),
      );
    }
    assert.deepEqual(verifyMachOSignature(path, "arm64"), []);
    assert.throws(() => readMachO(path, "arm64e"), {
      name: "MachOError",
      message: `Cannot read "${path}" for arm64e: it is for x86_64, arm64.`,
    });
    assert.throws(() => parseMachO(fat.subarray(0, fat.length - 4096)), MachOError);
  }
  assert.throws(() => readMachO(library("x64"), "arm64"), {
    message: /for arm64: it is for x86_64/,
  });
});

test(
  "arm64e is distinguished from arm64, and taken for it only where that is missing",
  withZig,
  () => {
    const plain = bytesOf(library("arm64"));
    const own = changed(library("arm64"), (view) => view.setUint32(8, 0x80000002, true));
    const both = makeFat([own, plain], 32);
    assert.equal(parseMachO(both, "arm64").cpu, "arm64");
    assert.equal(parseMachO(both, "arm64e").cpu, "arm64e");
    const file = parseMachO(makeFat([own], 32), "arm64");
    assert.deepEqual([file.arch, file.cpu], ["arm64", "arm64e"]);
  },
);

test("what is no Mach-O file that can be read is refused by name", () => {
  const words = (...values: number[]): Uint8Array => {
    const bytes = new Uint8Array(64);
    values.forEach((value, index) => new DataView(bytes.buffer).setUint32(4 * index, value));
    return bytes;
  };
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [new Uint8Array(0), /it is not a Mach-O file\.$/],
    [new Uint8Array([0xcf, 0xfa, 0xed]), /it is not a Mach-O file\.$/],
    [new TextEncoder().encode("#!/bin/sh\nexit 0\n"), /it is not a Mach-O file\.$/],
    // A class file of Java 8 has the magic number of universal files.
    [words(0xcafebabe, 52), /it is not a Mach-O file\.$/],
    [words(0xcefaedfe), /it is a Mach-O file of 32 bits or of another byte order\.$/],
    [words(0xfeedfacf), /it is a Mach-O file of 32 bits or of another byte order\.$/],
    [words(0xcafebabe, 0), /it is for none\.$/],
  ];
  for (const [bytes, message] of cases) {
    assert.throws(() => parseMachO(bytes), { name: "MachOError", message });
  }
  assert.throws(() => readMachO(join(directory, "missing")), { code: "ENOENT" });
});

test("a library that is truncated anywhere is refused", withZig, () => {
  for (const arch of ["arm64", "x64"] as const) {
    const bytes = bytesOf(library(arch));
    const step = Math.ceil(bytes.length / 300);
    for (let end = 4; end < bytes.length; end += end < 300 ? 1 : step) {
      assert.throws(() => parseMachO(bytes.subarray(0, end)), MachOError, `${end} bytes`);
    }
    assert.throws(() => parseMachO(bytes.subarray(0, bytes.length - 1)), MachOError);
  }
});

test("damaged files end in a MachOError or a reading, never in another error", withZig, () => {
  const read = (bytes: Uint8Array): void => {
    const path = write(bytes);
    readMachO(path);
    readMachOExports(path);
    verifyMachOSignature(path);
  };
  const header = readDamaged(bytesOf(library("arm64")), 1400, 400, read, MachOError);
  assert.ok(header > 0, "some of the damage must be noticed");
  // The trie and the signature are at the end: turned to the front for the damage.
  const original = bytesOf(library("arm64"));
  const tail = 1200;
  const start = original.length - tail;
  const noticed = readDamaged(original.slice(start), tail, 400, (end) => {
    const bytes = original.slice();
    bytes.set(end, start);
    read(bytes);
  }, MachOError);
  assert.ok(noticed > 0, "some of the damage must be noticed");
});

test("an exports trie that runs in circles is refused", withZig, () => {
  const path = library("arm64");
  const at = commandAt(path, DYLD_INFO);
  const bytes = changed(path, (view, all) => {
    // No export here, and one child by the edge "a": the root itself.
    all.set([0, 1, 0x61, 0, 0], view.getUint32(at + 40, true));
  });
  assert.throws(() => readMachOExports(write(bytes)), MachOError);
});

test("sizes and numbers that point out of their tables are refused", withZig, () => {
  const path = library("arm64");
  const [signature] = findCommands(bytesOf(path), 0x1d);
  const linkEdit = findCommands(bytesOf(path), 0x19).at(-1);
  assert.ok(signature !== undefined && linkEdit !== undefined);
  const directory = (view: DataView): number => view.getUint32(signature + 8, true) + 20;
  const changes: readonly ((view: DataView) => void)[] = [
    // A load command without a size, one past the end of all, sections past the end of their command.
    (view) => {
      view.setUint32(32, NEUTRAL, true);
      view.setUint32(36, 0, true);
    },
    (view) => view.setUint32(20, 100, true),
    (view) => view.setUint32(linkEdit + 64, 2, true),
    // A part of the signature, its hashes, its number of parts.
    (view) => view.setUint32(directory(view) + 4, 100_000),
    (view) => view.setUint32(directory(view) + 24, 1000),
    (view) => view.setUint32(directory(view) - 12, 1000),
  ];
  for (const [index, change] of changes.entries()) {
    assert.throws(() => parseMachO(changed(path, change)), MachOError, `change ${index}`);
  }
  assert.throws(() => ByteReader.of(new Uint8Array(4), true).bytes(2, 4), RangeError);
});

test("an export with a name longer than any is refused", withZig, () => {
  const path = library("arm64");
  const at = commandAt(path, DYLD_INFO);
  const original = bytesOf(path);
  const withName = (length: number): string => {
    const trie: number[] = [];
    // Two nodes with an edge of half the name each, and the export at the end.
    for (let node = 1; node <= 2; node++) {
      const child = node * (length / 2 + 6);
      trie.push(0, 1, ...new Array<number>(length / 2).fill(0x61), 0);
      trie.push((child & 0x7f) | 0x80, ((child >> 7) & 0x7f) | 0x80, child >> 14);
    }
    trie.push(2, 0, 0, 0);
    const bytes = new Uint8Array(original.length + trie.length);
    bytes.set(original);
    bytes.set(trie, original.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(at + 40, original.length, true);
    view.setUint32(at + 44, trie.length, true);
    return write(bytes);
  };
  assert.equal(readMachOExports(withName(60_000))[0]?.name.length, 60_000);
  assert.throws(() => readMachOExports(withName(80_000)), MachOError);
});

test("a slice of a file ends where it ends, and not with the file", () => {
  const bytes = Uint8Array.from({ length: 10 }, (_, index) => index);
  const whole = { size: 10, read: (at: number, length: number) => bytes.subarray(at, at + length) };
  const slice = sliceSource(whole, 2, 4);
  assert.deepEqual([...slice.read(0, 10)], [2, 3, 4, 5]);
  assert.deepEqual([...slice.read(3, 2)], [5]);
  assert.equal(slice.read(4, 1).length, 0);
  assert.throws(() => sliceSource(whole, 8, 3), RangeError);
});
