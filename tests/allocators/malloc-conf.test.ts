import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { readConf } from "../../lib/allocators/jemalloc/conf.ts";
import { CONF_OPTIONS } from "../../lib/allocators/jemalloc/options.ts";
import { launchFixtures } from "../support/launch-fixtures.ts";
import { builtLibrary } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const LIBRARY = builtLibrary("jemalloc", "preload");
const BUILT = process.platform === "linux" && existsSync(LIBRARY);
const withJemalloc = () => skipUnless(BUILT, "needs the built jemalloc: npm run build:native");

const VERSION: string = BUILT
  ? JSON.parse(readFileSync(`${LIBRARY}.json`, "utf8")).version
  : "5.3.1";

let program: string | undefined;

/** What the built jemalloc complains of, a line each: what it cannot read, it says twice. */
function warnings(conf: string): string[] {
  program ??= launchFixtures().program;
  const { stderr } = spawnSync(program, [], {
    env: { MALLOC_CONF: conf, LD_PRELOAD: LIBRARY },
    encoding: "utf8",
  });
  // It also says where this process may not use all processors: that is of no option.
  const lines = stderr.split("\n").filter((line) =>
    line.startsWith("<jemalloc>: ") && !line.includes("Number of CPUs detected")
  );
  return [...new Set(lines)];
}

const TAKEN: readonly string[] = [
  "",
  "narenas:2",
  "narenas:default,dirty_decay_ms:-1",
  "dirty_decay_ms: 5000",
  "dirty_decay_ms:0x10,muzzy_decay_ms:010",
  "dirty_decay_ms:+5",
  "metadata_thp:au",
  "metadata:auto",
  "d:disabled",
  "dss:primary,thp:never,junk:alloc",
  "zero_realloc:free",
  "lg_tcache_max:99",
  "stats_print_opts:mdablxe",
  "percpu_arena:percpu,background_thread:false",
  "lg_tcache_nslots_mul:-16",
];

/** What jemalloc refuses, and how often. */
const REFUSED: readonly (readonly [string, number])[] = [
  ["background_thread:true;dirty_decay_ms:0", 1],
  ["dirty_decay_ms=0", 1],
  ["dirty_decay_ms:5000 , narenas:2", 2],
  ["narenas", 1],
  ["narenas:2,", 1],
  ["narenas:", 1],
  ["narenas:0", 1],
  ["narenas:two", 1],
  ["narenas:18446744073709551616", 1],
  ["dirty_decay_ms:9999999999999999999", 1],
  ["oversize_threshold:-1", 1],
  ["narenas:2,no_such_option:1,dirty_decay_ms:x", 2],
  ["dirty_decay_ms:-2", 1],
  ["dirty_decay_ms:08", 1],
  ["dirty_decay_ms:1e3", 1],
  ["background_thread:yes", 1],
  ["background_thread:TRUE", 1],
  ["junk:tru", 1],
  ["thp:sometimes", 1],
  ["lg_tcache_nslots_mul:17", 1],
  [",narenas:2", 1],
  ["narenas:2,,dirty_decay_ms:1", 1],
  ["narenas-2", 1],
];

test("what is said to be taken of MALLOC_CONF is what jemalloc takes", withJemalloc(), () => {
  for (const conf of TAKEN) {
    assert.deepEqual(warnings(conf), [], conf);
    assert.deepEqual(readConf(conf, VERSION).faults, [], conf);
  }
});

test("what jemalloc will not take is found, as often as it complains", withJemalloc(), () => {
  for (const [conf, count] of REFUSED) {
    const found = readConf(conf, VERSION).faults;
    assert.equal(warnings(conf).length, count, conf);
    assert.equal(found.length, count, `${conf}: ${found.join("; ")}`);
  }
});

test(
  "every option of the table that a version has is one that jemalloc knows",
  withJemalloc(),
  () => {
    // Of these the build decides: what it was built without, it does not know.
    const byBuild = /^(prof|lg_prof|utrace$|xmalloc$|log$|experimental_infallible_new$|lg_san_uaf)/;
    for (const { name } of CONF_OPTIONS) {
      const said = warnings(`${name}:no such value`);
      const known = !said.some((line) => line.includes("Invalid conf pair"));
      const reported = !readConf(`${name}:1`, VERSION).faults.some((fault) =>
        /came with|went with/.test(fault)
      );
      if (!byBuild.test(name)) assert.equal(known, reported, `${name}: ${said.join("; ")}`);
    }
  },
);

test("a fault names the pair, what is wrong with it, and what was meant", () => {
  const faults = (conf: string): string => readConf(conf, "5.3.1").faults.join("\n");
  assert.equal(
    faults("background_thread:true;dirty_decay_ms:0"),
    '"background_thread:true;dirty_decay_ms:0": background_thread must be true or false; got ' +
      '"true;dirty_decay_ms:0" (options are separated by commas, without blanks)',
  );
  assert.equal(
    faults("narenas=2,dirty_decay_ms:1"),
    '"narenas=2": it must be key:value, a key cannot hold "=", and reads nothing after it',
  );
  assert.equal(
    faults("dirty_deacy_ms:1"),
    '"dirty_deacy_ms:1": it has no option "dirty_deacy_ms", the nearest is "dirty_decay_ms"',
  );
  assert.match(
    faults("hpa_sec_bytes_after_flush:1"),
    /"hpa_sec_bytes_after_flush" went with jemalloc 5/,
  );
  assert.match(readConf("hpa:true", "5.2.1").faults.join(), /"hpa" came with jemalloc 5\.3$/);
  assert.deepEqual(readConf("something_new:1", "5.4.0").faults, [], "a newer one may have it");
});

test("only pairs that jemalloc takes are pairs, by their full names", () => {
  const { pairs } = readConf("metadata:auto,narenas:x,dirty_decay_ms:5,muzzy=1,narenas:2", "5.3.1");
  assert.deepEqual(pairs, [
    { key: "metadata_thp", value: "auto" },
    { key: "dirty_decay_ms", value: "5" },
  ]);
});
