import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { offheapCommand, ROOT, runChild, runtimeCommand } from "../support/runtime.ts";

/** What users had to read twice, in messages and in help. */
const STUMBLED_OVER = new RegExp(
  [
    "a comma alone",
    "say so, too",
    "its own default",
    "mallctl tells",
    "tell what is known",
    "or not at all",
    "has to be a file",
    "not a checkout",
    "none of this kind",
    "behind it",
    "is not built",
    "drops it",
    "If nobody has",
    "by their numbers?",
    "Give the number of",
    "process's number",
    "taken note",
    "refuses something",
  ].join("|"),
  "i",
);

/** Words for which the field has its own, or everybody a plainer one: in comments, names and documents. */
const UNUSUAL = new RegExp(
  [
    "\\banew\\b",
    "furniture",
    "workshop",
    "makeRoom",
    "complained about",
    "\\bits number\\b",
    "(?<!there )\\b(?:is|be) none\\b",
    "\\b(?:lies?|lain)\\b",
    "written whole",
    "\\bcut (?:off|short)\\b",
    "\\btold\\b",
    "tells(?! \\w+ apart)",
  ].join("|"),
  "gi",
);

const COMMENT = /\/\*[^]*?\*\/|(?<=^|\s)\/\/.*$/gm;
const TEXT = /"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;
/** Where a line ends and the next one of a comment begins: a phrase goes on there. */
const LINE_END = /\s*\n\s*(?:\/\/|\*|#)?\s*/g;

const CODE: ReadonlyMap<string, string> = new Map(
  ["ffi", "lib", "packages", "scripts", "deploy", "tools", "bench"].flatMap((folder) =>
    readdirSync(`${ROOT}/${folder}`, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(?:ts|js|c|h|sh|yml|json|service)$/.test(name))
      .filter((name) => !/\bpage\b.*\.ts$|node_modules/.test(name))
      .map((name) => `${folder}/${name}`)
  ).map((path) => [path, readFileSync(`${ROOT}/${path}`, "utf8")]),
);

test("no message and no help has words that readers stumbled over", () => {
  // What scripts say is for who builds: that something is not built, for one.
  const texts = [...CODE].filter(([path]) => !/^(?:scripts|tools|bench)/.test(path)).flatMap((
    [path, code],
  ) => (code.replace(COMMENT, "").match(TEXT) ?? []).map((text) => `${path}: ${text}`));
  assert.ok(texts.some((text) => text.includes("was not started: it was to")), "the shim's");
  assert.ok(texts.some((text) => text.includes("show the system, the allocator")), "the help's");
  assert.deepEqual(texts.filter((text) => STUMBLED_OVER.test(text)), []);
});

const DOCUMENTS: readonly string[] = [
  ...readdirSync(ROOT),
  ...readdirSync(`${ROOT}/docs`, { recursive: true, encoding: "utf8" }).map((name) =>
    `docs/${name}`
  ),
].filter((name) => name.endsWith(".md")).map((name) => join(ROOT, name));

test("comments, messages, names and documents are in plain words", () => {
  // What is quoted is named as it is, and what the changelog says of earlier versions as it was.
  const documents = DOCUMENTS.filter((path) => !path.endsWith("CHANGELOG.md"))
    .map((path) => [path, readFileSync(path, "utf8").replaceAll(/`[^`]*`/g, "")] as const);
  const found = [...CODE, ...documents].flatMap(([path, code]) => {
    const text = code.replaceAll(LINE_END, " ");
    return [...text.matchAll(UNUSUAL)]
      .map(({ index }) => `${path}: ${text.slice(Math.max(0, index - 30), index + 30)}`);
  });
  assert.deepEqual(found, []);
});

const GUIDES: readonly string[] = [
  "README.md",
  "docs/security.md",
  ...readdirSync(`${ROOT}/docs/user-guide`).filter((name) => name.endsWith(".md"))
    .map((name) => `docs/user-guide/${name}`),
];

/** Text that is typed: blocks for a shell, and words in a line of text. */
const TYPED = /^```sh\n([^]*?)^```$|(?<!`)`([^`\n]+)`(?!`)/gm;
/** A command of offheap's, with its options; what is after "--", in a comment or quoted is not its. */
const COMMAND =
  /(?:\boffheap ([a-z]+)|@offheap\/build(?:@[^\s]+)?)((?: (?!--(?: |$))[^\s"'#|;&)]+)*)/g;

/** The options that the guides give to each command; to `@offheap/build` by an empty name. */
function typedOptions(): Map<string, Map<string, string>> {
  const found = new Map<string, Map<string, string>>();
  for (const path of GUIDES) {
    for (const [, block, words] of readFileSync(`${ROOT}/${path}`, "utf8").matchAll(TYPED)) {
      const text = (block ?? words ?? "").replaceAll(/\\\n\s*/g, "");
      for (const [line, command = "", rest = ""] of text.matchAll(COMMAND)) {
        const options = found.get(command) ?? new Map<string, string>();
        for (const [option] of rest.matchAll(/(?<= )--?[a-z][a-z-]*/g)) {
          options.set(option, `${path}: ${line}`);
        }
        found.set(command, options);
      }
    }
  }
  return found;
}

/** What every command has, and what is so without being asked for. */
const OF_COURSE: ReadonlySet<string> = new Set(["--help", "--version", "--inherit"]);

test("each command and each option in the guides is one that there is, and each is in them", async () => {
  const found = typedOptions();
  const options = [...found.values()].reduce((sum, { size }) => sum + size, 0);
  assert.ok(found.size >= 9 && options >= 30, `${found.size} commands, ${options} options`);
  const guides = [...GUIDES, "packages/build/README.md"]
    .map((path) => readFileSync(`${ROOT}/${path}`, "utf8")).join("\n");
  const named = new Set(guides.match(/(?<![\w-])--[a-z][a-z-]*/g));
  for (const [command, typed] of found) {
    const words = command === ""
      ? runtimeCommand(`${ROOT}/packages/build/main.ts`, "--help")
      : offheapCommand(command, "--help");
    const { status, stdout, stderr } = await runChild(words);
    assert.equal(status, 0, `offheap ${command}: ${stderr}`);
    const known = new Set(stdout.match(/(?<=[ ,])--?[a-z][a-z-]*/g));
    for (const [option, line] of typed) assert.ok(known.has(option), `${line}: ${option}`);
    for (const [, option = ""] of stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)) {
      assert.ok(OF_COURSE.has(option) || named.has(option), `offheap ${command} ${option}`);
    }
  }
});

function withoutCode(path: string): string {
  return readFileSync(path, "utf8").replace(/^```[^]*?^```$/gm, "");
}

/** Whether a document has a heading that a link names. */
function hasHeading(path: string, name: string): boolean {
  const headings = [...withoutCode(path).matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) => text);
  return headings.some((text) =>
    text.toLowerCase().replace(/[^\p{L}\p{N}_\- ]/gu, "").replaceAll(" ", "-") === name
  );
}

test("each link between documents leads to a file, and to a heading that it has", () => {
  const links = DOCUMENTS.flatMap((path) =>
    [...withoutCode(path).matchAll(/\]\(([^)\s#:]*)(?:#([^)\s]+))?\)/g)]
      .map(([link, file = "", heading]) => ({ path, link, file, heading }))
  );
  assert.ok(links.length > 100, `${links.length} links`);
  const broken = links.filter(({ path, file, heading }) => {
    const other = file === "" ? path : join(dirname(path), file);
    return !existsSync(other) || (heading !== undefined && !hasHeading(other, heading));
  });
  assert.deepEqual(broken.map(({ path, link }) => `${path}: ${link}`), []);
});

/** What the records name as it is in the code, but for the one of what went. */
const RECORDS = DOCUMENTS.filter((path) =>
  /development.(?:ARCHITECTURE|decisions.(?!house)[a-z-]+)\.md$/.test(path)
);
/** Of Node's module vm, and of V8. */
const NOT_OURS: readonly string[] = ["runInContext", "ValueInputCount"];

test("each name and each file in the architecture's records is one that there is", () => {
  const words = new Set([...CODE.values()].flatMap((text) => text.match(/\w+/g) ?? []));
  const files = ["ffi", "lib", "packages", "scripts", "tests", "tools", "bench", "deploy", "docs"]
    .flatMap((folder) =>
      readdirSync(`${ROOT}/${folder}`, { recursive: true, encoding: "utf8" })
        .map((name) => `/${folder}/${name}`)
    );
  const names = RECORDS.flatMap((path) =>
    [...withoutCode(path).matchAll(/`([^`\n]+)`/g)].map(([, name = ""]) => ({ path, name }))
  );
  const identifiers = names.filter(({ name }) => /^[A-Za-z]*[a-z][A-Z]\w*(?:\(\))?$/.test(name));
  const paths = names.filter(({ name }) => /^[\w/-]+\.(?:test\.)?(?:ts|c|h)$/.test(name));
  assert.ok(
    identifiers.length >= 40 && paths.length > 100,
    `${identifiers.length}, ${paths.length}`,
  );
  const gone = [
    ...identifiers.filter(({ name }) =>
      !words.has(name.replace("()", "")) && !NOT_OURS.includes(name)
    ),
    ...paths.filter(({ name }) => !files.some((file) => file.endsWith(`/${name}`))),
  ];
  assert.deepEqual(gone.map(({ path, name }) => `${path}: ${name}`), []);
});

test("each of npm's scripts explains itself, and refuses what it does not know", () => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(
    readFileSync(join(ROOT, "package.json"), "utf8"),
  );
  const own = Object.entries(scripts).filter(([name, command]) =>
    name !== "prepare" && /^node \S+\.ts$/.test(command)
  );
  assert.ok(own.length > 25, String(own.length));
  const without = own.filter(([name, command]) => {
    const usage = ["test", "start"].includes(name) ? `npm ${name} --` : `npm run ${name} --`;
    const text = readFileSync(join(ROOT, command.slice("node ".length)), "utf8");
    return !text.includes(`Command("${usage}")`);
  });
  assert.deepEqual(without, []);
});
