import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { buildAll } from "../../scripts/npm/build.ts";
import { listFiles } from "../../scripts/npm/files.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { type ChildResult, FIXTURES, ROOT, runChild, runtimeCommand } from "../support/runtime.ts";

/**
 * Builds by dnt, or rather by a module that stands in for it. dnt itself cannot be had on every
 * machine: these tests are of the builder around it, and not of what dnt makes. CONTRIBUTING tells
 * how dnt itself was tried.
 */
function buildByStandIn(
  standIn: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<ChildResult & { readonly out: string }> {
  const directory = temporaryDirectory();
  const script = join(ROOT, "scripts", "build-npm.ts");
  // Relative to where the command is typed.
  const options = ["--builder=dnt", "--dnt", standIn, "--out", directory];
  const command = runtimeCommand(script, ...options);
  return runChild(command, { cwd: FIXTURES, variables })
    .then((child) => ({ ...child, out: join(directory, "offheap") }));
}

test("dnt is used or refused: nothing stands in for it in silence", async () => {
  const absent = pathToFileURL(join(FIXTURES, "no-such-module.ts")).href;
  const other = "data:text/javascript,export default 1";
  const rows = [["no-such-module.ts", absent, "Module not found"], [
    other,
    other,
    "it has no function",
  ]];
  for (const [module = "", url, why] of rows) {
    const { status, stderr, out } = await buildByStandIn(module);
    const sentence = `Cannot build with dnt: @deno/dnt could not be loaded from "${url}" (${why}`;
    assert.ok(stderr.includes(sentence), stderr);
    assert.match(stderr, /or use --builder=tsc\.$/m);
    assert.equal(status, 1);
    assert.ok(!existsSync(out));
  }
});

test("dnt gets its options, and Bun gets this checkout's sources", async () => {
  const report = join(temporaryDirectory(), "options.json");
  const child = await buildByStandIn("dnt-stand-in.ts", { OFFHEAP_TEST_DNT_OPTIONS: report });
  assert.equal(child.status, 0, child.stderr);
  assert.match(child.stdout, /^built by dnt from file:\S+\/fixtures\/dnt-stand-in\.ts$/m);
  const options = JSON.parse(readFileSync(report, "utf8"));
  assert.equal(options.package.name, "offheap");
  assert.equal(options.scriptModule, false);
  assert.equal(options.declaration, "separate");
  assert.equal(options.skipNpmInstall, true);
  const directory = temporaryDirectory();
  await buildAll({ out: directory, builder: "tsc" });
  const main = join(directory, "offheap");
  assert.deepEqual(listFiles(child.out), listFiles(main));
  for (const file of ["package.json", "src/mod.ts", "src/ffi/mod.ts"]) {
    assert.deepEqual(readFileSync(join(child.out, file)), readFileSync(join(main, file)), file);
  }
});

test("a package that throws at its first call is not taken", async () => {
  const { status, stderr, out } = await buildByStandIn("dnt-without-polyfill.ts");
  assert.match(stderr, /^error: Cannot take the package, it does not work: /m);
  assert.match(stderr, /TypeError: .*is not a function/);
  assert.ok(stderr.split("\n").every((line) => line.length < 1000), "no bundle is quoted");
  assert.equal(status, 1);
  assert.ok(!existsSync(out));
});

test("sources whose lines are not this checkout's are not taken: the map counts them", async () => {
  const { status, stderr, out } = await buildByStandIn("dnt-with-shim.ts");
  assert.match(
    stderr,
    /^error: Cannot take what dnt made: its source "ffi\/mod\.ts" must have the lines/m,
  );
  assert.equal(status, 1);
  assert.ok(!existsSync(out));
});
