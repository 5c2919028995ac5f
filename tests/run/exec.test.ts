import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";
import { ffi } from "../../ffi/mod.ts";
import { readBytes, readCString } from "../../ffi/symbols/memory.ts";
import type { Address } from "../../ffi/types.ts";
import type { CheckedFile } from "../../lib/run/checked-file.ts";
import { becomeProgram, encodeStringArray } from "../../lib/run/exec.ts";
import { builtLibrary } from "../support/runtime.ts";

test("an array of strings is one of C pointers, ended by NULL", () => {
  for (const strings of [[], [""], ["a", "", "ünïcödé 🐋", "x=y\n"]]) {
    const bytes = encodeStringArray(strings);
    const address = ffi().addressOf(bytes);
    const table = new BigUint64Array(readBytes(address, (strings.length + 1) * 8).buffer);
    const read = [...table].map((pointer) =>
      pointer === 0n ? null : readCString(Number(pointer) as Address)
    );
    assert.deepEqual(read, [...strings, null]);
  }
});

/** A file as the launcher has checked it. */
function checked(path: string): CheckedFile {
  const { dev: device, ino: inode, size, mode } = statSync(path);
  return { path, device, inode, size, mode, capabilities: false, program: true };
}

test("a program that is gone has status 127, one that cannot be executed 126, with the reason", () => {
  const shim = builtLibrary("offheap");
  const become = (path: string) => () => becomeProgram(shim, path, [path], [], checked("/"));
  assert.throws(become("/nonexistent/program"), {
    name: "LaunchError",
    status: 127,
    message: 'Cannot run "/nonexistent/program": no such file or directory (ENOENT).',
  });
  assert.throws(become("/"), {
    name: "LaunchError",
    status: 126,
    message: 'Cannot run "/": permission denied (EACCES).',
  });
  assert.throws(
    () => becomeProgram("/nonexistent/liboffheap.so", "/bin/true", ["true"], [], checked("/")),
    {
      name: "LibraryLoadError",
    },
  );
  // Were it executed after all, this process would fail.
  const program = "/bin/false";
  for (
    const change of [{ inode: 1 }, { device: 1 }, { size: 1 }, { mode: 1 }, { capabilities: true }]
  ) {
    const other = { ...checked(program), ...change };
    assert.throws(() => becomeProgram(shim, program, [program], [], other), {
      name: "LaunchError",
      status: 125,
      message: 'Cannot run "/bin/false": another file has taken its place while it was checked. ' +
        "Run it again.",
    });
  }
});
