import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { runtimeInfo } from "../../ffi/mod.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { onceInBun, THOROUGH } from "../support/effort.ts";
import {
  type ChildResult,
  FIXTURES,
  programOf,
  ROOT,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const EXAMPLES = join(ROOT, "examples", "off-heap");
const GUIDE = readFileSync(join(ROOT, "docs", "user-guide", "off-heap-memory.md"), "utf8");
const PACKAGE = '"@offheap/offheap"';
/** What programs import in its place. */
const MODULE = JSON.stringify(pathToFileURL(programOf(join(ROOT, "mod.ts"))).href);
const AT_ONCE = 3;

/** A program of a document, and what the document says that it prints. */
interface Program {
  /** Where it is: the file, and which of its programs. */
  readonly name: string;
  readonly code: string;
  readonly output: string | null;
}

/** What each example prints, in every runtime. */
const OUTPUT: Readonly<Record<string, string>> = {
  "http-arena.ts": "20 responses, 19020 lines, 395844 bytes\n0 blocks in use, 0 leaks\n",
  "image-pipeline.ts": "3 frames at once, 21 waiting\nwhite pixels: 4183, 4183, 4183, 4183, …\n" +
    "checksum: f56bcf12b8210365\n24 leases, 3 buffers allocated, 3 idle\n",
  "leaks.ts": "noticed: collected, block of 1048576 bytes\nallocated in: forgetful\n" +
    "closed with the block of 100 bytes open: true\nits view has 0 elements now\n",
  "struct.ts": "2001-09-09 01:46:40, day 252\n14 bytes: one;two;three;\n0 blocks in use\n",
  "worker.ts": "transferred 8000000 bytes; the view has 0 elements now\n" +
    "the first handle: claimed\nclaimed 8000000 bytes: the last element is 999998000001\n" +
    "0 unclaimed, 0 left open\n",
};

/** The programs of a Markdown text, each with the `text` block right after it. */
function programsOf(name: string, markdown: string): Program[] {
  const blocks = markdown.matchAll(/^(`{3,})ts\n(.*?)^\1\n(?:\n```text\n(.*?)^```\n)?/gms);
  return [...blocks]
    .filter(([, , code = ""]) => code.includes(PACKAGE))
    .map(([, , code = "", output], index) => ({
      name: `program ${index + 1} of ${name}`,
      code,
      output: output ?? null,
    }));
}

/** The programs after `@example` in a source's doc comments. */
function examplesOf(path: string): Program[] {
  const source = readFileSync(join(ROOT, path), "utf8");
  const comments = [...source.matchAll(/^\/\*\*.*?^ \*\/$/gms)].map(([comment]) =>
    comment.split("\n").map((line) => line.replace(/^ \* ?/, "")).join("\n")
  );
  const examples = comments.flatMap((comment) => comment.split(/^@example.*\n/m).slice(1));
  return examples.flatMap((example) => programsOf(path, example))
    .map((program, index) => ({ ...program, name: `example ${index + 1} of ${path}` }));
}

/** Runs programs, a few at once, and gives each with what became of it. */
async function runAll(programs: readonly Program[]): Promise<[Program, ChildResult][]> {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
  const results: [Program, ChildResult][] = [];
  const waiting = [...programs.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, program] = next;
      const path = join(directory, `program-${index}.ts`);
      writeFileSync(path, program.code.replaceAll(PACKAGE, MODULE));
      results.push([program, await runChild(runtimeCommand(path))]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

/** What is printed before each of several programs. */
const MARK = "---\n";

/** Programs, each a module of its own, one after the other in one process. */
function inTurn(programs: readonly Program[]): Program {
  const modules = programs.map(({ code }) => JSON.stringify(code.replaceAll(PACKAGE, MODULE)));
  return {
    name: programs.map(({ name }) => name).join(", "),
    code: `import { writeFileSync } from "node:fs";
import process from "node:process";
for (const [index, code] of [${modules.join(", ")}].entries()) {
  process.stdout.write(${JSON.stringify(MARK)});
  const url = new URL(import.meta.url.replace(".ts", \`-\${index}.ts\`));
  writeFileSync(url, code);
  await import(url.href);
}
`,
    output: null,
  };
}

/**
 * What programs print that end well and do not complain. Those of one list run in one process; on a
 * push all of them, as to start one takes longer than to run them.
 */
async function outputsOf(
  lists: readonly (readonly Program[])[],
): Promise<[Program, output: string][]> {
  const together = THOROUGH ? lists : [lists.flat()];
  const sorted = new Map(together.map((programs) => [inTurn(programs), programs]));
  const results = await runAll([...sorted.keys()]);
  return results.flatMap(([program, { status, stdout, stderr }]) => {
    const { name } = program;
    assert.equal(stderr, "", name);
    assert.equal(status, 0, name);
    const [before, ...outputs] = stdout.split(MARK);
    assert.equal(before, "");
    const programs = sorted.get(program) ?? [];
    assert.equal(outputs.length, programs.length, name);
    return programs.map((each, index): [Program, string] => [each, outputs[index] ?? ""]);
  });
}

function knowsUsing(): boolean {
  const { name, version } = runtimeInfo();
  return name !== "node" || Number.parseInt(version) >= 24;
}

const guided = programsOf("the guide", GUIDE);
const usesUsing = ({ code }: Program): boolean => /^\s*using /m.test(code);

for (const [name, output] of Object.entries(OUTPUT)) {
  test(`examples/off-heap/${name} prints what it is to print, and ends by itself`, async () => {
    const { status, stdout, stderr } = await runChild(runtimeCommand(join(EXAMPLES, name)));
    assert.equal(stderr, "");
    assert.equal(stdout, output);
    assert.equal(status, 0);
  });

  test(`the guide has examples/off-heap/${name} as it is, with what it prints`, () => {
    const code = readFileSync(join(EXAMPLES, name), "utf8").replaceAll('"../../mod.ts"', PACKAGE);
    const found = guided.filter((program) => program.code === code);
    assert.deepEqual(found.map((program) => program.output), [output]);
  });
}

test("each example in examples/off-heap is run and is in the guide", () => {
  assert.deepEqual(readdirSync(EXAMPLES).sort(), Object.keys(OUTPUT).sort());
});

/** The program under README's "Native memory", with what its comments say that it prints. */
function readmeProgram(): Program {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const section = readme.slice(readme.indexOf("\n## Native memory\n"));
  const [program] = programsOf("README.md", section.replace('"offheap"', PACKAGE));
  assert.ok(program !== undefined);
  return { ...program, output: "0\n0 1\n" };
}

test("each program of the guide, and README's, prints what it is said to print", async () => {
  const outputs = Object.values(OUTPUT);
  const own = guided.filter(({ output }) => output === null || !outputs.includes(output));
  assert.ok(own.length >= 5, `the guide has ${own.length} programs of its own`);
  const programs = [...own.filter((each) => knowsUsing() || !usesUsing(each)), readmeProgram()];
  for (const [{ name, output }, printed] of await outputsOf(programs.map((each) => [each]))) {
    assert.equal(printed, output, name);
  }
});

const UNKNOWN = skipUnless(!knowsUsing(), "the program with it is run above");

test("using is a syntax error where the guide says so", UNKNOWN, async () => {
  const programs = guided.filter(usesUsing);
  assert.equal(programs.length, 1);
  const [[, { status, stderr }] = assert.fail()] = await runAll(programs);
  assert.match(stderr, /SyntaxError: Unexpected identifier/);
  assert.notEqual(status, 0);
});

const ONCE = onceInBun("each interface has tests of its own in each runtime");

test("each @example of memory and of what watches it runs without a complaint", ONCE, async () => {
  const exporting = readFileSync(join(ROOT, "mod.ts"), "utf8");
  const sources = [...exporting.matchAll(/"\.\/(lib\/memory\/[^"]+)"/g)].map(([, path = ""]) =>
    path
  );
  assert.ok(sources.length > 10);
  const ffi = ["adapters/native-pointer", "open-library", "types"].map((name) => `ffi/${name}.ts`);
  const watch = ["memory/act", "memory/mallctl", "memory/process-memory", "pressure/watch"]
    .map((name) => `lib/watch/${name}.ts`);
  const others = ["mod.ts", "lib/errors.ts", "lib/allocators/policy.ts", ...ffi, ...watch];
  const files = [...others, ...sources].map((path) => {
    const examples = examplesOf(path);
    assert.notEqual(examples.length, 0, `${path} has an example that imports ${PACKAGE}`);
    return examples;
  });
  for (const [{ name }, text] of await outputsOf(files)) {
    assert.notEqual(text, "", `${name} shows something`);
  }
});

/** A row of the guide's messages: the parts between `…`, and the runtimes that it names. */
interface MessageRow {
  readonly message: string;
  readonly cause: string;
}

function messagesOf(markdown: string): MessageRow[] {
  const section = markdown.slice(markdown.indexOf("\n## Troubleshooting\n"));
  return [...section.matchAll(/^\| `(.*?)`\s+\| (.*?)\s+\|/gm)]
    .map(([, message = "", cause = ""]) => ({ message, cause }));
}

/** A runtime that a row is only about, as its cause names it. */
function concernsThis({ cause }: MessageRow): boolean {
  const { name, version } = runtimeInfo();
  if (/\bin Bun\b/.test(cause)) return name === "bun";
  if (/\bin Node 22\b/.test(cause)) return name === "node" && version.startsWith("22.");
  return true;
}

test("each message in the guide's troubleshooting is what offheap says", async () => {
  const fixture = join(FIXTURES, "memory-messages.ts");
  const { status, stdout, stderr } = await runChild(runtimeCommand(fixture), {
    variables: { OFFHEAP_LEAKS: undefined },
  });
  assert.equal(status, 0, stderr);
  const said = JSON.parse(stdout) as string[];
  const rows = messagesOf(GUIDE);
  assert.ok(rows.length > 20, `${rows.length} messages were found`);
  for (const row of rows.filter(concernsThis)) {
    const parts = row.message.split("…").map(escape);
    const pattern = new RegExp(`^${parts.join(".+")}`);
    assert.ok(said.some((message) => pattern.test(message)), `nothing said: ${row.message}`);
  }
});

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
