import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { findRuntimes, parseRuntimeNames } from "../../tools/runtimes.ts";
import { THOROUGH } from "../support/effort.ts";
import { EXPECTED, findTools, npmProject, PROGRAM } from "../support/npm-project.ts";
import { ROOT } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const tools = findTools();
const THERE = skipUnless("directory" in tools, "missing" in tools ? tools.missing : "");
const NAMES = "{ openAllocator, verifyAllocator }";
const PRINT = `${PROGRAM} console.log(JSON.stringify(report));\n`;

/** Bundles by webpack's own interface, and fails on a warning as on an error. */
const WEBPACK = `
const webpack = require("webpack");
const [filename] = process.argv.slice(2);
const output = { path: __dirname + "/dist", filename, chunkFormat: "commonjs" };
const minimize = ${THOROUGH}; // esbuild tries what is minified
const options = { context: __dirname, entry: "./program.mjs", target: "node", mode: "production" };
webpack({ ...options, optimization: { minimize }, output }, (error, stats) => {
  const { errors = [], warnings = [] } = stats?.toJson() ?? {};
  for (const { message } of [...errors, ...warnings]) console.error(message);
  process.exitCode = error !== null || errors.length + warnings.length > 0 ? 1 : 0;
});
`;

const TESTED = `${PROGRAM} expect(report).toEqual(${JSON.stringify(EXPECTED)});`;

const FILES = {
  "package.json": '{ "name": "program", "private": true }\n',
  "program.mjs": `import ${NAMES} from "offheap";\n${PRINT}`,
  "program.cjs": `const ${NAMES} = require("offheap");\n${PRINT}`,
  "program.cts": `import ${NAMES} from "offheap";\n${PRINT}`,
  "webpack.cjs": WEBPACK,
  "jest/allocator.test.js":
    `const ${NAMES} = require("offheap");\ntest("blocks", () => {${TESTED}});\n`,
  "vitest/allocator.spec.mjs": `import ${NAMES} from "offheap";
import { expect, test } from "vitest";
test("blocks", () => {${TESTED}});\n`,
  "jest.config.json": '{ "roots": ["<rootDir>/jest"] }\n',
};

const project = "directory" in tools ? await npmProject(tools.directory, FILES) : null;
const { found } = await findRuntimes(
  parseRuntimeNames(THOROUGH ? ["node26", "node22"] : ["node26"]),
);

function here(): NonNullable<typeof project> {
  assert.ok(project);
  return project;
}

/** Runs a program in each Node, and looks at what it reports. */
async function runInNodes(program: string): Promise<void> {
  for (const { binary, spec } of found) {
    const text = await here().run([program], binary);
    assert.deepEqual(JSON.parse(text), EXPECTED, `${program} in ${spec.title}`);
  }
}

/** The commands that bundle, by what they write. */
function bundlers(tool: (path: string) => string): Readonly<Record<string, readonly string[]>> {
  const esbuild = [tool("esbuild/bin/esbuild"), "--bundle", "--platform=node", "--log-limit=0"];
  const rollup = [tool("rollup/dist/bin/rollup"), "--failAfterWarnings", "--silent"];
  const plugins = ["-p", "@rollup/plugin-node-resolve", "-p", "@rollup/plugin-commonjs"];
  return {
    "esbuild.cjs": [...esbuild, "--format=cjs", "program.mjs", "--outfile=dist/esbuild.cjs"],
    "esbuild.mjs": [...esbuild, "--format=esm", "program.mjs", "--outfile=dist/esbuild.mjs"],
    "esbuild.min.cjs": [...esbuild, "--minify", "program.cjs", "--outfile=dist/esbuild.min.cjs"],
    "webpack.cjs": ["webpack.cjs", "webpack.cjs"],
    "rollup.mjs": [...rollup, ...plugins, "-f", "es", "-i", "program.mjs", "-o", "dist/rollup.mjs"],
  };
}

for (const output of Object.keys(bundlers((path) => path))) {
  test(
    `a program that is bundled into ${output} finds its library, without a warning`,
    THERE,
    async () => {
      const { tool, run } = here();
      await run(bundlers(tool)[output] ?? []);
      await runInNodes(join("dist", output));
    },
  );
}

test("require and import lead to one module, with one state", THERE, async () => {
  const both = `import { createRequire } from "node:module";
import * as imported from "offheap";
const required = createRequire(import.meta.url)("offheap");
const names = Object.keys(required);
console.log(names.length > 30, names.every((name) => imported[name] === required[name]));`;
  const words = ["--input-type=module", "--eval", both];
  for (const { binary } of found) assert.equal(await here().run(words, binary), "true true\n");
  await runInNodes("program.mjs");
  await runInNodes("program.cjs");
});

test("CommonJS TypeScript under module node16 compiles and runs", THERE, async () => {
  const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const options = [
    "--ignoreConfig",
    "--module",
    "node16",
    "--target",
    "es2024",
    "--strict",
    "--types",
    "",
  ];
  const { run } = here();
  await run([
    compiler,
    ...options,
    "--lib",
    "es2024,esnext.disposable,dom",
    "--outDir",
    "dist/tsc",
    "program.cts",
  ]);
  await runInNodes(join("dist", "tsc", "program.cjs"));
});

test("Jest runs it as it comes, without a setting", THERE, async () => {
  const { tool, run } = here();
  for (const { binary } of found) await run([tool("jest/bin/jest.js"), "--ci"], binary);
});

test("Vitest runs it as it comes, without a setting", THERE, async () => {
  const { tool, run } = here();
  for (const { binary } of found) {
    await run([tool("vitest/vitest.mjs"), "run", "--dir", "vitest"], binary);
  }
});
