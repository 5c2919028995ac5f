/**
 * All that is measured.
 *
 * @module
 */
import { type Case, TABLE_CASES } from "./cases.ts";
import { KEPT_CASE } from "./kept.ts";
import { WORKER_CASES } from "./workers.ts";

/** The cases in the order in which they are measured and shown. */
export const CASES: readonly Case[] = [
  ...TABLE_CASES,
  ...WORKER_CASES,
  KEPT_CASE,
];
