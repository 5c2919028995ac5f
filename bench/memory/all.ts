/**
 * All that is measured.
 *
 * @module
 */
import { type Case, TABLE_CASES } from "./cases.ts";

/** The cases in the order in which they are measured and shown. */
export const CASES: readonly Case[] = [...TABLE_CASES];
