/**
 * Operations on blocks, of an allocator and of its heaps alike.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Block } from "../../../mod.ts";
import type { Operation } from "./operation.ts";
import { pattern, requireBytes, requireDetached, requirePattern, requireZeros } from "./pattern.ts";
import { type HeldBlock, type Owner, requireRefusal, type World } from "./world.ts";

/** Types that blocks are viewed as beside their bytes. */
const VIEWS = [DataView, Float64Array, Uint16Array, BigInt64Array, Uint8ClampedArray] as const;

/** The bytes of data to copy, in the forms that there are. */
export function dataFor(
  bytes: Uint8Array<ArrayBuffer>,
  pick: number,
): ArrayBufferView | ArrayBuffer {
  if (pick % 3 === 0) return bytes;
  const copy = bytes.slice();
  return pick % 3 === 1 ? copy.buffer : new DataView(copy.buffer);
}

/** A string for a number: 1 to 4 bytes a character. */
export function textFor(pick: number): string {
  return "aß€🙂".repeat(pick % 50) + "x".repeat(pick % 7);
}

/** Enters a block that has come, and fills it unless it has its pattern. */
export function enterBlock(
  world: World,
  owner: Owner,
  block: Block,
  wanted: { readonly size: number; readonly alignment: number; readonly id?: number },
): void {
  const { size, alignment } = wanted;
  const { address, bytes } = block;
  assert.ok(block.live);
  assert.equal(block.size, size);
  assert.equal(address % alignment, 0, `a block at 0x${address.toString(16)} of ${alignment}`);
  const id = wanted.id ?? world.nextId();
  const held = { block, id, address, size, alignment, views: [bytes] };
  owner.blocks.push(held);
  enterRange(world, held);
  renewViews(held);
  if (wanted.id === undefined) bytes.set(pattern(id, size));
}

function enterRange(world: World, { block, id, address, size }: HeldBlock): void {
  const { usableSize } = block;
  assert.ok(usableSize >= size, `${usableSize} bytes are usable of ${size}`);
  world.ranges.add(address, usableSize, `block ${id}`);
}

function renewViews(held: HeldBlock): void {
  const { block, id, size } = held;
  const View = VIEWS[id % VIEWS.length] ?? DataView;
  held.views = [block.bytes, block.as(View)];
  assert.equal(block.bytes.length, size);
  assert.equal(block.bytes.buffer, block.buffer);
}

/** A block's bytes are its own still. */
export function requireIntact({ block, id, size }: HeldBlock): void {
  requirePattern(block.bytes, id, size, `block ${id}`);
}

/** A block has ended. */
export function requireOver(block: Block): void {
  assert.deepEqual([block.live, block.bytes.length, block.buffer.byteLength], [false, 0, 0]);
}

/** Takes a block out that has ended. */
export function leaveBlock(owner: Owner, held: HeldBlock): void {
  const { block, id, views } = held;
  owner.blocks.splice(owner.blocks.indexOf(held), 1);
  requireDetached(views, `block ${id}`);
  requireOver(block);
}

/** Allocates a block. */
export function allocate(world: World, owner: Owner, operation: Operation): boolean {
  const { size, flag } = operation;
  if (!world.hasRoom(size)) return false;
  const plain = operation.alignment === 16 && !flag;
  const alignment = Math.max(16, operation.alignment);
  const options = { alignment: operation.alignment, zeroed: flag };
  const block = plain ? owner.source.allocate(size) : owner.source.allocate(size, options);
  world.account.add(1, size);
  if (flag) requireZeros(block.bytes, 0, "a zeroed block");
  enterBlock(world, owner, block, { size, alignment });
  return true;
}

/** Allocates a block with a copy of bytes. */
export function allocateFromBytes(world: World, owner: Owner, operation: Operation): boolean {
  const { size, pick, flag } = operation;
  if (!world.hasRoom(size)) return false;
  const bytes = pattern(world.nextId(), size);
  const { alignment } = operation;
  const block = owner.source.allocateFrom(dataFor(bytes, pick), { alignment, terminated: flag });
  return enterCopy(world, owner, block, bytes, operation);
}

/** Allocates a block with a copy of a string. */
export function allocateFromString(world: World, owner: Owner, operation: Operation): boolean {
  const { alignment, pick, flag } = operation;
  const text = textFor(pick);
  const block = owner.source.allocateFrom(text, { alignment, terminated: flag });
  return enterCopy(world, owner, block, new TextEncoder().encode(text), operation);
}

function enterCopy(
  world: World,
  owner: Owner,
  block: Block,
  bytes: Uint8Array,
  { alignment, flag }: Operation,
): true {
  const size = bytes.length + (flag ? 1 : 0);
  world.account.add(1, size);
  requireBytes(block.bytes.subarray(0, bytes.length), bytes, "a copy");
  if (flag) assert.equal(block.bytes[bytes.length], 0, "the end of a string");
  enterBlock(world, owner, block, { size, alignment: Math.max(16, alignment) });
  return true;
}

/** Resizes a block. */
export function reallocate(
  world: World,
  owner: Owner,
  held: HeldBlock | undefined,
  { size, flag }: Operation,
): boolean {
  if (held === undefined || !world.hasRoom(size)) return false;
  const { block, id, size: old, views, alignment, address } = held;
  requireIntact(held);
  const result = flag
    ? owner.source.reallocate(block, size, { zeroed: true })
    : owner.source.reallocate(block, size);
  world.account.add(0, size - old);
  assert.equal(result, block);
  assert.equal(block.size, size);
  assert.equal(block.address % alignment, 0, `block ${id} has lost its alignment`);
  requireDetached(views, `block ${id}, resized,`);
  requirePattern(block.bytes, id, Math.min(old, size), `block ${id}, resized,`);
  if (flag) requireZeros(block.bytes, old, `block ${id}, grown with zeros,`);
  world.ranges.remove(address);
  held.address = block.address;
  held.size = size;
  enterRange(world, held);
  renewViews(held);
  block.bytes.set(pattern(id, size));
  return true;
}

/** Frees a block, in one of the ways that there are. */
export function free(
  world: World,
  owner: Owner,
  held: HeldBlock | undefined,
  { pick }: Pick<Operation, "pick">,
): boolean {
  if (held === undefined) return false;
  const { block, address, size } = held;
  requireIntact(held);
  if (pick % 3 === 0) owner.source.free(block);
  else if (pick % 3 === 1) block.free();
  else block[Symbol.dispose]();
  world.account.add(-1, -size);
  world.ranges.remove(address);
  leaveBlock(owner, held);
  world.bury(block, "freed");
  return true;
}

/** Every use of a block that has ended is refused, and changes nothing. */
export function misuse(world: World, { block, reason }: World["ended"][number]): void {
  const { memory } = world;
  const uses: (() => unknown)[] = [
    () => block.free(),
    () => block.release(),
    () => block.transfer(),
    () => block.address,
    () => block.usableSize,
    () => block.as(Uint8Array),
  ];
  for (const use of uses) requireRefusal("BlockError", reason, use);
  for (const use of [() => memory.free(block), () => memory.reallocate(block, 10)]) {
    try {
      use();
    } catch (error) {
      // A heap's block is refused as foreign first.
      const found = Reflect.get(Object(error), "reason");
      if (found === reason || found === "foreign") continue;
      throw error;
    }
    assert.fail(`${use} was to be refused`);
  }
  block[Symbol.dispose]();
  requireOver(block);
}
