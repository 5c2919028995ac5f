import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PeError, type PeFile, readPe, readPeExports } from "../../lib/binary/pe.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { readDamaged } from "../support/damage.ts";
import { llvmTool } from "../support/llvm.ts";
import { withZig, zigFixture } from "../support/zig.ts";

const readobj = llvmTool("llvm-readobj", withZig);

const TARGETS = { x64: "x86_64-windows-gnu", arm64: "aarch64-windows-gnu" } as const;
const ARCHES = ["x64", "arm64"] as const;

function library(arch: keyof typeof TARGETS): string {
  return zigFixture("binary-windows.c", "fixture.dll", TARGETS[arch], [
    ...["-shared", "-s", "-nostdlib", "-lkernel32"],
  ]);
}

const directory = temporaryDirectory();

function write(bytes: Uint8Array): string {
  const path = join(directory, "file");
  writeFileSync(path, bytes);
  return path;
}

function parsePe(bytes: Uint8Array): PeFile {
  return readPe(write(bytes));
}

/** Offsets of fields, from the signature "PE". */
const FIELD = {
  timeStamp: 8,
  characteristics: 22,
  magic: 24,
  subsystem: 92,
  dllCharacteristics: 94,
  directories: 136,
} as const;

interface Change {
  readonly view: DataView;
  readonly pe: number;
  /** Where in the file an address of the image is. */
  offsetOf(address: number): number;
}

/** A copy of a library in which some of its bytes are changed. */
function changed(arch: keyof typeof TARGETS, change: (at: Change) => void): Uint8Array {
  const bytes = Uint8Array.from(readFileSync(library(arch)));
  const view = new DataView(bytes.buffer);
  const pe = view.getUint32(0x3c, true);
  const sections = pe + 24 + view.getUint16(pe + 20, true);
  change({
    view,
    pe,
    offsetOf(address) {
      for (let index = 0; index < view.getUint16(pe + 6, true); index++) {
        const at = sections + 40 * index;
        const start = view.getUint32(at + 12, true);
        if (address < start || address >= start + view.getUint32(at + 16, true)) continue;
        return view.getUint32(at + 20, true) + address - start;
      }
      throw new Error("in no section");
    },
  });
  return bytes;
}

test("a library for each processor reads as it was built", withZig, () => {
  for (const arch of ARCHES) {
    const { timeStamp, ...file } = readPe(library(arch));
    assert.notEqual(timeStamp, 0);
    assert.deepEqual(file, {
      arch,
      type: "library",
      subsystem: "gui",
      needed: ["KERNEL32.dll"],
      delayed: [],
      dynamicBase: true,
      highEntropy: true,
      noExecute: true,
      reproducible: true,
      threadLocal: true,
    });
    const exports = readPeExports(library(arch));
    assert.deepEqual(
      exports.map(({ name, ordinal, forwarder }) => [name, ordinal, forwarder]),
      [["fixture_allocate", 1, null], ["fixture_next", 2, null], ["fixture_version", 3, null]],
    );
  }
});

test("exports, libraries, flags and time stamp are those that LLVM shows", readobj.options, () => {
  for (const arch of ARCHES) {
    const path = library(arch);
    const shown = readobj.tool(
      ...["--file-headers", "--coff-exports", "--coff-imports", "--coff-debug-directory", path],
    );
    const exports = [...shown.matchAll(/Ordinal: (\d+)\s+Name: (\S+)\s+RVA: (\S+)/g)]
      .map(([, ordinal, name, address]) => ({
        name,
        ordinal: Number(ordinal),
        address: Number(address),
        forwarder: null,
      }));
    assert.ok(exports.length > 0);
    assert.deepEqual(readPeExports(path), exports);
    const file = readPe(path);
    const has = (name: string): boolean => shown.includes(`IMAGE_${name} `);
    assert.deepEqual(file.needed, [...shown.matchAll(/Import \{\s+Name: (\S+)/g)].map((m) => m[1]));
    assert.equal(file.arch, has("FILE_MACHINE_ARM64") ? "arm64" : "x64");
    assert.equal(file.type, has("FILE_DLL") ? "library" : "executable");
    assert.equal(file.dynamicBase, has("DLL_CHARACTERISTICS_DYNAMIC_BASE"));
    assert.equal(file.highEntropy, has("DLL_CHARACTERISTICS_HIGH_ENTROPY_VA"));
    assert.equal(file.noExecute, has("DLL_CHARACTERISTICS_NX_COMPAT"));
    assert.equal(file.timeStamp, Number(/TimeDateStamp: .*\((\S+)\)/.exec(shown)?.[1]));
    assert.equal(file.reproducible, /Type: Repro /.test(shown));
    assert.equal(file.threadLocal, !/TLSTableRVA: 0x0/.test(shown));
  }
});

test("each flag is distinguished from the others, and a program from a library", withZig, () => {
  const original = readPe(library("x64"));
  const flags = { highEntropy: 0x20, dynamicBase: 0x40, noExecute: 0x100 };
  for (const [name, bit] of Object.entries(flags)) {
    const bytes = changed("x64", ({ view, pe }) => {
      const at = pe + FIELD.dllCharacteristics;
      view.setUint16(at, view.getUint16(at, true) & ~bit, true);
    });
    assert.deepEqual(parsePe(bytes), { ...original, [name]: false });
  }
  const program = changed("x64", ({ view, pe }) => {
    view.setUint16(pe + FIELD.characteristics, 0x22, true);
    view.setUint16(pe + FIELD.subsystem, 3, true);
  });
  const { type, subsystem } = parsePe(program);
  assert.deepEqual([type, subsystem], ["executable", "console"]);
  const without = changed("x64", ({ view, pe }) => {
    view.setUint32(pe + FIELD.directories + 8 * 9, 0, true);
  });
  assert.equal(parsePe(without).threadLocal, false);
});

test("a time stamp is reproducible when it is zero, or a hash by the debug entry", withZig, () => {
  const read = (stamp: number, entryType: number): boolean =>
    parsePe(changed("arm64", ({ view, pe, offsetOf }) => {
      view.setUint32(pe + FIELD.timeStamp, stamp, true);
      const debug = offsetOf(view.getUint32(pe + FIELD.directories + 8 * 6, true));
      view.setUint32(debug + 12, entryType, true);
    })).reproducible;
  assert.deepEqual([read(5, 16), read(0, 2), read(5, 2)], [true, true, false]);
});

test(
  "a forwarder is distinguished from a function, and libraries that are loaded late",
  withZig,
  () => {
    const path = write(changed("x64", ({ view, pe, offsetOf }) => {
      const address = view.getUint32(pe + FIELD.directories, true);
      const at = offsetOf(address);
      const functions = offsetOf(view.getUint32(at + 28, true));
      // The library's own name is in the table of exports: text, as a forwarder's is.
      view.setUint32(functions, view.getUint32(at + 12, true), true);
      // An address of a function and one of an import, as the table of late libraries has them.
      const imports = offsetOf(view.getUint32(pe + FIELD.directories + 8, true));
      const late = pe + FIELD.directories + 8 * 13;
      view.setUint32(late, view.getUint32(pe + FIELD.directories + 8, true) + 8, true);
      view.setUint32(late + 4, 64, true);
      view.setUint32(imports + 8 + 4 + 32, 0, true);
    }));
    const [first, second] = readPeExports(path);
    assert.deepEqual([first?.address, first?.forwarder], [null, "fixture.dll"]);
    assert.equal(second?.forwarder, null);
    assert.deepEqual(readPe(path).delayed, ["KERNEL32.dll"]);
  },
);

test("what is no PE file that can be read is refused by name", withZig, () => {
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [new Uint8Array(0), /it is not a PE file\.$/],
    [new TextEncoder().encode("\x7fELF".padEnd(200)), /it is not a PE file\.$/],
    [
      changed("x64", ({ view, pe }) => view.setUint32(pe, 0x454e)),
      /it is a DOS program, not a PE file\.$/,
    ],
    [
      changed("x64", ({ view, pe }) => view.setUint16(pe + FIELD.magic, 0x10b, true)),
      /it is a PE file of 32 bits\.$/,
    ],
    [
      changed("x64", ({ view, pe }) => view.setUint16(pe + FIELD.magic, 0x107, true)),
      /the PE file is truncated or damaged\.$/,
    ],
  ];
  for (const [bytes, message] of cases) {
    assert.throws(() => parsePe(bytes), { name: "PeError", code: "ERR_OFFHEAP_PE", message });
  }
  assert.throws(() => readPe(join(directory, "missing")), { code: "ENOENT" });
});

test("directories past the end of their header are refused", withZig, () => {
  const shortened = changed("x64", ({ view, pe }) => {
    // No sections and nothing to read in them, so that nothing else is amiss.
    view.setUint16(pe + 6, 0, true);
    for (let index = 0; index < 16; index++) {
      view.setUint32(pe + FIELD.directories + 8 * index, 0, true);
    }
    view.setUint16(pe + 20, 112, true);
  });
  assert.throws(() => parsePe(shortened), PeError);
});

test("a library that is truncated anywhere is refused", withZig, () => {
  for (const arch of ARCHES) {
    const bytes = Uint8Array.from(readFileSync(library(arch)));
    for (let end = 0; end < bytes.length; end += 7) {
      assert.throws(() => parsePe(bytes.subarray(0, end)), PeError, `${end} bytes`);
    }
    assert.throws(() => parsePe(bytes.subarray(0, bytes.length - 1)), PeError);
  }
});

test("damaged files end in a PeError or a reading, never in another error", withZig, () => {
  const original = Uint8Array.from(readFileSync(library("x64")));
  const read = (bytes: Uint8Array): void => {
    const path = write(bytes);
    readPe(path);
    readPeExports(path);
  };
  assert.ok(readDamaged(original, 700, 400, read, PeError) > 0, "some must be noticed");
  assert.ok(readDamaged(original, original.length, 400, read, PeError) > 0);
});
