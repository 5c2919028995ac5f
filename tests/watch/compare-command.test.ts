/**
 * The command `offheap compare`: its options, what it keeps and shows, and how it ends.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { z } from "zod";
import { writeComparison } from "../../lib/watch/compare/comparison.ts";
import { compare, PLAIN, readDocument, variantsFile } from "../support/compared.ts";
import { ComparisonSchema } from "../support/comparison-schema.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { ROOT } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const onLinux = skipUnless(process.platform === "linux", "it measures by Linux's /proc");

test(
  "Ctrl-C reports the whole rounds, ends what runs, and --resume goes on from there",
  onLinux,
  async () => {
    const directory = temporaryDirectory();
    const [file, count] = [join(directory, "saved.json"), join(directory, "count")];
    // The eighth run, which is in the second round, interrupts the comparison.
    const script =
      `echo x >> ${count}; [ $(wc -l < ${count}) -eq 8 ] && kill -INT $PPID && sleep 100; true`;
    const variants = ["--variants", variantsFile([PLAIN, { name: "other", plain: true }])];
    const words = ["--rounds", "3", ...variants, "--", "sh", "-c", script];
    const interrupted = await compare("--save", file, ...words);
    assert.equal(interrupted.status, 130, interrupted.stderr);
    assert.match(interrupted.stdout, /interrupted: the figures are of \d whole rounds/);
    const before = readDocument(readFileSync(file, "utf8"));
    assert.ok(before.interrupted && before.rounds < 3);
    const after = await compare("--resume", file, ...words);
    assert.equal(after.status, 0, after.stderr);
    const whole = readDocument(readFileSync(file, "utf8"));
    assert.equal(whole.rounds, 3);
    assert.equal(whole.interrupted, false);
    assert.deepEqual(whole.runs.slice(0, before.runs.length), before.runs);
    const others = await compare("--resume", file, "--rounds", "3", ...variants, "--", "true");
    assert.equal(others.status, 1);
    assert.match(others.stderr, /Cannot go on with .*: its command differs from what is asked/);
    const usual = await compare("--resume", file, "--rounds", "3", ...words.slice(-3));
    assert.match(usual.stderr, /Cannot go on with .*: its variants differ from what is asked/);
  },
);

test(
  "the page holds everything and asks for nothing; comparisons are shown again, alone or in pairs",
  onLinux,
  async () => {
    const directory = temporaryDirectory();
    const [file, page] = [join(directory, "a.json"), join(directory, "a.html")];
    const variants = variantsFile([PLAIN, { name: "<b>&", plain: true }]);
    const words = ["--rounds", "1", "--variants", variants, "--save", file, "--html", page];
    const first = await compare(...words, "--", "sh", "-c", "sleep 0.1");
    assert.equal(first.status, 0, first.stderr);
    assert.ok(existsSync(page));
    const html = readFileSync(page, "utf8");
    assert.match(html, /&lt;b&gt;&amp;/);
    assert.doesNotMatch(html, /<b>&|<script|https?:/);
    assert.match(html, /<polyline/);
    const again = await compare("--show", file);
    assert.equal(again.stdout, first.stdout);
    for (const option of ["--html", "--save"]) {
      const unwritten = join(directory, "none", "a");
      const refused = await compare(option, unwritten, "--", "sh", "-c", "echo began >&2");
      assert.equal(refused.status, 1);
      assert.match(
        refused.stderr,
        /^offheap: .*(ENOENT|no such file).*\n$/i,
        "before it is measured",
      );
    }
    const pair = await compare("--show", file, file);
    assert.equal(pair.status, 0, pair.stderr);
    assert.match(pair.stdout, /<b>&: time/);
    const full = await compare("--show", file, "--html", "/dev/full");
    assert.equal(full.stdout, first.stdout, "what was measured is printed");
    assert.match(full.stderr, /^offheap: .*ENOSPC.*\/dev\/full/);
    const taken = join(directory, "taken");
    mkdirSync(taken);
    assert.throws(() => writeComparison(taken, readDocument(readFileSync(file, "utf8"))));
    assert.deepEqual(readdirSync(directory).sort(), ["a.html", "a.json", "taken"]);
  },
);

test(
  "options that contradict, and files that are none, are refused with a sentence",
  onLinux,
  async () => {
    const bad = join(temporaryDirectory(), "bad.json");
    writeFileSync(bad, "{}");
    const rows: readonly (readonly [readonly string[], RegExp])[] = [
      [["--load", "true", "--", "true"], /are for servers/],
      [["--ready-line", "x", "--", "true"], /nothing to do once the program is ready/],
      [["--variants", bad, "--", "true"], /must hold an array of variants/],
      [
        ["--baseline", "nothing", "--", "true"],
        /Cannot compare with "nothing": the variants are system/,
      ],
      [["--profiles", "fast", "--", "true"], /there are balanced/],
      [["--show", bad], /must be what "offheap compare --save" has written/],
      [["--metric", "no group", "--", "true"], /with a group around the number/],
      [["--until", "3", "--", "true"], /must be a part such/],
      [["--band", "100%", "--", "true"], /must be a part such/],
      [["--higher-is-better", "--", "true"], /--higher-is-better is for --metric/],
      [["--rate", "5", "--", "true"], /--rate and --duration are for --requests/],
      [["--", "offheap-no-such-command"], /not found|no such/i],
      [[], /name the command/],
    ];
    for (const [words, expected] of rows) {
      const { status, stderr } = await compare(...words);
      assert.notEqual(status, 0, words.join(" "));
      assert.match(stderr, expected, words.join(" "));
      assert.doesNotMatch(stderr, /^\s+at /m);
    }
  },
);

test("the published schema is that of the JSON", () => {
  const published = readFileSync(join(ROOT, "docs/user-guide/comparison.schema.json"), "utf8");
  assert.deepEqual(JSON.parse(published), z.toJSONSchema(ComparisonSchema));
});

test(
  "a baseline that fails in a later round leaves the rounds before it, and the reason",
  onLinux,
  async () => {
    const count = join(temporaryDirectory(), "count");
    // The first run of the second round, after two warm-ups and three runs of the first.
    const script = `echo x >> ${count}; [ $(wc -l < ${count}) -ge 6 ] && sleep 100; true`;
    const variants = variantsFile([PLAIN, { ...PLAIN, name: "other" }]);
    const { status, stdout, stderr } = await compare(
      ...["--rounds", "3", "--timeout", "1s", "--variants", variants, "--", "sh", "-c", script],
    );
    assert.equal(status, 1);
    assert.match(stdout, /interrupted: the figures are of 1 whole rounds/);
    assert.match(stderr, /did not end within 1 s and was killed/);
  },
);
