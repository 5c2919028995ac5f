/**
 * How an address is best represented: one pair of malloc(64) and free in the back end of the
 * runtime that runs this, with addresses as bigints, as numbers, and as C doubles; and what holding
 * addresses in arrays and maps costs. The runtimes' FFI is called directly, without offheap.
 *
 *     npm run bench:address
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bench, do_not_optimize as keep, group, run, summary } from "mitata";

type Pair = () => void;
type Fn = (value: unknown) => unknown;

const directory = mkdtempSync(join(tmpdir(), "offheap-bench-"));
const shim = join(directory, "libaddress.so");
const source = fileURLToPath(new URL("./address.c", import.meta.url));
execFileSync("cc", ["-O2", "-shared", "-fPIC", source, "-o", shim]);

function pair(allocate: Fn, release: Fn, size: number | bigint): Pair {
  return () => {
    const address = allocate(size);
    keep(address);
    release(address);
  };
}

function throughNumber(allocate: Fn, release: Fn): Pair {
  return () => {
    const address = Number(allocate(64n));
    keep(address);
    release(BigInt(address));
  };
}

function denoPairs(deno: unknown): Record<string, Pair> {
  const { dlopen } = deno as {
    dlopen(path: string, table: object): { symbols: Record<string, Fn> };
  };
  const open = (path: string, names: [string, string], size: string, address: string) => {
    const { symbols } = dlopen(path, {
      [names[0]]: { parameters: [size], result: address },
      [names[1]]: { parameters: [address], result: "void" },
    });
    return [symbols[names[0]], symbols[names[1]]] as [Fn, Fn];
  };
  const [m, f] = open("libc.so.6", ["malloc", "free"], "usize", "usize");
  const [mp, fp] = open("libc.so.6", ["malloc", "free"], "usize", "pointer");
  const [md, fd] = open(shim, ["malloc_f64", "free_f64"], "f64", "f64");
  return {
    "usize: bigint": pair(m, f, 64),
    "usize: Number(bigint)": () => {
      const address = Number(m(64));
      keep(address);
      f(address);
    },
    "pointer: object": pair(mp, fp, 64),
    "f64: number": pair(md, fd, 64),
  };
}

function bunPairs(ffi: unknown): Record<string, Pair> {
  const { dlopen } = ffi as {
    dlopen(path: string, table: object): { symbols: Record<string, Fn> };
  };
  const open = (path: string, names: [string, string], size: string, address: string) => {
    const { symbols } = dlopen(path, {
      [names[0]]: { args: [size], returns: address },
      [names[1]]: { args: [address], returns: "void" },
    });
    return [symbols[names[0]], symbols[names[1]]] as [Fn, Fn];
  };
  const [m, f] = open("libc.so.6", ["malloc", "free"], "u64", "u64");
  const [mp, fp] = open("libc.so.6", ["malloc", "free"], "usize", "ptr");
  const [mf, ff] = open("libc.so.6", ["malloc", "free"], "u64_fast", "u64_fast");
  const [md, fd] = open(shim, ["malloc_f64", "free_f64"], "f64", "f64");
  return {
    "u64: bigint": pair(m, f, 64),
    "ptr: number": pair(mp, fp, 64),
    "u64_fast: number": pair(mf, ff, 64),
    "f64: number": pair(md, fd, 64),
  };
}

function nodePairs(ffi: unknown): Record<string, Pair> {
  const { DynamicLibrary } = ffi as {
    DynamicLibrary: new (path: string) => { getFunction(name: string, signature: object): Fn };
  };
  const open = (path: string, names: [string, string], size: string, address: string) => {
    const library = new DynamicLibrary(path);
    return [
      library.getFunction(names[0], { arguments: [size], return: address }),
      library.getFunction(names[1], { arguments: [address], return: "void" }),
    ] as [Fn, Fn];
  };
  const [m, f] = open("libc.so.6", ["malloc", "free"], "uint64", "uint64");
  const [mp, fp] = open("libc.so.6", ["malloc", "free"], "uint64", "pointer");
  const [md, fd] = open(shim, ["malloc_f64", "free_f64"], "double", "double");
  return {
    "uint64: bigint": pair(m, f, 64n),
    "pointer: bigint": pair(mp, fp, 64n),
    "uint64: Number(bigint)": throughNumber(m, f),
    "double: number": pair(md, fd, 64),
  };
}

function koffiPairs(koffi: unknown): Record<string, Pair> {
  const { load } = koffi as {
    load(path: string): { func(name: string, result: string, parameters: string[]): Fn };
  };
  const open = (path: string, names: [string, string], size: string, address: string) => {
    const library = load(path);
    return [
      library.func(names[0], address, [size]),
      library.func(names[1], "void", [address]),
    ] as [Fn, Fn];
  };
  const [m, f] = open("libc.so.6", ["malloc", "free"], "uint64_t", "uint64_t");
  const [mp, fp] = open("libc.so.6", ["malloc", "free"], "uint64_t", "void *");
  const [md, fd] = open(shim, ["malloc_f64", "free_f64"], "double", "double");
  return {
    "uint64_t: number": pair(m, f, 64),
    "uint64_t: BigInt(number)": () => {
      const address = BigInt(m(64) as number);
      keep(address);
      f(address);
    },
    "void *: object": pair(mp, fp, 64),
    "double: number": pair(md, fd, 64),
  };
}

function pairs(): Record<string, Pair> {
  if ("deno" in process.versions) return denoPairs(Reflect.get(globalThis, "Deno"));
  if ("bun" in process.versions) return bunPairs(process.getBuiltinModule("bun:ffi"));
  const builtin = process.getBuiltinModule("node:ffi");
  return builtin === undefined
    ? koffiPairs(createRequire(import.meta.url)("koffi"))
    : nodePairs(builtin);
}

const LENGTH = 1024;
const bigints = new BigUint64Array(LENGTH).map((_, i) => 0x7f00_0000_0000n + BigInt(i * 64));
const numbers = new Float64Array(LENGTH).map((_, i) => 0x7f00_0000_0000 + i * 64);
const byBigint = new Map<bigint, number>();
const byNumber = new Map<number, number>();
let turn = 0;

summary(() => {
  group("malloc(64) and free", () => {
    for (const [name, work] of Object.entries(pairs())) bench(name, work);
  });
});
summary(() => {
  group("read one address from an array", () => {
    bench("BigUint64Array", () => keep(bigints[turn++ & (LENGTH - 1)]));
    bench("Float64Array", () => keep(numbers[turn++ & (LENGTH - 1)]));
  });
});
summary(() => {
  group("set and delete one address in a Map", () => {
    bench("bigint", () => {
      const key = bigints[turn++ & (LENGTH - 1)] ?? 0n;
      byBigint.set(key, turn);
      byBigint.delete(key);
    });
    bench("number", () => {
      const key = numbers[turn++ & (LENGTH - 1)] ?? 0;
      byNumber.set(key, turn);
      byNumber.delete(key);
    });
  });
});

await run();
rmSync(directory, { recursive: true, force: true });
