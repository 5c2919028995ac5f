/**
 * Where embeddings and pieces of text are: in native blocks and arenas, or in plain JavaScript.
 *
 * @module
 */
import { type Block, openAllocator } from "../../../mod.ts";

/** Memory of one run, all of which ends with it. */
export interface Scratch {
  /** Numbers, to be written before they are read. */
  floats(length: number): Float32Array;
  /** A text as UTF-8. */
  bytes(text: string): Uint8Array;
  /** Ends all of it. */
  free(): void;
}

/** A kind of memory. */
export interface AgentMemory {
  /** Numbers that live until the end. */
  floats(length: number): Float32Array;
  scratch(): Scratch;
  /** Frees what lives until the end. */
  close(): void;
}

const encoder = new TextEncoder();

function nativeMemory(): AgentMemory {
  // The process's own malloc: what is measured serves the blocks, too, not a second allocator.
  const allocator = openAllocator({ allocator: "system" });
  const blocks: Block[] = [];
  return {
    floats(length) {
      const block = allocator.allocate(length * Float32Array.BYTES_PER_ELEMENT);
      blocks.push(block);
      const { buffer, byteOffset } = block.bytes;
      return new Float32Array(buffer, byteOffset, length);
    },
    scratch() {
      const arena = allocator.arena();
      return {
        floats: (length) => arena.view(Float32Array, length),
        bytes: (text) => arena.allocateFrom(text),
        free: () => arena.free(),
      };
    },
    close() {
      for (const block of blocks) block.free();
      allocator.close();
    },
  };
}

function plainMemory(): AgentMemory {
  const floats = (length: number): Float32Array => new Float32Array(length);
  const scratch = { floats, bytes: (text: string) => encoder.encode(text), free: () => {} };
  return { floats, scratch: () => scratch, close: () => {} };
}

/** The kinds of memory by name. */
export const MEMORIES: Readonly<Record<string, () => AgentMemory>> = {
  arena: nativeMemory,
  javascript: plainMemory,
};
