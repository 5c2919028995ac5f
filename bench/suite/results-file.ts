/**
 * The suite's results as a file: `results.json`, and its JSON schema.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Results, StoredResults } from "./results.ts";
import { summaryOf } from "./summary.ts";

/** The schema's file, beside the results. */
export const SCHEMA_FILE = "results.schema.json";
/** The results' file. */
export const RESULTS_FILE = "results.json";

/** Writes the results, checked, and their schema into a directory. */
export function writeResults(directory: string, results: StoredResults): void {
  const schema = z.toJSONSchema(StoredResults);
  writeFileSync(join(directory, SCHEMA_FILE), `${JSON.stringify(schema, null, 2)}\n`);
  writeFileSync(join(directory, RESULTS_FILE), `${JSON.stringify(StoredResults.parse(results))}\n`);
}

/**
 * Reads results, and works out what they come to.
 *
 * @throws {Error} when they are missing, or do not fit the schema; the message says where.
 */
export function readResults(directory: string): Results {
  const path = join(directory, RESULTS_FILE);
  let data: unknown;
  try {
    data = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`Cannot read results: ${error instanceof Error ? error.message : error}`);
  }
  const parsed = StoredResults.safeParse(data);
  if (parsed.success) return { ...parsed.data, summary: summaryOf(parsed.data) };
  throw new Error(`Cannot read results: ${path} does not fit\n${z.prettifyError(parsed.error)}`);
}
