/**
 * Structs in native memory that are passed by their address to the C library, bound once for every
 * runtime; and a block that native code takes over, resizes, and gives back.
 *
 * ```sh
 * node examples/off-heap/struct.ts
 * ```
 *
 * @module
 */
import { nativeAddress, openAllocator, openLibrary } from "../../mod.ts";
import type { Allocator, Block } from "../../mod.ts";

const { calls: libc } = openLibrary("libc.so.6", {
  // struct tm *gmtime_r(const time_t *time, struct tm *result)
  gmtime_r: { parameters: ["pointer", "pointer"], result: "pointer" },
  // error_t argz_add(char **argz, size_t *argz_len, const char *str)
  argz_add: { parameters: ["pointer", "pointer", "cstring"], result: "i32" },
});

/** `struct tm` begins with nine ints; glibc's has 56 bytes on 64-bit systems. */
const TM_BYTES = 56;

function utc(memory: Allocator, seconds: number): string {
  const time = memory.allocate(8);
  const tm = memory.allocate(TM_BYTES, { zeroed: true });
  try {
    time.as(BigInt64Array)[0] = BigInt(seconds);
    libc.gmtime_r(time.address, tm.address);
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

/** Strings one after another, in a block that `argz_add` resizes by `realloc`: an argz vector. */
function joinStrings(memory: Allocator, first: string, ...others: string[]): Block {
  const vector = memory.allocate(8);
  const length = memory.allocate(8);
  try {
    // From here on the strings belong to the C library: offheap does not free them.
    const strings = memory.allocateFrom(first, { terminated: true });
    length.as(BigUint64Array)[0] = BigInt(strings.size);
    vector.as(BigUint64Array)[0] = BigInt(strings.release());
    for (const other of others) {
      const status = libc.argz_add(vector.address, length.address, other);
      if (status !== 0) throw new Error(`argz_add failed with error number ${status}`);
    }
    // And from here on they are offheap's, wherever they are now.
    const [address = 0n] = vector.as(BigUint64Array);
    const [size = 0n] = length.as(BigUint64Array);
    return memory.adopt(nativeAddress(address), Number(size));
  } finally {
    length.free();
    vector.free();
  }
}

// Memory that changes its owner must be from the allocator that the native code uses: libc's own.
const memory = openAllocator({ allocator: "system" });
console.log(utc(memory, 1_000_000_000));
const words = joinStrings(memory, "one", "two", "three");
const text: string = new TextDecoder().decode(words.bytes).replaceAll("\0", ";");
console.log(`${words.size} bytes: ${text}`);
words.free();
console.log(`${memory.statistics().blocks} blocks in use`);
memory.close();
