/**
 * The loops that are measured. Each is made by a factory that refers to nothing outside of it, so
 * that it can be compiled again for each use (see `fresh` in measure.ts), and what is compared has
 * loops of the same form.
 *
 * @module
 */
import type { Address, Allocator, Arena, CachedAllocator, Pool, RawAllocator } from "../../mod.ts";
import type { Fn, Koffi } from "./direct.ts";
import type { Loop } from "./measure.ts";

/** malloc and free, called directly. */
export function directPairs(malloc: Fn, free: Fn, size: number | bigint): Loop {
  return (count) => {
    let address: unknown = 0;
    for (let i = 0; i < count; i++) {
      address = malloc(size);
      free(address);
    }
    return address;
  };
}

/** malloc and free of `raw`. */
export function rawPairs(raw: RawAllocator, size: number): Loop {
  return (count) => {
    let address = 0 as Address;
    for (let i = 0; i < count; i++) {
      address = raw.malloc(size);
      raw.free(address);
    }
    return address;
  };
}

/** malloc and free of `cached`. */
export function cachedPairs(cached: CachedAllocator, size: number): Loop {
  return (count) => {
    let address = 0 as Address;
    for (let i = 0; i < count; i++) {
      address = cached.malloc(size);
      cached.free(address, size);
    }
    return address;
  };
}

/** koffi's own allocation. */
export function koffiPairs(koffi: Koffi, size: number): Loop {
  return (count) => {
    let pointer;
    for (let i = 0; i < count; i++) {
      pointer = koffi.alloc("uint8_t", size);
      koffi.free(pointer);
    }
    return pointer;
  };
}

/** As `loops_churn` in loops.c; the first blocks are not part of it. */
export function churn(
  cached: CachedAllocator,
  live: number,
  picks: Int32Array,
  sizes: Int32Array,
): Loop {
  const mask = sizes.length - 1;
  const blocks = new Float64Array(live);
  const held = new Int32Array(live);
  for (let i = 0; i < live; i++) {
    held[i] = sizes[i & mask] as number;
    blocks[i] = cached.malloc(held[i] as number);
  }
  return (count) => {
    for (let i = 0; i < count; i++) {
      const pick = picks[i & mask] as number;
      const size = sizes[i & mask] as number;
      cached.free(blocks[pick] as Address, held[pick] as number);
      blocks[pick] = cached.malloc(size);
      held[pick] = size;
    }
    return blocks[0];
  };
}

/** `new Uint8Array`, with a byte written in each page. */
export function typedArrays(size: number): Loop {
  return (count) => {
    let bytes;
    for (let i = 0; i < count; i++) {
      bytes = new Uint8Array(size);
      for (let at = 0; at < size; at += 4096) bytes[at] = 1;
    }
    return bytes;
  };
}

/** A block, with a byte written in each page. */
export function blocks(memory: Allocator, size: number): Loop {
  return (count) => {
    let block;
    for (let i = 0; i < count; i++) {
      block = memory.allocate(size);
      const { bytes } = block;
      for (let at = 0; at < size; at += 4096) bytes[at] = 1;
      block.free();
    }
    return block;
  };
}

/** A lease, with a byte written in each page. */
export function leases(pool: Pool, size: number): Loop {
  return (count) => {
    let lease;
    for (let i = 0; i < count; i++) {
      lease = pool.acquire();
      const { bytes } = lease;
      for (let at = 0; at < size; at += 4096) bytes[at] = 1;
      lease.release();
    }
    return lease;
  };
}

/** `live` views of an arena, written to, and a reset. */
export function arenaViews(arena: Arena, live: number, size: number): Loop {
  const views: Uint8Array[] = new Array(live).fill(new Uint8Array(size));
  return (count) => {
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < live; j++) {
        const bytes = arena.allocate(size);
        bytes[0] = 1;
        views[j] = bytes;
      }
      arena.reset();
    }
    return views;
  };
}

/** `live` arrays, written to, that replace those before. */
export function liveArrays(live: number, size: number): Loop {
  const views: Uint8Array[] = new Array(live).fill(new Uint8Array(size));
  return (count) => {
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < live; j++) {
        const bytes = new Uint8Array(size);
        bytes[0] = 1;
        views[j] = bytes;
      }
    }
    return views;
  };
}

/** As `arenaViews` with nothing around it: views of a buffer that is then detached. */
export function bufferViews(live: number, size: number): Loop {
  const views: Uint8Array[] = new Array(live).fill(new Uint8Array(size));
  return (count) => {
    for (let i = 0; i < count; i++) {
      const buffer = new ArrayBuffer(live * size);
      for (let j = 0; j < live; j++) {
        const bytes = new Uint8Array(buffer, j * size, size);
        bytes[0] = 1;
        views[j] = bytes;
      }
      buffer.transfer(0);
    }
    return views;
  };
}
