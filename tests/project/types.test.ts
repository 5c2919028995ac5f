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

/** How a program is checked by the checker that its runtime's users have. */
const CHECKERS: Readonly<Record<string, (path: string) => [string, ...string[]]>> = {
  "deno check": (path) => [join(MODULES, "deno", "deno"), "check", "--quiet", path],
  "tsc with bun-types": (path) => tsc(path, join(MODULES, "bun-types")),
  "tsc with @types/node": (path) => tsc(path, join(MODULES, "@types", "node")),
};

function tsc(path: string, types: string): [string, ...string[]] {
  const [command = "", ...options] = TSC;
  return [command, ...options, "--types", types, path];
}

async function check(name: string, program: string, checker: string): Promise<void> {
  const path = join(directory, `${name}.ts`);
  writeFileSync(path, program);
  const { status, stdout, stderr } = await runChild(CHECKERS[checker]?.(path) ?? [""]);
  assert.equal(status, 0, `${name} by ${checker}: ${stdout}${stderr}`);
}

test("pointers pass the check of Deno's own FFI without a cast", async () => {
  await check("deno", DENO, "deno check");
});

test("pointers pass the check of bun:ffi without a cast", async () => {
  await check("bun", BUN, "tsc with bun-types");
});

test("pointers pass the check of node:ffi without a cast", async () => {
  await check("node", NODE, "tsc with @types/node");
});

test("views are made by a variable that is any of the constructors, for every checker", async () => {
  for (const [index, checker] of Object.keys(CHECKERS).entries()) {
    await check(`views-${index}`, VIEWS, checker);
  }
});

test("the programs are really checked", async () => {
  const program = `${DENO}\nconst text: string = block.size;\nconsole.log(text);\n`;
  await assert.rejects(check("wrong", program, "deno check"), /'number' is not assignable/);
});
