/**
 * `offheap compare` of real programs: servers under requests that a load generator really sends,
 * pictures, a compiler, documents.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { programsFor } from "../../bench/programs/list.ts";
import type { ProgramResult } from "../../bench/programs/tables.ts";
import { COMMITTED, DOCUMENT, documentWith } from "../../bench/programs.bench.ts";
import { freePort } from "../../tools/free-port.ts";
import { installLocked } from "../../tools/packages/locked.ts";
import { findRuntimes, parseRuntimeNames } from "../../tools/runtimes.ts";
import { compareWith, readDocument } from "../support/compared.ts";
import { THOROUGH } from "../support/effort.ts";
import { skipUnless } from "../support/skip.ts";

/** Where the load generator is, or why it is not. */
function findLoad(): { readonly bin: string } | { readonly missing: string } {
  try {
    return { bin: join(installLocked("load"), "node_modules", ".bin") };
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    return { missing: `the load generator could not be fetched from the npm registry (${why})` };
  }
}

const onLinux = process.platform === "linux";
const load = onLinux ? findLoad() : { missing: "it measures by Linux's /proc" };
const { found } = onLinux
  ? await findRuntimes(parseRuntimeNames(["node26", "deno", "bun"]))
  : { found: [] };
/** Each night: on a push watch/compare-servers has a server under load. */
const PROGRAMS = THOROUGH ? programsFor(found) : [];

for (const { id, title, words } of PROGRAMS) {
  const can = !id.startsWith("http") || "bin" in load;
  const reason = "missing" in load ? load.missing : "";
  test(`${title}: every variant does all of its work`, skipUnless(can, reason), async () => {
    const path = ["bin" in load ? load.bin : "", process.env.PATH ?? ""].join(":");
    const { status, stdout, stderr } = await compareWith(
      { variables: { PATH: path } },
      ...["--json", "--rounds", "1", ...words("test", await freePort())],
    );
    assert.equal(status, 0, stderr);
    const { leftOut, statuses, runs } = readDocument(stdout);
    assert.deepEqual([leftOut, statuses], [[], []]);
    assert.equal(runs.length, 5);
    for (const { figures, status, signal } of runs) {
      assert.ok(status === 0 || signal === "SIGTERM", `${status} ${signal}`);
      assert.ok((figures.peakBytes ?? 0) > 1e6);
      if (!id.startsWith("http")) continue;
      // The rate that was asked for, whatever the machine is busy with.
      assert.ok((figures.requestsPerSecond ?? 0) > 25, `${figures.requestsPerSecond} requests/s`);
      assert.ok((figures.latencyP99Seconds ?? 0) >= (figures.latencyP50Seconds ?? Infinity));
      assert.ok((figures.idleBytes ?? 0) > 1e6);
    }
  });
}

test(
  "the guide has the tables of the committed results",
  skipUnless(existsSync(COMMITTED), "nothing is committed"),
  () => {
    const results: ProgramResult[] = JSON.parse(readFileSync(COMMITTED, "utf8"));
    assert.equal(readFileSync(DOCUMENT, "utf8"), documentWith(results), "npm run bench:programs");
  },
);
