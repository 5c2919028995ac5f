import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lintWorkflow, lintWorkflows } from "../../scripts/workflows/lint.ts";
import { ROOT } from "../support/runtime.ts";

const DIRECTORY = join(ROOT, ".github", "workflows");
const CI = readFileSync(join(DIRECTORY, "ci.yml"), "utf8");
const RELEASE = readFileSync(join(DIRECTORY, "release.yml"), "utf8");
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const SCRIPTS = new Set(Object.keys(scripts));

function linesOf(text: string, pattern: RegExp): number[] {
  return text.split("\n").flatMap((line, index) => pattern.test(line) ? [index + 1] : []);
}

test("this repository's workflows are in order", async () => {
  assert.deepEqual(await lintWorkflows(ROOT), []);
  assert.deepEqual(readdirSync(DIRECTORY).sort(), ["ci.yml", "nightly.yml", "release.yml"]);
});

/** Ways to break a workflow, and what is then said of the line. */
const BROKEN: readonly (readonly [from: string | RegExp, to: string, message: RegExp])[] = [
  ["timeout-minutes: 45", "timeout-minutess: 45", /unexpected key "timeout-minutess"/],
  ["${{ matrix.os }}", "${{ matrix.machine }}", /property "machine" is not defined/],
  ["needs: libraries", "needs: library", /needs job "library" which does not exist/],
  ["runs-on: ubuntu-24.04", "runs-on: ubuntu-99.04", /label "ubuntu-99.04" is unknown/],
  ["shell: bash", "shell: [", /^actionlint could not read it, so it is no YAML/],
  ["npm run ok", "npm run okay", /^package\.json has no script "okay"$/],
  ["npm run build:native", "npm run --silent build:nativ", /no script "build:nativ"$/],
  [/^permissions:\n {2}contents: read\n/m, "", /^the workflow must say its permissions/],
  [
    /actions\/checkout@[0-9a-f]{40}/,
    "actions/checkout@main",
    /^"actions\/checkout" must be pinned by a commit's hash, or by a version; got "main"$/,
  ],
];

test("a workflow that is broken is found, by its line", async () => {
  for (const [from, to, message] of BROKEN) {
    const text = CI.replace(from, to);
    assert.notEqual(text, CI, String(from));
    const problems = await lintWorkflow("ci.yml", text, SCRIPTS);
    const found = problems.filter((problem) => message.test(problem.message));
    assert.ok(found.length > 0, `${from}: ${JSON.stringify(problems)}`);
    assert.ok(found.every(({ file, line }) => file === "ci.yml" && line >= 1));
  }
  const text = CI.replace("npm run ok", "npm run okay");
  const [problem] = await lintWorkflow("ci.yml", text, SCRIPTS);
  assert.deepEqual([problem?.line], linesOf(text, /npm run okay/));
});

test("scripts and pins in comments, and npm's own words, are no problem", async () => {
  const text = CI.replace(
    "- run: npm run ok",
    "# npm run nothing, uses: a/b@main\n      - run: npm ci",
  );
  assert.deepEqual(await lintWorkflow("ci.yml", text, SCRIPTS), []);
});

test("CI runs on each system, and every job has a limit and no more rights than reading", () => {
  for (
    const machine of [
      "ubuntu-24.04",
      "ubuntu-24.04-arm",
      "macos-15",
      "macos-15-intel",
      "windows-2025",
      "windows-11-arm",
    ]
  ) {
    assert.ok(CI.includes(machine), machine);
  }
  assert.match(CI, /node:\$NODE_VERSION-alpine/);
  assert.equal(linesOf(CI, /: write$/).length, 0);
  for (const text of [CI, RELEASE]) {
    const runners = linesOf(text, /^ {4}runs-on:/).length;
    assert.equal(linesOf(text, /^ {4}timeout-minutes:/).length, runners);
    assert.equal(
      linesOf(text, /uses: actions\/checkout@/).length,
      linesOf(text, /persist-credentials: false/).length,
    );
  }
});

test("a release publishes what was tested, platform packages first, and only for a tag", () => {
  const order = [
    "uses: ./.github/workflows/ci.yml",
    "--builder=dnt --all-targets",
    "sha256sum offheap-*",
    "--provenance",
    "release:hashes",
    "deno publish",
    "attest-build-provenance",
    "gh release create",
  ];
  const positions = order.map((text) => RELEASE.indexOf(text));
  assert.ok(positions.every((position) => position > 0), String(positions));
  assert.deepEqual([...positions].sort((a, b) => a - b), positions);
  assert.match(RELEASE, /offheap-\[a-z\]\*\.tgz build\/release\/offheap-\[0-9\]\*\.tgz/);
  assert.match(RELEASE, /PUBLISH: .*event_name == 'push'.*refs\/tags\/v/);
});

test("every script of package.json is in CONTRIBUTING's table", () => {
  const text = readFileSync(join(ROOT, "CONTRIBUTING.md"), "utf8");
  const rows = text.split("\n").filter((line) => line.startsWith("| `npm "));
  const named = rows.flatMap((row) =>
    [...(row.split("|")[1] ?? "").matchAll(/`(?:npm (?:run )?)?([a-z:-]+)/g)].map(([, name]) =>
      name
    )
  );
  const missing = [...SCRIPTS].filter((name) => !named.includes(name) && name !== "ok");
  assert.deepEqual(missing, []);
  assert.deepEqual(named.filter((name) => !SCRIPTS.has(name ?? "")), []);
});
