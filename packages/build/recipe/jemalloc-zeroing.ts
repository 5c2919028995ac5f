/**
 * How jemalloc makes memory zero that had another use before, for `calloc`.
 *
 * Version 5.3.0 drops the pages by madvise however many they are, so that each one faults in again;
 * that took half the throughput of servers with array buffers of 16 KiB to some megabytes. Version
 * 5.3.1 has an option for it (`calloc_madvise_threshold`, jemalloc's pull request 2631), with
 * this limit as its default. Here the version between is given a limit when it is compiled.
 *
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BuildError } from "../../../lib/errors.ts";

/** Bytes below which memory is written to, and not dropped: where "huge" begins in jemalloc. */
const ZEROING_LIMIT = 8 * 2 ** 20;

/** Where versions from 5.3.0 on decide. */
const FILE = "src/ehooks.c";
const DECISION = "needs_memset = pages_purge_forced(addr, size);";
const LIMITED = `needs_memset = size < ${ZEROING_LIMIT} || pages_purge_forced(addr, size);`;

/** The option of the versions that have one. */
const OWN_OPTION = "calloc_madvise_threshold";

/**
 * Gives jemalloc's source the limit.
 *
 * @param directory The unpacked source.
 * @returns Whether it was given; not to a version that has an option of its own, or one before
 * 5.3.0, which decides elsewhere.
 * @throws {BuildError} when the decision is not where it is expected.
 */
export function limitZeroing(directory: string): boolean {
  const path = join(directory, FILE);
  if (!existsSync(path)) return false;
  if (readFileSync(join(directory, "src/jemalloc.c"), "utf8").includes(OWN_OPTION)) return false;
  const [before, after, ...more] = readFileSync(path, "utf8").split(DECISION);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new BuildError(
      `Cannot build jemalloc: its ${FILE} must have "${DECISION}" once, which offheap gives a ` +
        "limit. Take the source of a release.",
    );
  }
  writeFileSync(path, before + LIMITED + after);
  return true;
}
