// Files that nobody made, with the structure of each format: headers, tables and offsets that lead
// anywhere, into one another and past the end. Each is read, or is refused by the format's error.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { ElfError, readElf, readElfExports } from "../../lib/binary/elf.ts";
import { MachOError, readMachO } from "../../lib/binary/macho.ts";
import { PeError, readPe, readPeExports } from "../../lib/binary/pe.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { effort } from "../support/effort.ts";

const RUNS = { numRuns: effort(400, 3000) };

/** Numbers as a format's fields have them: small ones, within such a file, and at the ends. */
const field: fc.Arbitrary<bigint> = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt(0n, 16n) },
  { weight: 6, arbitrary: fc.bigInt(0n, 2048n) },
  fc.constantFrom(0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn, 2n ** 63n, 2n ** 64n - 1n),
);

/** A part of a file: fields of so many bytes each, at an offset. */
interface Part {
  readonly at: number;
  readonly fields: readonly (readonly [bytes: 1 | 2 | 4 | 8, value: bigint])[];
}

/** Fields of given sizes; some have a value that the format asks for. */
function fieldsOf(
  shape: readonly (readonly [1 | 2 | 4 | 8, ...bigint[]])[],
): fc.Arbitrary<Part["fields"]> {
  return fc.tuple(...shape.map(([bytes, ...values]) => {
    const value = values.length === 0
      ? field
      : fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...values) }, field);
    return value.map((number) => [bytes, number] as const);
  }));
}

const place: fc.Arbitrary<number> = fc.integer({ min: 64, max: 2000 });

/** Writes parts over bytes of no meaning. */
function assemble(noise: Uint8Array, parts: readonly Part[], little: boolean): Uint8Array {
  const bytes = Uint8Array.from(noise);
  const view = new DataView(bytes.buffer);
  for (const { at, fields } of parts) {
    let offset = at;
    for (const [size, value] of fields) {
      if (offset + size > bytes.length) break;
      if (size === 1) view.setUint8(offset, Number(BigInt.asUintN(8, value)));
      else if (size === 2) view.setUint16(offset, Number(BigInt.asUintN(16, value)), little);
      else if (size === 4) view.setUint32(offset, Number(BigInt.asUintN(32, value)), little);
      else view.setBigUint64(offset, BigInt.asUintN(64, value), little);
      offset += size;
    }
  }
  return bytes;
}

const noise: fc.Arbitrary<Uint8Array> = fc.uint8Array({
  minLength: 600,
  maxLength: 2048,
  size: "max",
});

/** Reads each file in each way, and counts what was read: a generator of refusals shows nothing. */
function readAll(
  files: fc.Arbitrary<Uint8Array>,
  readers: readonly ((path: string) => unknown)[],
  refusal: new (message: string) => Error,
): void {
  const path = join(temporaryDirectory(), "file");
  let read = 0;
  const property = fc.property(files, (bytes) => {
    writeFileSync(path, bytes);
    for (const reader of readers) {
      try {
        reader(path);
        read++;
      } catch (error) {
        assert.ok(error instanceof refusal, `${error instanceof Error ? error.stack : error}`);
      }
    }
  });
  fc.assert(property, RUNS);
  assert.ok(read > 0, "all files were refused");
}

const SEGMENT = [[4, 1n, 2n, 3n, 7n], [4], [8], [8], [8], [8], [8], [8]] as const;
const NARROW_SEGMENT = [[4, 1n, 2n, 3n, 7n], [4], [4], [4], [4], [4], [4], [4]] as const;
const DYNAMIC_TAGS = [0n, 1n, 4n, 5n, 6n, 10n, 11n, 14n, 24n, 30n, 0x6ffffef5n, 0x6ffffffbn];

const elf: fc.Arbitrary<Uint8Array> = fc.record({
  noise,
  wide: fc.boolean(),
  little: fc.boolean(),
  start: fieldsOf([[2, 2n, 3n], [2, 62n, 183n, 40n], [4, 1n]]),
  count: fc.integer({ min: 0, max: 5 }),
  segments: fc.array(fieldsOf(SEGMENT), { minLength: 5, maxLength: 5 }),
  narrow: fc.array(fieldsOf(NARROW_SEGMENT), { minLength: 5, maxLength: 5 }),
  dynamic: fc.array(fieldsOf([[8, ...DYNAMIC_TAGS], [8]]), { maxLength: 12 }),
  at: place,
}).map(({ noise, wide, little, start, count, segments, narrow, dynamic, at }) => {
  const header = wide ? 64 : 52;
  const parts: Part[] = [
    {
      at: 0,
      fields: [0x7fn, 0x45n, 0x4cn, 0x46n, wide ? 2n : 1n, little ? 1n : 2n, 1n]
        .map((value) => [1, value] as const),
    },
    { at: 16, fields: start },
    { at: wide ? 32 : 28, fields: [[wide ? 8 : 4, BigInt(header)]] },
    { at: wide ? 54 : 42, fields: [[2, wide ? 56n : 32n], [2, BigInt(count)]] },
    ...(wide ? segments : narrow).map((fields, index) => ({
      at: header + index * (wide ? 56 : 32),
      fields,
    })),
    ...dynamic.map((fields, index) => ({ at: at + index * 16, fields })),
  ];
  return assemble(noise, parts, little);
});

test("ELF files of any structure are read, or refused by an ElfError", () => {
  readAll(elf, [readElf, readElfExports], ElfError);
});

const COMMANDS = [0x19n, 0xcn, 0xdn, 0x2n, 0x1dn, 0x22n, 0x80000022n, 0x32n, 0x24n, 0x1bn];

const machO: fc.Arbitrary<Uint8Array> = fc.record({
  noise,
  little: fc.boolean(),
  magic: fc.constantFrom(0xfeedfacfn, 0xfeedfacen, 0xcafebaben, 0xcafebabfn),
  start: fieldsOf([[4, 0x1000007n, 0x100000cn], [4], [4, 2n, 6n, 8n], [4], [4], [4]]),
  commands: fc.array(
    fc.tuple(
      fieldsOf([[4, ...COMMANDS], [4, 16n, 24n, 48n, 72n]]),
      fc.array(field, { maxLength: 18 }),
    ),
    { maxLength: 6 },
  ),
}).map(({ noise, little, magic, start, commands }) => {
  let at = 32;
  const parts: Part[] = [{ at: 0, fields: [[4, magic], ...start] }];
  for (const [[kind, size], payload] of commands) {
    if (kind === undefined || size === undefined) continue;
    const words = payload.map((value) => [4, value] as const);
    parts.push({ at, fields: [kind, size, ...words] });
    at += Number(size[1] < 512n ? size[1] : 16n);
  }
  parts.push({ at: 16, fields: [[4, BigInt(commands.length)], [4, BigInt(at - 32)]] });
  return assemble(noise, parts, little);
});

test("Mach-O files of any structure are read, or refused by a MachOError", () => {
  readAll(machO, [(path) => readMachO(path), (path) => readMachO(path, "arm64")], MachOError);
});

const pe: fc.Arbitrary<Uint8Array> = fc.record({
  noise,
  at: fc.constantFrom(0x40, 0x80, 0x100),
  wide: fc.constantFrom(true, true, true, false),
  start: fieldsOf([[2, 0x8664n, 0xaa64n], [2, 1n, 2n, 3n], [4], [4], [4], [2, 240n], [2, 0x2022n]]),
  directories: fc.array(fieldsOf([[4, 0n], [4, 0n]]), { minLength: 16, maxLength: 16 }),
  sections: fc.array(fieldsOf([[8], [4, 4096n], [4, 0n], [4, 512n], [4, 0n], [4], [4], [4]]), {
    maxLength: 3,
  }),
  exports: fieldsOf([[4], [4], [4], [4], [4], [4, 3n], [4, 3n], [4], [4], [4]]),
  table: place,
  headers: fieldsOf([[4, 512n]]),
}).map(({ noise, at, wide, start, directories, sections, exports, table, headers }) => {
  const optional = at + 24;
  const list = optional + (wide ? 112 : 96);
  const parts: Part[] = [
    { at: 0, fields: [[2, 0x5a4dn]] },
    { at: 0x3c, fields: [[4, BigInt(at)]] },
    { at, fields: [[4, 0x4550n], ...start] },
    { at: optional, fields: [[2, wide ? 0x20bn : 0x10bn]] },
    { at: optional + 60, fields: headers },
    { at: list - 4, fields: [[4, 16n]] },
    ...directories.map((fields, index) => ({ at: list + 8 * index, fields })),
    ...sections.map((fields, index) => ({ at: optional + 240 + 40 * index, fields })),
    { at: table, fields: exports },
  ];
  return assemble(noise, parts, true);
});

test("PE files of any structure are read, or refused by a PeError", () => {
  readAll(pe, [readPe, readPeExports], PeError);
});
