import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { listFiles } from "../../scripts/npm/files.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { THOROUGH } from "../support/effort.ts";
import { builtPackages } from "../support/npm-project.ts";
import { type ChildResult, FIXTURES, ROOT, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

/**
 * Builds by dnt, or rather by a module in its place. dnt itself cannot be had on every
 * machine: these tests are of the builder around it, and not of what dnt makes. CONTRIBUTING says
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

test("dnt is used or refused: nothing silently takes its place", async () => {
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
    assert.match(stderr, /or use --builder=esbuild\.$/m);
    assert.equal(status, 1);
    assert.ok(!existsSync(out));
  }
});

const NIGHTLY = skipUnless(THOROUGH, "each night; on a push the package of esbuild is tried");

test(
  "what dnt makes goes through the same bundler, and gives the same package byte for byte",
  NIGHTLY,
  async () => {
    const report = join(temporaryDirectory(), "options.json");
    const child = await buildByStandIn("dnt-stand-in.ts", { OFFHEAP_TEST_DNT_OPTIONS: report });
    assert.equal(child.status, 0, child.stderr);
    const ran =
      /^built by esbuild \S+, and the same by dnt from file:\S+\/fixtures\/dnt-stand-in\.ts$/m;
    assert.match(child.stdout, ran);
    const options = JSON.parse(readFileSync(report, "utf8"));
    assert.equal(options.scriptModule, false);
    assert.equal(options.declaration, false);
    assert.equal(options.skipNpmInstall, true);
    const main = join((await builtPackages()).out, "offheap");
    assert.deepEqual(listFiles(child.out), listFiles(main));
    for (const file of listFiles(main)) {
      assert.ok(readFileSync(join(child.out, file)).equals(readFileSync(join(main, file))), file);
    }
  },
);

test(
  "modules of dnt's that give other bytes are not taken: the first difference is shown",
  NIGHTLY,
  async () => {
    const { status, stderr, out } = await buildByStandIn("dnt-without-polyfill.ts");
    assert.match(
      stderr,
      /^error: Cannot take what dnt made: (mod|cli|run|main)\.cjs would have ".*/m,
    );
    assert.match(stderr, /ponyfill/);
    assert.ok(stderr.split("\n").every((line) => line.length < 1000), "no bundle is quoted");
    assert.equal(status, 1);
    assert.ok(!existsSync(out));
  },
);
