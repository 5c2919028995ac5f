// What the matrix asks of a runtime on a platform; prints a ProbeAnswer as JSON. The arguments:
// the allocator, and "own" (load it, use its blocks) or "process" (who serves malloc).
import process from "node:process";
import type { BuiltAllocator } from "../../lib/allocators/mod.ts";
import { openAllocator, verifyAllocator } from "../../mod.ts";
import type { ProbeAnswer } from "./columns.ts";

type Tried<T> = { readonly value: T } | { readonly error: string };

function attempt<T>(action: () => T): Tried<T> {
  try {
    return { value: action() };
  } catch (error) {
    return { error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}

/** Blocks of several sizes are written, read, grown and freed; then an arena. */
function useBlocks(allocator: BuiltAllocator): string {
  const memory = openAllocator({ allocator });
  let bytes = 0;
  for (const size of [1, 100, 4096, 70_000, 3_000_000]) {
    const block = memory.allocate(size, { zeroed: true });
    if (block.bytes.some((byte) => byte !== 0)) throw new Error(`${size} bytes are not zeroed`);
    block.bytes.fill(0xa5);
    const grown = memory.reallocate(block, size * 2);
    if (grown.bytes[0] !== 0xa5 || grown.bytes[size - 1] !== 0xa5) {
      throw new Error(`${size} bytes were not kept`);
    }
    if (!memory.owns(grown.address)) throw new Error("a block is denied by its own allocator");
    const view = grown.bytes;
    grown.free();
    if (view.length !== 0) throw new Error("a freed block can still be read");
    bytes += size * 2;
  }
  const arena = memory.arena();
  for (let index = 0; index < 100; index++) arena.allocate(1000).fill(index);
  arena.free();
  const { blocks } = memory.statistics();
  if (blocks !== 0) throw new Error(`${blocks} blocks are left`);
  memory.close();
  return `blocks of up to ${bytes} bytes, an arena of 100`;
}

const allocator = process.argv[2] as BuiltAllocator;
const own = process.argv[3] === "own";
const answer: ProbeAnswer = {
  platform: process.platform,
  arch: process.arch,
  blocks: own ? attempt(() => useBlocks(allocator)) : null,
  verification: attempt(() => verifyAllocator({ allocator })),
};
console.log(JSON.stringify(answer));
