import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { readVariables, variablesLike } from "../../lib/allocators/mimalloc/variables.ts";
import { launchFixtures } from "../support/launch-fixtures.ts";
import { builtLibrary } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const LIBRARY = builtLibrary("mimalloc", "preload");
const BUILT = process.platform === "linux" && existsSync(LIBRARY);

function said(variables: Readonly<Record<string, string>>, version: string): readonly string[] {
  const { strange, faults } = readVariables(variables, version);
  return [...strange, ...faults].map(({ why }) => why);
}

test(
  "the built mimalloc's options are those of the table",
  skipUnless(BUILT, "needs the built mimalloc: npm run build:native"),
  () => {
    const version: string = JSON.parse(readFileSync(`${LIBRARY}.json`, "utf8")).version;
    const { stderr } = spawnSync(launchFixtures().program, [], {
      env: { MIMALLOC_VERBOSE: "1", LD_PRELOAD: LIBRARY },
      encoding: "utf8",
    });
    const names = [...stderr.matchAll(/option '(\w+)':/g)].map(([, name]) => String(name));
    assert.ok(names.length > 20, stderr);
    for (const name of names) {
      const variable = `MIMALLOC_${name.toUpperCase()}`;
      // It lists those, too, that it has no use for any more.
      const expected = name.startsWith("deprecated_") ? 1 : 0;
      const found = readVariables({ [variable]: "1" }, version).strange;
      assert.equal(found.length, expected, `${variable}: ${JSON.stringify(found)}`);
      if (expected === 0) assert.equal(variablesLike(variable, version)[0], variable);
    }
  },
);

test("an option is known by its name in the version, by older ones that it takes, in any case", () => {
  for (
    const [variable, version] of [
      ["MIMALLOC_DECOMMIT_DELAY", "2.0.9"],
      ["MIMALLOC_RESET_DELAY", "2.0.9"],
      ["mimalloc_purge_delay", "2.1.2"],
      ["MIMALLOC_RESET_DELAY", "3.4.3"],
      ["MIMALLOC_LARGE_OS_PAGES", "2.4.1"],
      ["MIMALLOC_ALLOW_THP", "2.4.1"],
      ["MIMALLOC_ALLOW_THP", "3.4.3"],
    ] as const
  ) {
    assert.deepEqual(said({ [variable]: "0" }, version), [], `${variable} ${version}`);
  }
});

test("another version's name is reported with this one's, and an option that is not there as such", () => {
  const [purge] = readVariables({ MIMALLOC_PURGE_DELAY: "0" }, "2.0.9").strange;
  assert.deepEqual([purge?.variable, purge?.instead], [
    "MIMALLOC_PURGE_DELAY",
    "MIMALLOC_DECOMMIT_DELAY",
  ]);
  const [decommit] = readVariables({ MIMALLOC_DECOMMIT_DELAY: "0" }, "2.4.1").strange;
  assert.equal(decommit?.instead, "MIMALLOC_PURGE_DELAY");
  assert.deepEqual(said({ MIMALLOC_ALLOW_THP: "0" }, "2.0.9"), [
    "MIMALLOC_ALLOW_THP is no option of mimalloc 2.0.9, and has no effect: it came with 2.2.6",
  ]);
  assert.deepEqual(said({ MIMALLOC_EAGER_COMMIT: "0" }, "3.4.3"), [
    "MIMALLOC_EAGER_COMMIT is no option of mimalloc 3.4.3, and has no effect: it went with 3.2",
  ]);
});

test("a misspelt variable is reported with the nearest one, by its name in the version", () => {
  const none = (version: string) =>
    `MIMALLOC_PRUGE_DELAY is no option of mimalloc ${version}, and has no effect`;
  assert.deepEqual(said({ MIMALLOC_PRUGE_DELAY: "0" }, "2.4.1"), [
    `${none("2.4.1")}: the nearest is MIMALLOC_PURGE_DELAY`,
  ]);
  assert.deepEqual(said({ MIMALLOC_PRUGE_DELAY: "0" }, "2.0.9"), [
    `${none("2.0.9")}: the nearest is MIMALLOC_DECOMMIT_DELAY`,
  ]);
  assert.deepEqual(said({ MIMALLOC_NOTHING_LIKE_IT: "0" }, "3.7.0"), [
    "offheap knows no option MIMALLOC_NOTHING_LIKE_IT of mimalloc 3.7.0",
  ]);
});

test("a value that mimalloc cannot read is reported, as it then takes its own", () => {
  for (const value of ["", "1", "on", "FALSE", "-1", "250"]) {
    assert.deepEqual(said({ MIMALLOC_PURGE_DELAY: value }, "2.4.1"), [], value);
  }
  for (const value of ["10ms", "1.5", "maybe", "1K"]) {
    assert.match(
      said({ MIMALLOC_PURGE_DELAY: value }, "2.4.1").join(),
      /must be a whole number, or on/,
    );
  }
  for (const value of ["4", "4G", "4GiB", "512mb"]) {
    assert.deepEqual(said({ MIMALLOC_ARENA_RESERVE: value }, "2.4.1"), [], value);
  }
  assert.match(said({ MIMALLOC_ARENA_RESERVE: "4X" }, "2.4.1").join(), /with or without a unit/);
});
