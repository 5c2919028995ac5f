/**
 * `offheap compare` as who has installed the package gets it: an example, in this runtime.
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { platformPackage } from "../../lib/library/places.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { VERSION } from "../../lib/version.ts";
import { readDocument } from "../support/compared.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { effort, THOROUGH } from "../support/effort.ts";
import { builtPackages } from "../support/npm-project.ts";
import { ROOT, runChild, sourceCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const onLinux = skipUnless(process.platform === "linux", "it measures by Linux's /proc");

/** What the guide promises for a command of some seconds, and the round that it may end with. */
const LIMIT_MS = 150_000;

/** A project that has nothing but the package, and the example as a user would have copied it. */
async function project(): Promise<string> {
  const directory = temporaryDirectory();
  const { out } = await builtPackages();
  for (const name of ["offheap", platformPackage(hostTarget().name)]) {
    cpSync(join(out, name), join(directory, "node_modules", name), { recursive: true });
  }
  cpSync(join(ROOT, "node_modules/@koromix"), join(directory, "node_modules/@koromix"), {
    recursive: true,
  });
  writeFileSync(
    join(directory, "package.json"),
    JSON.stringify({ type: "module", dependencies: { offheap: VERSION } }),
  );
  const examples = join(directory, "examples");
  mkdirSync(examples);
  for (const name of ["document-pipeline", "documents"]) {
    cpSync(join(ROOT, "examples", name), join(examples, name), { recursive: true });
  }
  const text = readFileSync(join(ROOT, "examples/document-pipeline.ts"), "utf8");
  writeFileSync(
    join(examples, "document-pipeline.ts"),
    text.replace('from "../mod.ts"', 'from "offheap"'),
  );
  return directory;
}

test("the installed package compares an example under the usual variants", onLinux, async () => {
  const directory = await project();
  const cli = join(directory, "node_modules/offheap/dist/cli.cjs");
  const work = ["--rounds", String(effort(0, 1)), "--idle", "200"];
  const example = sourceCommand("examples/document-pipeline.ts", ...work);
  const save = join(directory, "comparison.json");
  const { status, stdout, stderr } = await runChild(
    sourceCommand(
      cli,
      ...["compare", "--save", save, ...(THOROUGH ? [] : ["--rounds", "1"])],
      ...["--", ...example],
    ),
    { cwd: directory, limit: LIMIT_MS, variables: { XDG_CACHE_HOME: join(directory, "cache") } },
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, /system with agent.*jemalloc.*mimalloc/);
  assert.match(stdout, /^(│ )?time +/m);
  const { leftOut, runs, outcome } = readDocument(readFileSync(save, "utf8"));
  assert.deepEqual(leftOut, []);
  assert.ok(runs.every((run) => run.status === 0));
  const judged = new Set(outcome.judgements.map(({ variant }) => variant));
  assert.deepEqual([...judged], ["system with agent", "jemalloc", "mimalloc"]);
});
