// Texts that nobody wrote, of the parts that each format has, read as those read them who made it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { readConf } from "../../lib/allocators/jemalloc/conf.ts";
import { CONF_OPTIONS } from "../../lib/allocators/jemalloc/options.ts";
import { readVariables } from "../../lib/allocators/mimalloc/variables.ts";
import { LaunchError } from "../../lib/errors.ts";
import { splitString } from "../../lib/run/env-command.ts";
import { parseMaps } from "../../lib/system/linux-maps.ts";
import { effort } from "../support/effort.ts";
import { skipUnless } from "../support/skip.ts";

const RUNS = { numRuns: effort(1000, 5000) };
/** Where each text starts a process. */
const FEW_RUNS = { numRuns: effort(60, 600) };

const SPLITS = spawnSync("env", ["-S", "true"]).status === 0;
const VARIABLES = { HOME: "/home/x", EMPTY: "" };

/** What the string of `env -S` is made of. */
const words: fc.Arbitrary<string> = fc.array(
  fc.oneof(
    fc.constantFrom(" ", "  ", "\t", "\n", "\v", "\f", "\r", "\u00a0", "\u2003", "'", '"', "#"),
    fc.constantFrom(..."fnrtv_#$\"'\\cqx0".split("").map((letter) => `\\${letter}`)),
    fc.constantFrom("${HOME}", "${EMPTY}", "${UNSET}", "${1}", "$", "${", "a", "b=c", "-i", "é"),
  ),
  { maxLength: 12 },
).map((parts) => parts.join(""));

test(
  "words of env -S are those of the system's env, and refused where it refuses or may have read more",
  skipUnless(SPLITS, "needs an env that has -S"),
  () => {
    const property = fc.property(words, (text) => {
      const { status, stdout } = spawnSync("env", ["-S", `printf [%s]\\\\n x ${text}`], {
        env: { ...VARIABLES, PATH: "/usr/bin:/bin" },
        encoding: "utf8",
      });
      let own: string[] | null;
      try {
        own = splitString(`x ${text}`);
      } catch (error) {
        assert.ok(error instanceof LaunchError, String(error));
        own = null;
      }
      const printed = own?.map((word) => `[${word}]\n`).join("") ?? null;
      if (printed !== null || !/[\\$#]/.test(text)) {
        assert.equal(printed, status === 0 ? stdout : null);
      }
    });
    fc.assert(property, FEW_RUNS);
  },
);

const keys = CONF_OPTIONS.map(({ name }) => name);
const value: fc.Arbitrary<string> = fc.constantFrom(
  "1",
  "-1",
  "0",
  "true",
  "auto",
  "x",
  "",
  "0x1f",
);
const pair: fc.Arbitrary<string> = fc.tuple(fc.constantFrom(...keys, "nothing", ""), value)
  .map(([key, value]) => `${key}:${value}`);
const confPart = fc.oneof(
  { weight: 6, arbitrary: pair },
  fc.constantFrom(",", ":", ";", " ", "=", "é", "\0"),
  fc.string({ maxLength: 5 }),
);

test("a MALLOC_CONF of any parts is read: each pair is taken, or has a reason", () => {
  const property = fc.property(fc.array(confPart, { maxLength: 8 }), (parts) => {
    const text = parts.join(",");
    const { pairs, faults } = readConf(text, "5.3.1");
    assert.ok(pairs.every(({ key }) => keys.includes(key)), JSON.stringify(pairs));
    for (const { value } of pairs) assert.ok(text.includes(`:${value}`), value);
    if (text !== "") assert.ok(pairs.length + faults.length > 0);
    // What was taken is taken again, and nothing else of it.
    const again = readConf(pairs.map(({ key, value }) => `${key}:${value}`).join(","), "5.3.1");
    assert.deepEqual([again.pairs, again.faults], [pairs, []]);
  });
  fc.assert(property, RUNS);
});

const variable: fc.Arbitrary<string> = fc.tuple(
  fc.constantFrom("MIMALLOC_", "mimalloc_", "Mimalloc_"),
  fc.oneof(
    fc.constantFrom("PURGE_DELAY", "DECOMMIT_DELAY", "ARENA_RESERVE", "__proto__", "", "purge"),
    fc.string({ maxLength: 12 }),
  ),
).map((parts) => parts.join(""));

test("mimalloc's variables of any name and value have a reason each, or are taken", () => {
  const environment = fc.dictionary(variable, fc.oneof(value, fc.string(), fc.constant("12KiB")), {
    maxKeys: 5,
  });
  const property = fc.property(
    environment,
    fc.constantFrom("2.0.9", "2.4.1", "3.4.3", "9.0.0"),
    (variables, version) => {
      const { strange, faults } = readVariables(variables, version);
      for (const { variable, why } of [...strange, ...faults]) {
        assert.ok(Object.hasOwn(variables, variable), variable);
        assert.notEqual(why, "");
      }
    },
  );
  fc.assert(property, RUNS);
});

const mapping = fc.record({
  start: fc.integer({ min: 0, max: 2 ** 46 }),
  length: fc.integer({ min: 1, max: 2 ** 20 }),
  permissions: fc.constantFrom("r-xp", "rw-p", "---p", "rw-s"),
  path: fc.option(
    fc.array(fc.constantFrom("a", " ", "\n", "é", "/", "(deleted)", ":", "-", "0"), {
      minLength: 1,
      maxLength: 8,
    }).map((parts) => `/${parts.join("")}x`),
  ),
  deleted: fc.boolean(),
});

test("a map is read as the kernel writes it, whatever is in the paths", () => {
  const property = fc.property(fc.array(mapping, { maxLength: 6 }), (mappings) => {
    const expected = mappings.map(({ start, length, permissions, path, deleted }) => ({
      start,
      end: start + length,
      offset: 0,
      permissions,
      path,
      deleted: path !== null && deleted,
      identity: "08:01 123",
    }));
    const text = expected.map(({ start, end, permissions, path, deleted, identity }) => {
      const name = path === null ? "" : `      ${path.replaceAll("\n", "\\012")}`;
      const span = `${start.toString(16)}-${end.toString(16)}`;
      return `${span} ${permissions} 00000000 ${identity} ${name}${deleted ? " (deleted)" : ""}\n`;
    }).join("");
    assert.deepEqual(parseMaps(text), expected);
  });
  fc.assert(property, RUNS);
});
