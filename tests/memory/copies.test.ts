// Two copies of offheap in one program, as two versions of the package would be.
import assert from "node:assert/strict";
import { cpSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import * as offheap from "../../mod.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { builtLibrary, ROOT } from "../support/runtime.ts";

const directory = temporaryDirectory();
const native = relative(ROOT, dirname(builtLibrary("offheap")));
for (const name of ["mod.ts", "lib", "ffi", native, "package.json"]) {
  cpSync(join(ROOT, name), join(directory, name), { recursive: true });
}
symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
const other: typeof offheap = await import(pathToFileURL(join(directory, "mod.ts")).href);

test("a block of another copy of offheap is refused with what it is, and left as it was", () => {
  const [memory, others] = [offheap.openAllocator(), other.openAllocator()];
  const block = others.allocate(100);
  const uses = [
    () => memory.free(block),
    () => memory.reallocate(block, 10),
    () => memory.usableSize(block),
  ];
  for (const use of uses) {
    assert.throws(use, {
      name: "BlockError",
      reason: "foreign",
      message: /it is of another copy of offheap in this program.*Its own methods free/,
    });
  }
  assert.equal(block.live, true);
  block.free();
  others.close();
  memory.close();
});

test("what another copy of offheap uses is not adopted; what it has released is", () => {
  const [memory, others] = ["system", "system"].map((allocator, index) =>
    (index === 0 ? offheap : other).openAllocator({ allocator } as offheap.OpenOptions)
  ) as [offheap.Allocator, offheap.Allocator];
  const block = others.allocate(100);
  assert.throws(() => memory.adopt(block.address, 100), {
    name: "BlockError",
    reason: "in use",
    message: /it is in use by a block of 100 bytes here/,
  });
  block.bytes.fill(7);
  const adopted = memory.adopt(block.release(), 100);
  assert.equal(adopted.bytes[99], 7);
  adopted.free();
  others.close();
  memory.close();
});

test("a handle of another copy of offheap, with a shim of its own, is refused and stays good", () => {
  const [memory, others] = [offheap.openAllocator(), other.openAllocator()];
  const handle = others.allocate(100).transfer();
  assert.throws(() => memory.claim(handle), {
    name: "BlockError",
    reason: "foreign",
    message: /or by another copy of offheap than this one/,
  });
  others.claim(handle).free();
  others.close();
  memory.close();
});
