/**
 * The verification as a whole.
 *
 * @module
 */
import process from "node:process";
import { ffi, runtimeInfo } from "../../ffi/mod.ts";
import { type AllocatorName, ALLOCATORS, isLoadable } from "../allocators/mod.ts";
import { LIBRARIES, withPermissions } from "../permissions.ts";
import { system } from "../system/mod.ts";
import { examineSystem, examineWithLibrary, type Findings } from "./findings.ts";
import { checkOptions, type VerifyOptions } from "./options.ts";
import { chooseAllocator, describeLibrary, keep, keptFor, libraryFor } from "./own-blocks.ts";
import { forgetProcess } from "./own-library.ts";
import type { RuntimeAllocator, Verification } from "./types.ts";

/** Bun has the version of its own mimalloc among `process.versions`; the others have none. */
export function runtimeAllocator(): RuntimeAllocator | null {
  const versions = process.versions as NodeJS.Dict<string>;
  const own = ALLOCATORS.find(({ name }) => Object.hasOwn(versions, name));
  if (own === undefined) return null;
  const { name } = own;
  return {
    name,
    version: versions[name] ?? null,
    note: `${runtimeInfo().name} links its own ${name} (${versions[name]}) statically and keeps ` +
      "most of its memory there: no preload replaces it, and it does not count as replaced",
  };
}

function report(allocator: AllocatorName, found: Findings): Verification {
  const evidence = [...found.library.evidence, ...found.process.evidence];
  return Object.freeze({
    runtime: ffi().runtime,
    platform: process.platform,
    arch: process.arch,
    libc: system().libc().name,
    memoryAllocator: allocator,
    memoryAllocatorVersion: found.library.version,
    memoryAllocatorVerified: found.library.verified,
    processAllocator: found.process.allocator,
    processAllocatorVersion: found.process.version,
    processAllocatorVerified: found.process.verified,
    runtimeAllocator: runtimeAllocator(),
    library: found.resolved === null ? null : Object.freeze(describeLibrary(found.resolved)),
    evidence: Object.freeze(evidence.map((item) => Object.freeze({ ...item }))),
  });
}

/**
 * Finds out, by evidence, which allocator offheap's own blocks come from and which one serves
 * libc's `malloc` in this process. Loads the library when it is not loaded yet. Allocates and
 * frees some hundred blocks of up to 384 MiB, of which no page is touched, to watch counters move.
 *
 * The process is asked once a thread, and the answer is kept, by the options; `refresh` asks again.
 * Where the allocator that is asked for serves the process, and neither a library nor a variant is
 * named, offheap's own blocks come from that instance.
 *
 * A library that is missing is a finding, not an error: its evidence says why.
 *
 * @throws {TypeError | RangeError} for bad options.
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment.
 * @throws {UnsupportedRuntimeError} when the runtime has no foreign function interface.
 */
export function verifyAllocator(options: VerifyOptions = {}): Verification {
  const own = checkOptions("verify the allocator", options);
  return withPermissions(LIBRARIES, () => answerTo(own));
}

function answerTo(options: VerifyOptions): Verification {
  const name = chooseAllocator(options);
  if (options.refresh === true) forgetProcess();
  else {
    const answer = keptFor(name, options)?.answer ?? null;
    if (answer !== null) return answer;
  }
  const found = isLoadable(name)
    ? examineWithLibrary(name, () => libraryFor(name, options))
    : examineSystem();
  const answer = report(name, found);
  const { resolved, library: finding } = found;
  // A library that could not be had may be there the next time; who serves the process is kept.
  if (resolved !== null || !isLoadable(name)) keep(name, options, { resolved, finding, answer });
  return answer;
}
