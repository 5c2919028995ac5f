/**
 * One case in the runtime that runs this; its rows go to stdout as JSON.
 *
 * Arguments: the case, the runtime's short name, the allocator (`auto` for the policy's), and
 * `full` or `quick`.
 *
 * @module
 */
import process from "node:process";
import { type AllocatorChoice, openAllocator } from "../../mod.ts";
import type { RuntimeName } from "../../tools/runtimes.ts";
import { CASES } from "./all.ts";
import { EFFORTS } from "./rows.ts";

const [name = "", runtime = "", allocator = "", effort = ""] = process.argv.slice(2);
const found = CASES.find((each) => each.name === name);
if (found === undefined) throw new RangeError(`Cannot measure: there is no case "${name}"`);
const memory = openAllocator({ allocator: allocator as AllocatorChoice });
const rows = await found.measure({
  memory,
  path: memory.library?.path ?? "",
  runtime: runtime as RuntimeName,
  effort: EFFORTS[effort as keyof typeof EFFORTS],
});
process.stdout.write(JSON.stringify(rows));
