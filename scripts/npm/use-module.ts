/**
 * Uses a main package's module: `use-module.ts ENTRY`. Prints a report; throws when something of it
 * does not work.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const entry = resolve(process.argv[2] ?? "");
const offheap: typeof import("../../mod.ts") = await import(pathToFileURL(entry).href);

// A class's name is a string in it, which no minifier changes.
assert.equal(new offheap.OffheapError("ERR_OFFHEAP_TRIAL", "tried").name, "OffheapError");
assert.throws(
  () => offheap.openAllocator({ library: join(dirname(entry), "no-such-library") }),
  (error: Error) => error instanceof offheap.OffheapError && error.name === "LibraryLoadError",
);
console.log(JSON.stringify(offheap.verifyAllocator()));
