import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ROOT } from "../support/runtime.ts";

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
    "\\banew\\b",
  ].join("|"),
  "i",
);

const COMMENT = /\/\*[^]*?\*\/|(?<=^|\s)\/\/.*$/gm;
const TEXT = /"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;

/** The texts of a file's code, each with its file. */
function textsOf(path: string): string[] {
  const code = readFileSync(`${ROOT}/${path}`, "utf8").replace(COMMENT, "");
  return [...code.matchAll(TEXT)].map(([text]) => `${path}: ${text}`);
}

test("no message and no help has words that readers stumbled over", () => {
  const files = ["ffi", "lib"].flatMap((folder) =>
    readdirSync(`${ROOT}/${folder}`, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(?:ts|c|h)$/.test(name))
      .map((name) => `${folder}/${name}`)
  );
  const texts = files.flatMap(textsOf);
  assert.ok(texts.some((text) => text.includes("was not started: it was to")), "the shim's");
  assert.ok(texts.some((text) => text.includes("show the system, the allocator")), "the help's");
  assert.deepEqual(texts.filter((text) => STUMBLED_OVER.test(text)), []);
});
