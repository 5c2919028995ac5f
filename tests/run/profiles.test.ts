import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { PROFILE_NAMES, type ProfileName } from "../../lib/allocators/profiles.ts";
import { launchEnvironment, type LaunchOptions } from "../../lib/run/plan.ts";
import { profileEnvironment } from "../../lib/run/tuning.ts";
import { launchFixtures } from "../support/launch-fixtures.ts";
import { skipUnless } from "../support/skip.ts";

const MIMALLOC_VERSIONS = ["2.0.9", "2.1.7", "2.4.1", "3.0.1", "3.4.3"];

/** The build of an allocator that is preloaded on this system, and its version; `null` when not built. */
function built(allocator: string): { path: string; version: string } | null {
  const libc = process.platform === "linux" && existsSync("/etc/alpine-release") ? "musl" : "gnu";
  const target = `${process.platform}-${process.arch}-${libc}`;
  const path = fileURLToPath(
    new URL(`../../build/native/${target}/preload/lib${allocator}.so`, import.meta.url),
  );
  if (!existsSync(path)) return null;
  const manifest: { version: string } = JSON.parse(readFileSync(`${path}.json`, "utf8"));
  return { path, version: manifest.version };
}

const JEMALLOC = built("jemalloc");
const MIMALLOC = built("mimalloc");

let program: string | undefined;

/** Runs a small program under a library, to its regular end, and gives what it wrote to stderr. */
function runUnder(library: string, variables: Readonly<Record<string, string>>): string {
  // The programs of the system close stderr before jemalloc can print its statistics.
  program ??= launchFixtures().program;
  const result = spawnSync(program, [], {
    env: { ...variables, LD_PRELOAD: library },
    encoding: "utf8",
  });
  assert.equal(result.status, 0, result.stderr);
  return result.stderr;
}

test("every profile has options for all versions that offheap supports", () => {
  for (const name of PROFILE_NAMES) {
    profileEnvironment(name, "jemalloc", "5.3.0", {});
    for (const version of MIMALLOC_VERSIONS) profileEnvironment(name, "mimalloc", version, {});
  }
});

const BALANCED = "dirty_decay_ms:10000,muzzy_decay_ms:0,oversize_threshold:33554432";
const WITH_AGENT = "dirty_decay_ms:30000,muzzy_decay_ms:30000,oversize_threshold:33554432";
const BACKGROUND = { OFFHEAP_BACKGROUND: "runtimes" };

test("balanced jemalloc gives memory back in the background after ten seconds", () => {
  assert.deepEqual(profileEnvironment("balanced", "jemalloc", "5.3.0", { HOME: "/x" }), {
    variables: { MALLOC_CONF: BALANCED, ...BACKGROUND },
    kept: [],
    notes: [],
  });
});

test("with the agent, which gives memory back at rest, balanced jemalloc keeps pages for longer", () => {
  const conf = (options: LaunchOptions): string | undefined =>
    launchEnvironment({ allocator: "jemalloc", ...options }).MALLOC_CONF;
  const agent = process.platform === "linux";
  assert.equal(conf({}), agent ? WITH_AGENT : BALANCED);
  assert.equal(conf({ agent: false }), BALANCED);
  if (agent) assert.equal(conf({ idleTrim: 0 }), BALANCED, "it gives nothing back at rest");
});

test("no profile starts a thread by MALLOC_CONF, which children inherit", () => {
  for (const name of PROFILE_NAMES) {
    for (const version of ["5.1.0", "5.3.0", "5.3.1"]) {
      const { variables } = profileEnvironment(name, "jemalloc", version, {});
      assert.doesNotMatch(variables.MALLOC_CONF ?? "", /background_thread/, `${name} ${version}`);
      assert.equal(variables.OFFHEAP_BACKGROUND, "runtimes");
    }
  }
});

test("jemalloc's options are those that its version knows", () => {
  const keys = (version: string): readonly string[] => {
    const { variables } = profileEnvironment("balanced", "jemalloc", version, {});
    return (variables.MALLOC_CONF ?? "").split(",").map((pair) => pair.split(":")[0] ?? "");
  };
  const always = ["dirty_decay_ms", "muzzy_decay_ms"];
  assert.deepEqual(keys("5.1.0"), always);
  assert.deepEqual(keys("5.2.1"), [...always, "oversize_threshold"]);
  // What only the newest version knows would have each older jemalloc of a child complain.
  for (const version of ["5.3", "5.3.1", "5.3.12-4-g0a1b2c3", "5.4.0", "6.0"]) {
    assert.deepEqual(keys(version), [...always, "oversize_threshold"], version);
  }
});

test("mimalloc's variables have the names that its version knows", () => {
  const of = (version: string): Readonly<Record<string, string>> =>
    profileEnvironment("low-memory", "mimalloc", version, {}).variables;
  assert.deepEqual(of("2.0.9"), {
    MIMALLOC_DECOMMIT_DELAY: "0",
    MIMALLOC_SEGMENT_DECOMMIT_DELAY: "0",
    MIMALLOC_ABANDONED_PAGE_DECOMMIT: "1",
  });
  // Before 2.3 there is no such option, and no huge page is asked for.
  assert.deepEqual(of("2.1.1"), of("2.0.9"), "2.1.2 renamed them");
  assert.deepEqual(of("2.1.2"), {});
  assert.deepEqual(of("2.2.4"), {});
  assert.deepEqual(of("2.3.0"), { MIMALLOC_ALLOW_THP: "0" });
  assert.deepEqual(of("2.4.1"), { MIMALLOC_ALLOW_THP: "0" });
  assert.deepEqual(of("2.12.0"), { MIMALLOC_ALLOW_THP: "0" });
  assert.deepEqual(of("3.0.0"), { MIMALLOC_PURGE_DELAY: "0" });
  assert.deepEqual(of("3.12.1"), { MIMALLOC_PURGE_DELAY: "0" });
});

test("the system's allocator has no options", () => {
  assert.deepEqual(profileEnvironment("throughput", "system", "2.36", {}), {
    variables: {},
    kept: [],
    notes: [],
  });
});

test("a user's keys in MALLOC_CONF stay as they are, and ours for them are left out", () => {
  const merged = profileEnvironment("balanced", "jemalloc", "5.3.0", {
    MALLOC_CONF: "dirty_decay_ms:9000,stats_print:true",
  });
  assert.deepEqual(merged, {
    variables: {
      MALLOC_CONF: BALANCED.replace("dirty_decay_ms:10000,", "") +
        ",dirty_decay_ms:9000,stats_print:true",
      ...BACKGROUND,
    },
    kept: ["MALLOC_CONF:dirty_decay_ms"],
    notes: [],
  });
});

test("a user's key counts under its other name, and no key counts by a part of its name", () => {
  const other = profileEnvironment("low-memory", "jemalloc", "5.3.0", {
    MALLOC_CONF: "tcache_max:65536",
  });
  assert.deepEqual(other.kept, ["MALLOC_CONF:tcache_max"]);
  assert.doesNotMatch(other.variables.MALLOC_CONF ?? "", /lg_tcache_max/);
  const part = profileEnvironment("balanced", "jemalloc", "5.3.0", {
    MALLOC_CONF: "max_background_threads:2",
  });
  assert.deepEqual(part.kept, []);
  assert.match(part.variables.MALLOC_CONF ?? "", /^dirty_decay_ms:10000,.*threads:2$/);
  assert.equal(part.variables.OFFHEAP_BACKGROUND, "runtimes");
});

test("nothing is set when the user set all of it, and an empty MALLOC_CONF counts as unset", () => {
  const user = "muzzy_decay_ms:1,dirty_decay_ms:2,background_thread:false," +
    "oversize_threshold:0";
  const all = profileEnvironment("balanced", "jemalloc", "5.3.0", { MALLOC_CONF: user });
  assert.deepEqual(all.variables, {});
  assert.equal(all.kept.length, 4);
  const empty = profileEnvironment("balanced", "jemalloc", "5.3.0", { MALLOC_CONF: "" });
  assert.equal(empty.variables.MALLOC_CONF, BALANCED);
});

test("mimalloc's variables that the user set are left alone, in any case and by old names", () => {
  const names = ["MIMALLOC_PURGE_DELAY", "mimalloc_purge_delay", "MIMALLOC_RESET_DELAY"];
  for (const name of names) {
    for (const value of ["77", "", "0"]) {
      const merged = profileEnvironment("throughput", "mimalloc", "2.4.1", { [name]: value });
      const variables = { MIMALLOC_ALLOW_THP: "0" };
      assert.deepEqual(merged, { variables, kept: [name], notes: [] });
    }
  }
  const partly = profileEnvironment("low-memory", "mimalloc", "2.0.9", {
    MIMALLOC_SEGMENT_DECOMMIT_DELAY: "5",
    MIMALLOC_SHOW_STATS: "1",
    MIMALLOC_DECOMMIT_DELAY: undefined,
  });
  assert.deepEqual(partly.kept, ["MIMALLOC_SEGMENT_DECOMMIT_DELAY"]);
  assert.deepEqual(Object.keys(partly.variables), [
    "MIMALLOC_DECOMMIT_DELAY",
    "MIMALLOC_ABANDONED_PAGE_DECOMMIT",
  ]);
});

test("what jemalloc will not take of MALLOC_CONF keeps nothing of the profile out, and is reported", () => {
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["background_thread:true;dirty_decay_ms:0", [], /"background_thread:true;dirty_decay_ms:0"/],
    ["dirty_decay_ms=0", [], /"dirty_decay_ms=0": it must be key:value, a key cannot hold "="/],
    ["dirty_decay_ms:5000 , narenas:2", [], /"dirty_decay_ms:5000 ": .* must be a whole number/],
    ["narenas:2, dirty_decay_ms:1", ["MALLOC_CONF:narenas"], /" dirty_decay_ms:1": it must be/],
  ];
  for (const [user, kept, note] of cases) {
    const merged = profileEnvironment("low-memory", "jemalloc", "5.3.1", { MALLOC_CONF: user });
    assert.deepEqual(merged.kept, kept, user);
    assert.match(String(merged.variables.MALLOC_CONF), /^dirty_decay_ms:5000,/);
    assert.ok(merged.variables.MALLOC_CONF?.endsWith(`,${user}`), "the user's text stays as it is");
    assert.equal(merged.variables.OFFHEAP_BACKGROUND, "runtimes");
    assert.match(merged.notes.join("\n"), note);
    assert.match(String(merged.notes[0]), /^MALLOC_CONF: jemalloc 5\.3\.1 does not accept "/);
  }
});

test("a value that mimalloc will not take is reported, and the profile's is set in its place", () => {
  for (const variable of ["MIMALLOC_DECOMMIT_DELAY", "mimalloc_decommit_delay"]) {
    const { variables, kept, notes } = profileEnvironment("low-memory", "mimalloc", "2.0.9", {
      [variable]: "abc",
    });
    assert.match(String(variables[variable]), /^\d+$/);
    assert.deepEqual(kept, []);
    assert.deepEqual(notes, [
      `${variable} must be a whole number, or on or off; got "abc"; the profile's "0" is set instead`,
    ]);
  }
  const translated = profileEnvironment("low-memory", "mimalloc", "2.0.9", {
    MIMALLOC_PURGE_DELAY: "abc",
    MIMALLOC_SHOW_STATS: "abc",
  });
  assert.match(String(translated.variables.MIMALLOC_DECOMMIT_DELAY), /^\d+$/);
  assert.deepEqual(translated.notes.map((note) => note.split("; ").at(-1)), [
    'the profile\'s "0" is set instead',
    "mimalloc uses its default instead",
  ]);
});

test("an option of mimalloc's by another version's name is set by that of this one", () => {
  const older = profileEnvironment("low-memory", "mimalloc", "2.0.9", {
    MIMALLOC_PURGE_DELAY: "7",
  });
  assert.equal(older.variables.MIMALLOC_DECOMMIT_DELAY, "7");
  assert.deepEqual(older.kept, ["MIMALLOC_PURGE_DELAY"]);
  assert.match(String(older.notes[0]), /is called MIMALLOC_DECOMMIT_DELAY in mimalloc 2\.0\.9/);
  const newer = profileEnvironment("throughput", "mimalloc", "3.4.3", {
    mimalloc_decommit_delay: "7",
  });
  assert.deepEqual(newer.variables, { MIMALLOC_PURGE_DELAY: "7" });
  const both = { MIMALLOC_PURGE_DELAY: "7", MIMALLOC_DECOMMIT_DELAY: "8" };
  const meant = profileEnvironment("throughput", "mimalloc", "2.0.9", both);
  assert.deepEqual(meant.kept, ["MIMALLOC_DECOMMIT_DELAY"]);
  assert.deepEqual(meant.notes, [], "who sets it for both versions has thought of it");
});

test("an unknown profile, allocator or version is refused, with the known ones", () => {
  const wrong: readonly [readonly unknown[], string, RegExp][] = [
    [
      ["fast", "jemalloc", "5.3.0", {}],
      "RangeError",
      /balanced, throughput, low-memory; got 'fast'/,
    ],
    [["constructor", "jemalloc", "5.3.0", {}], "RangeError", /got 'constructor'/],
    [[undefined, "jemalloc", "5.3.0", {}], "TypeError", /the profile must be .*; got undefined/],
    [
      ["balanced", "auto", "5.3.0", {}],
      "RangeError",
      /jemalloc, mimalloc, tcmalloc, system; got 'auto'/,
    ],
    [["balanced", "jemalloc", "4.5.0", {}], "RangeError", /at least 5\.1; got '4\.5\.0'/],
    [["balanced", "mimalloc", "1.7.0", {}], "RangeError", /at least 2\.0; got '1\.7\.0'/],
    [["balanced", "mimalloc", "new", {}], "RangeError", /like "5\.3\.0"; got 'new'/],
    [["balanced", "mimalloc", 209, {}], "TypeError", /got 209/],
    [["balanced", "jemalloc", "5.3.0", null], "TypeError", /an object; got null/],
  ];
  for (const [args, name, message] of wrong) {
    assert.throws(() => Reflect.apply(profileEnvironment, undefined, args), { name, message });
  }
});

test(
  "the built jemalloc understands every profile, and complains of an unknown option",
  skipUnless(JEMALLOC !== null, "needs the built jemalloc: npm run build:native"),
  () => {
    assert.ok(JEMALLOC);
    const complaint = runUnder(JEMALLOC.path, { MALLOC_CONF: "no_such_option:1" });
    assert.match(complaint, /Invalid conf pair: no_such_option:1/);
    for (const name of PROFILE_NAMES) {
      const { variables } = profileEnvironment(name, "jemalloc", JEMALLOC.version, {});
      assert.equal(runUnder(JEMALLOC.path, variables), "", name);
    }
  },
);

test(
  "the built jemalloc takes every value of every profile",
  skipUnless(JEMALLOC !== null, "needs the built jemalloc: npm run build:native"),
  () => {
    assert.ok(JEMALLOC);
    // What the options read back as: a bound of the caches is reported in bytes.
    const asTold: Readonly<Record<string, string>> = {
      "lg_tcache_max:12": "tcache_max: 4096",
    };
    for (const name of PROFILE_NAMES) {
      const user = { MALLOC_CONF: "abort_conf:true,stats_print:true,stats_print_opts:mdablxeh" };
      const { variables } = profileEnvironment(name, "jemalloc", JEMALLOC.version, user);
      const printed = runUnder(JEMALLOC.path, variables);
      for (const pair of variables.MALLOC_CONF?.split(",") ?? []) {
        if (pair.startsWith("stats_print")) continue;
        const line = `opt.${asTold[pair] ?? pair.replace(":", ": ")}`;
        assert.ok(
          printed.replaceAll('"', "").includes(line),
          `${name}: no "${line}" in ${printed}`,
        );
      }
    }
  },
);

test(
  "the built mimalloc takes every value of every profile, and warns of nothing",
  skipUnless(MIMALLOC !== null, "needs the built mimalloc: npm run build:native"),
  () => {
    assert.ok(MIMALLOC);
    for (const name of PROFILE_NAMES) {
      const { variables } = profileEnvironment(name, "mimalloc", MIMALLOC.version, {});
      const printed = runUnder(MIMALLOC.path, { ...variables, MIMALLOC_VERBOSE: "1" });
      assert.doesNotMatch(printed, /^mimalloc: (warning|error):/m);
      for (const [variable, value] of Object.entries(variables)) {
        const option = variable.replace("MIMALLOC_", "").toLowerCase();
        assert.match(printed, new RegExp(`option '${option}': ${value} *$`, "m"), name);
      }
    }
  },
);

test(
  "a user's value wins over the profile's in the allocator itself",
  skipUnless(JEMALLOC !== null && process.platform === "linux", "needs the built jemalloc"),
  () => {
    assert.ok(JEMALLOC);
    const user = "dirty_decay_ms:1234,stats_print:true,stats_print_opts:mdablxeh";
    const profile: ProfileName = "balanced";
    const { variables } = profileEnvironment(profile, "jemalloc", JEMALLOC.version, {
      MALLOC_CONF: user,
    });
    assert.match(runUnder(JEMALLOC.path, variables), /opt\.dirty_decay_ms: 1234/);
  },
);
