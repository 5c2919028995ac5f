import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import {
  ElfError,
  type ElfFile,
  findElfExports,
  readElf,
  readElfExports,
} from "../../lib/binary/elf.ts";
import { findFunctions } from "../../lib/binary/elf-functions.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { skipUnless } from "../support/skip.ts";

const onLinux = skipUnless(process.platform === "linux", "ELF files are Linux's");
const library = compileShared("conformance.c", "libelf-test.so");

function tool(name: string, ...args: string[]): string {
  return execFileSync(name, args, { encoding: "utf8", maxBuffer: 2 ** 28 });
}

function hasBinutils(): boolean {
  try {
    return tool("readelf", "--version") !== "" && tool("nm", "--version") !== "";
  } catch {
    return false;
  }
}

const withBinutils = skipUnless(hasBinutils(), "needs readelf and nm, of the package binutils");

/** The least ELF file: a header and program headers. */
function makeElf(options: {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  readonly machine: number;
  readonly interpreter?: string;
}): Uint8Array {
  const { bits, littleEndian, machine, interpreter } = options;
  const wide = bits === 64;
  const [headerSize, entrySize] = wide ? [64, 56] : [52, 32];
  const text = new TextEncoder().encode(`${interpreter ?? ""}\0`);
  const bytes = new Uint8Array(headerSize + entrySize + text.length);
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: number): void =>
    wide
      ? view.setBigUint64(at, BigInt(value), littleEndian)
      : view.setUint32(at, value, littleEndian);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, littleEndian ? 1 : 2, 1]);
  view.setUint16(16, 2, littleEndian);
  view.setUint16(18, machine, littleEndian);
  word(wide ? 32 : 28, headerSize);
  view.setUint16(wide ? 54 : 42, entrySize, littleEndian);
  view.setUint16(wide ? 56 : 44, interpreter === undefined ? 0 : 1, littleEndian);
  view.setUint32(headerSize, 3, littleEndian);
  word(headerSize + (wide ? 8 : 4), headerSize + entrySize);
  word(headerSize + (wide ? 32 : 16), text.length);
  bytes.set(text, headerSize + entrySize);
  return bytes;
}

const written = join(temporaryDirectory(), "written");

function parseElf(bytes: Uint8Array): ElfFile {
  writeFileSync(written, bytes);
  return readElf(written);
}

test(
  "the exports of the C library, the runtime and a small library are those that nm lists",
  withBinutils,
  () => {
    const maps = readFileSync("/proc/self/maps", "utf8");
    const libc = /\S*\/libc\.so\.6$|\S*\/ld-musl\S*$/m.exec(maps)?.[0];
    assert.ok(libc, "the C library must be in the maps");
    for (const path of [library, libc, process.execPath]) {
      const lines = tool("nm", "-D", "--defined-only", path).split("\n");
      const listed = lines
        .map((line) => line.trim().split(/\s+/))
        // A is an absolute symbol: the name of a version.
        .filter(([, type, name]) => name !== undefined && type !== "A")
        .map(([, , name = ""]) => name.replace(/@.*$/, ""));
      const names = new Set(readElfExports(path).map((symbol) => symbol.name));
      assert.deepEqual([...names].sort(), [...new Set(listed)].sort(), path);
    }
  },
);

test(
  "an export's address, size, type and binding are those that readelf shows",
  withBinutils,
  () => {
    const listed = tool("readelf", "--dyn-syms", "--wide", library).split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([number, , , type, , , section]) =>
        /^\d+:$/.test(number ?? "") && type === "FUNC" && section !== "UND"
      )
      .map(([, value = "", size, , binding = "", , , name]) => ({
        name,
        binding: binding.toLowerCase(),
        type: "function",
        value: Number.parseInt(value, 16),
        size: Number(size),
      }))
      .sort((a, b) => ((a.name ?? "") < (b.name ?? "") ? -1 : 1));
    assert.ok(listed.length > 0);
    assert.deepEqual(readElfExports(library), listed);
  },
);

test("the runtime's own program reads as readelf shows it", withBinutils, () => {
  const file = readElf(process.execPath);
  const shown = tool(
    "readelf",
    "--file-header",
    "--program-headers",
    "--dynamic",
    "--wide",
    process.execPath,
  );
  assert.equal(file.interpreter, /interpreter: (.*)\]/.exec(shown)?.[1] ?? null);
  const needed = [...shown.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1]);
  assert.deepEqual(file.needed, needed);
  assert.equal(file.bits, /Class:\s+ELF64/.test(shown) ? 64 : 32);
  assert.equal(file.pie, /Flags:.*\bPIE\b/.test(shown));
  assert.equal(file.bindNow, /\(FLAGS\).*BIND_NOW|\(FLAGS_1\).*NOW/.test(shown));
  const tls = /^\s+TLS\s+\S+\s+\S+\s+\S+\s+\S+\s+(\S+)/m.exec(shown)?.[1];
  assert.equal(file.tlsBytes, Number(tls ?? 0));
  assert.equal(file.arch, process.arch);
});

test(
  "flags of the linker show in a library: nodelete, now, Bsymbolic, static TLS, the name",
  onLinux,
  () => {
    const plain = readElf(library);
    assert.deepEqual(
      [
        plain.type,
        plain.interpreter,
        plain.soname,
        plain.noDelete,
        plain.symbolic,
        plain.staticTls,
      ],
      ["shared", null, null, false, false, false],
    );
    const directory = temporaryDirectory();
    const source = join(directory, "tls.c");
    writeFileSync(source, "__thread int counter; int next(void) { return ++counter; }\n");
    const output = join(directory, "libtls.so");
    tool(
      "cc",
      ...["-shared", "-fPIC", "-ftls-model=initial-exec", source, "-o", output],
      ...["-Wl,-z,nodelete", "-Wl,-z,now", "-Wl,-Bsymbolic", "-Wl,-soname,libname.so.1"],
    );
    const file = readElf(output);
    assert.deepEqual(
      [file.soname, file.noDelete, file.bindNow, file.symbolic, file.staticTls, file.tlsBytes],
      ["libname.so.1", true, true, true, true, 4],
    );
  },
);

test("files of 32 and 64 bits, of both byte orders, with and without an interpreter are read", () => {
  const cases = [
    { bits: 32, littleEndian: true, machine: 40, arch: "arm" },
    { bits: 32, littleEndian: false, machine: 8, arch: "mips" },
    { bits: 64, littleEndian: false, machine: 22, arch: "s390x" },
    { bits: 64, littleEndian: true, machine: 183, arch: "arm64" },
    { bits: 64, littleEndian: true, machine: 9999, arch: "machine 9999" },
  ] as const;
  for (const { arch, ...options } of cases) {
    const file = parseElf(makeElf({ ...options, interpreter: "/lib/ld.so.1" }));
    assert.deepEqual(
      [file.bits, file.littleEndian, file.arch, file.type, file.interpreter, file.dynamic],
      [options.bits, options.littleEndian, arch, "executable", "/lib/ld.so.1", false],
    );
    assert.equal(parseElf(makeElf(options)).interpreter, null);
  }
});

test("what is no ELF file is refused by name", () => {
  const directory = temporaryDirectory();
  for (const text of ["", "\x7fEL", "#!/bin/sh\n", "MZ".padEnd(4096)]) {
    const path = join(directory, "file");
    writeFileSync(path, text);
    assert.throws(
      () => readElf(path),
      (error) =>
        error instanceof ElfError && error.code === "ERR_OFFHEAP_ELF" &&
        error.message === `Cannot read "${path}": it is not an ELF file.`,
    );
  }
  assert.throws(() => readElf(join(directory, "missing")), { code: "ENOENT" });
  const options = { bits: 64, littleEndian: true, machine: 62, interpreter: "/lib/ld.so" } as const;
  for (const at of [0, 1, 2, 3]) {
    const bytes = makeElf(options);
    bytes[at] = 1;
    assert.throws(() => parseElf(bytes), /it is not an ELF file/, `byte ${at}`);
  }
});

test("entries of the program header that are too short for their fields are refused", () => {
  for (const [bits, at] of [[64, 54], [32, 42]] as const) {
    const options = { bits, littleEndian: true, machine: 62, interpreter: "/lib/ld.so" };
    const bytes = makeElf(options);
    const view = new DataView(bytes.buffer);
    view.setUint16(at, view.getUint16(at, true) - 1, true);
    assert.throws(() => parseElf(bytes), ElfError, `${bits} bits`);
  }
});

test("a library that is truncated anywhere is refused", onLinux, () => {
  const bytes = Uint8Array.from(readFileSync(library));
  const ends = [16, 63, 100, 1000, 4096, 8192, Math.floor(bytes.length / 2)];
  for (const end of ends.filter((length) => length < bytes.length / 1.5)) {
    assert.throws(() => parseElf(bytes.slice(0, end)), ElfError, `${end} bytes`);
  }
});

test("a library that lacks only the last byte that is loaded is refused", withBinutils, () => {
  const bytes = Uint8Array.from(readFileSync(library));
  const shown = tool("readelf", "--program-headers", "--wide", library);
  const ends = [...shown.matchAll(/^\s+LOAD\s+(\S+)\s+\S+\s+\S+\s+(\S+)/gm)]
    .map(([, offset, size]) => Number(offset) + Number(size));
  const end = Math.max(...ends);
  assert.equal(parseElf(bytes.slice(0, end)).type, "shared");
  assert.throws(() => parseElf(bytes.slice(0, end - 1)), ElfError);
});

test("damaged files end in an ElfError or a reading, never in another error", onLinux, () => {
  const original = readFileSync(library);
  const directory = temporaryDirectory();
  const path = join(directory, "damaged.so");
  let seed = 12345;
  const random = (limit: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % limit;
  };
  let refused = 0;
  for (let round = 0; round < 300; round++) {
    const bytes = Uint8Array.from(original);
    for (let count = 0; count < 8; count++) bytes[4 + random(1020)] = random(256);
    writeFileSync(path, bytes);
    try {
      readElf(path);
      readElfExports(path);
    } catch (error) {
      assert.ok(error instanceof ElfError, String(error));
      refused++;
    }
  }
  assert.ok(refused > 0, "some of the damage must be noticed");
});

test("exports are found by name as they are listed, and no others", onLinux, () => {
  const systemV = compileShared("conformance.c", "libelf-sysv.so", ["-Wl,--hash-style=sysv"]);
  for (const path of [library, systemV, process.execPath]) {
    const listed = readElfExports(path).slice(0, 2000);
    const asked = listed.map(({ name }) => name);
    const found = findElfExports(path, [...asked, "no_such_symbol", ""]);
    assert.ok(found.length > 0);
    assert.deepEqual(
      new Set(found.map(({ name }) => name)),
      new Set(asked),
    );
    const [first] = listed;
    assert.deepEqual(findElfExports(path, [first?.name ?? ""])[0], first);
  }
});

test("functions are found by places in the file, as nm and readelf see them", withBinutils, () => {
  const program = process.execPath;
  const loads = tool("readelf", "-lW", program).split("\n").filter((line) => /^\s+LOAD/.test(line))
    .map((line) => line.trim().split(/\s+/).slice(1, 5).map(Number));
  for (const [file, loaded] of [[library, null], [program, loads]] as const) {
    const symbols = tool("nm", "--defined-only", "--print-size", ...(loaded ? ["-D"] : []), file)
      .split("\n").flatMap((line) => {
        const [, at = "", size = "", name = ""] =
          /^([0-9a-f]+) ([0-9a-f]+) [tTwW] ([^@]+)/.exec(line) ?? [];
        return at === ""
          ? []
          : [{ at: Number.parseInt(at, 16), size: Number.parseInt(size, 16), name }];
      }).filter(({ size }) => size > 0).slice(0, 500);
    assert.ok(symbols.length > 5, file);
    const offset = (at: number): number => {
      const segments = loaded ??
        tool("readelf", "-lW", file).split("\n").filter((line) => /^\s+LOAD/.test(line))
          .map((line) => line.trim().split(/\s+/).slice(1, 5).map(Number));
      const [from = 0, address = 0] = segments.find(([, start = 0, , size = 0]) =>
        at >= start && at < start + size
      ) ?? [];
      return at - address + from;
    };
    const { names, buildId } = findFunctions(
      file,
      symbols.map(({ at, size }) => offset(at + size - 1)),
    );
    const starts = new Map(symbols.map(({ name, at }) => [name, at]));
    symbols.forEach(({ name, at }, index) => {
      const found = names[index] ?? "";
      // Several names may be of one place.
      assert.ok(
        found === name || starts.get(found) === undefined || starts.get(found) === at,
        `${found} for ${name}`,
      );
      assert.notEqual(found, "");
    });
    const notes = tool("readelf", "-nW", file);
    assert.equal(buildId, /Build ID: ([0-9a-f]+)/.exec(notes)?.[1] ?? null);
  }
  assert.deepEqual(findFunctions(library, [0]).names, [null], "no function is in the header");
});
