import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { LICENCES_FILE, makeFlameGraph, SCRIPT_FILE } from "../../scripts/build-flame-graph.ts";

test("what runs in the page of a heap profile is made of today's sources and packages", async () => {
  const { script, licences } = await makeFlameGraph();
  const made = "npm run build:flame-graph makes it";
  assert.ok(readFileSync(SCRIPT_FILE, "utf8") === script, made);
  assert.ok(readFileSync(LICENCES_FILE, "utf8") === licences, made);
  for (const name of ["d3-flame-graph", "d3-selection", "d3-scale"]) {
    assert.match(licences, new RegExp(`^## ${name} \\d`, "m"));
  }
});
