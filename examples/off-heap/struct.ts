/**
 * Structs in native memory that are passed by their address to the C library, with the FFI of the
 * runtime that runs this; and a block that native code takes over, resizes, and gives back.
 *
 * ```sh
 * node examples/off-heap/struct.ts
 * ```
 *
 * @module
 */
import { createRequire } from "node:module";
import process from "node:process";
import { type Address, type Allocator, type Block, openAllocator } from "../../mod.ts";

type Native = (...pointers: unknown[]) => unknown;

/** What this program calls; each argument is a pointer. */
interface Libc {
  /** `struct tm *gmtime_r(const time_t *time, struct tm *result)`. */
  readonly gmtime_r: Native;
  /** `error_t argz_add(char **argz, size_t *argz_len, const char *str)`. */
  readonly argz_add: Native;
}

/** The parts of the runtimes' FFI that are used. */
interface Dlopen {
  dlopen(path: string, symbols: object): { readonly symbols: Libc };
}
interface NodeFfi {
  readonly DynamicLibrary: new (path: string) => {
    getFunction(name: string, signature: object): Native;
  };
}
interface Koffi {
  load(path: string): { func(declaration: string): Native };
}

function openLibc(path: string): Libc {
  if ("deno" in process.versions) {
    return (Reflect.get(globalThis, "Deno") as unknown as Dlopen).dlopen(path, {
      gmtime_r: { parameters: ["pointer", "pointer"], result: "pointer" },
      argz_add: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
    }).symbols;
  }
  if ("bun" in process.versions) {
    return (process.getBuiltinModule("bun:ffi") as unknown as Dlopen).dlopen(path, {
      gmtime_r: { args: ["ptr", "ptr"], returns: "ptr" },
      argz_add: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
    }).symbols;
  }
  const ffi = process.getBuiltinModule("node:ffi") as unknown as NodeFfi | undefined;
  if (ffi !== undefined) {
    const library = new ffi.DynamicLibrary(path);
    return {
      gmtime_r: library.getFunction("gmtime_r", {
        arguments: ["pointer", "pointer"],
        return: "pointer",
      }),
      argz_add: library.getFunction("argz_add", {
        arguments: ["pointer", "pointer", "pointer"],
        return: "int32",
      }),
    };
  }
  const library = (createRequire(import.meta.url)("koffi") as Koffi).load(path);
  return {
    gmtime_r: library.func("void *gmtime_r(void *time, void *result)"),
    argz_add: library.func("int argz_add(void *argz, void *argz_len, void *str)"),
  };
}

/** `struct tm` begins with nine ints; glibc's has 56 bytes on 64-bit systems. */
const TM_BYTES = 56;

function utc(memory: Allocator, libc: Libc, seconds: number): string {
  const time = memory.allocate(8);
  const tm = memory.allocate(TM_BYTES, { zeroed: true });
  try {
    time.as(BigInt64Array)[0] = BigInt(seconds);
    libc.gmtime_r(time.pointer, tm.pointer);
    const fields = tm.as(DataView);
    const field = (index: number): number => fields.getInt32(index * 4, true);
    const two = (value: number): string => String(value).padStart(2, "0");
    const date = `${field(5) + 1900}-${two(field(4) + 1)}-${two(field(3))}`;
    return `${date} ${two(field(2))}:${two(field(1))}:${two(field(0))}, day ${field(7) + 1}`;
  } finally {
    tm.free();
    time.free();
  }
}

/** Strings behind one another, in a block that `argz_add` resizes by `realloc`: an argz vector. */
function joinStrings(memory: Allocator, libc: Libc, first: string, ...others: string[]): Block {
  const vector = memory.allocate(8);
  const length = memory.allocate(8);
  try {
    // From here on the strings belong to the C library: offheap does not free them.
    const strings = memory.allocateFrom(first, { terminated: true });
    length.as(BigUint64Array)[0] = BigInt(strings.size);
    vector.as(BigUint64Array)[0] = BigInt(strings.release());
    for (const other of others) {
      const string = memory.allocateFrom(other, { terminated: true });
      const status = libc.argz_add(vector.pointer, length.pointer, string.pointer);
      string.free();
      if (status !== 0) throw new Error(`argz_add failed with error number ${status}`);
    }
    // And from here on they are offheap's, wherever they are now.
    const [address = 0n] = vector.as(BigUint64Array);
    const [size = 0n] = length.as(BigUint64Array);
    return memory.adopt(Number(address) as Address, Number(size));
  } finally {
    length.free();
    vector.free();
  }
}

// What goes to and fro must be of the allocator that the native code uses: here libc's own.
const memory = openAllocator({ allocator: "system" });
const libc = openLibc("libc.so.6");
console.log(utc(memory, libc, 1_000_000_000));
const words = joinStrings(memory, libc, "one", "two", "three");
const text: string = new TextDecoder().decode(words.bytes).replaceAll("\0", ";");
console.log(`${words.size} bytes: ${text}`);
words.free();
console.log(`${memory.statistics().blocks} blocks in use`);
memory.close();
