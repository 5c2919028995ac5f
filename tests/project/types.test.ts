import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../support/compile.ts";
import { ROOT, runChild } from "../support/runtime.ts";

const MODULES = join(ROOT, "node_modules");
const MOD = JSON.stringify(join(ROOT, "mod.ts"));
const directory = temporaryDirectory();
writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');

/** What comes first in each program. */
const OPENING = `
import { type Address, nativeAddress, nativePointer, openAllocator } from ${MOD};
const memory = openAllocator();
const block = memory.allocate(100);
const lease = memory.pool({ blockSize: 64 }).acquire();
const computed = nativePointer(block.address + 8 as Address);
`;

const DENO = `${OPENING}
const library = Deno.dlopen("libc.so.6", {
  strlen: { parameters: ["pointer"], result: "usize" },
  strchr: { parameters: ["pointer", "i32"], result: "pointer" },
});
for (const pointer of [block.pointer, lease.pointer, computed]) {
  library.symbols.strlen(pointer);
  Deno.UnsafePointer.value(pointer);
  if (pointer !== null) new Deno.UnsafePointerView(pointer).getInt8(0);
}
const found: Address = nativeAddress(library.symbols.strchr(block.pointer, 0));
// @ts-expect-error: a pointer is no number in Deno
const wrong: number = block.pointer;
console.log(found, wrong);
`;

const BUN = `${OPENING}
import { dlopen, FFIType, read, toArrayBuffer, toBuffer, type Pointer } from "bun:ffi";
const library = dlopen("libc.so.6", {
  strlen: { args: [FFIType.ptr], returns: FFIType.u64 },
  strchr: { args: ["ptr", "i32"], returns: "ptr" },
});
for (const pointer of [block.pointer, lease.pointer, computed]) {
  const own: Pointer = pointer;
  library.symbols.strlen(own);
  console.log(toArrayBuffer(pointer, 0, 10), toBuffer(pointer, 0, 10), read.u8(pointer));
}
const found: Address = nativeAddress(library.symbols.strchr(block.pointer, 0));
// @ts-expect-error: a pointer is no bigint in Bun
const wrong: bigint = block.pointer;
console.log(found, wrong);
`;

const NODE = `${OPENING}
import { DynamicLibrary, getInt8, toArrayBuffer, toBuffer } from "node:ffi";
const library = new DynamicLibrary("libc.so.6");
const strlen = library.getFunction("strlen", { arguments: ["pointer"], return: "uint64" });
for (const pointer of [block.pointer, lease.pointer, computed]) {
  strlen(pointer);
  console.log(toBuffer(pointer, 10), toArrayBuffer(pointer, 10, false), getInt8(pointer));
}
const found: Address = nativeAddress(library.getSymbol("strlen"));
// @ts-expect-error: a pointer is no number in Node
const wrong: number = block.pointer;
console.log(found, wrong);
`;

const VIEWS = `${OPENING}
import type { ViewConstructor, ViewOf } from ${MOD};
const arena = memory.arena();
type AnyArray =
  | Int8ArrayConstructor | Uint8ArrayConstructor | Uint8ClampedArrayConstructor
  | Int16ArrayConstructor | Uint16ArrayConstructor | Int32ArrayConstructor
  | Uint32ArrayConstructor | Float32ArrayConstructor | Float64ArrayConstructor
  | BigInt64ArrayConstructor | BigUint64ArrayConstructor;
export function any(type: AnyArray): number {
  return arena.view(type, 4).length + block.as(type).length + lease.as(type).byteLength;
}
export function generic<C extends ViewConstructor>(type: C): ViewOf<C> {
  return arena.view(type, 3);
}
for (const type of [Uint8Array, Float64Array, DataView]) console.log(arena.view(type, 4).byteLength);
const floats: Float64Array<ArrayBuffer> = generic(Float64Array);
const data: DataView<ArrayBuffer> = block.as(DataView);
class Pixels extends Uint8Array<ArrayBuffer> {}
const pixels: Pixels = arena.view(Pixels, 4);
// @ts-expect-error: an array of other elements
const wrong: Float32Array = arena.view(Float64Array, 1);
// @ts-expect-error: no view's constructor
block.as(Array);
console.log(floats, data, pixels, wrong);
`;

const TSC = [
  join(MODULES, ".bin", "tsc"),
  ...["--ignoreConfig", "--noEmit", "--strict", "--skipLibCheck", "--allowImportingTsExtensions"],
  ...["--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes"],
  ...["--target", "es2024", "--module", "nodenext"],
  ...["--lib", "es2024,esnext.disposable,esnext.iterator"],
];

/** How programs are checked by the checkers that each runtime's users have. */
const CHECKERS = {
  "deno check": (paths: readonly string[]) => [
    join(MODULES, "deno", "deno"),
    ...["check", "--quiet", ...paths],
  ],
  "tsc with bun-types": (paths: readonly string[]) => tsc(paths, join(MODULES, "bun-types")),
  "tsc with @types/node": (paths: readonly string[]) => tsc(paths, join(MODULES, "@types", "node")),
} as const;

function tsc(paths: readonly string[], types: string): string[] {
  return [...TSC, "--types", types, ...paths];
}

/** A program with one error: by it a checker is seen to have checked. */
const WRONG = "const text: string = 1;\nconsole.log(text);\n";

/** Checks programs at once: most of what a checker does is to read offheap's own types. */
async function check(
  checker: keyof typeof CHECKERS,
  programs: Readonly<Record<string, string>>,
): Promise<void> {
  const paths = Object.entries({ ...programs, wrong: WRONG }).map(([name, program]) => {
    const path = join(directory, `${name}.ts`);
    writeFileSync(path, program);
    return path;
  });
  const [command = "", ...words] = CHECKERS[checker](paths);
  const { status, stdout, stderr } = await runChild([command, ...words]);
  const output = `${checker}: ${stdout}${stderr}`;
  assert.deepEqual(output.match(/\bTS\d+\b/g), ["TS2322"], output);
  assert.match(output, /wrong\.ts/);
  assert.notEqual(status, 0);
}

test("pointers pass the check of Deno's own FFI without a cast, and views of any constructor", async () => {
  await check("deno check", { deno: DENO, views: VIEWS });
});

test("pointers pass the check of bun:ffi without a cast, and views of any constructor", async () => {
  await check("tsc with bun-types", { bun: BUN, views: VIEWS });
});

test("pointers pass the check of node:ffi without a cast, and views of any constructor", async () => {
  await check("tsc with @types/node", { node: NODE, views: VIEWS });
});
