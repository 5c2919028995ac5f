/**
 * `MALLOC_CONF` as jemalloc reads it, and what it will not take of it.
 *
 * @module
 */
import { compareVersions } from "../version-order.ts";
import { nearest } from "../../nearest.ts";
import { CONF_OPTIONS, type ConfOption, NEWEST_JEMALLOC } from "./options.ts";

/** One pair that jemalloc will take. */
export interface ConfPair {
  /** The key, in full. */
  readonly key: string;
  /** The value. */
  readonly value: string;
}

/** What jemalloc makes of a text. */
export interface Conf {
  /** What it will take, in order. */
  readonly pairs: readonly ConfPair[];
  /** What it will not take, each with its reason as a clause. */
  readonly faults: readonly string[];
}

/** A key, up to the colon: jemalloc stops at any other character. */
const KEY = /[A-Za-z0-9_]*/y;

/** A number as C reads one of any base: a sign, then `0x…`, `0…` or `1…`. */
const NUMBER = /^\s*[+-]?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/;

function optionOf(key: string): ConfOption | undefined {
  return CONF_OPTIONS.find(({ name }) => name === key) ??
    CONF_OPTIONS.find(({ name, abbreviated }) => abbreviated && name.startsWith(key));
}

function unknown(key: string, version: string): string | null {
  const option = optionOf(key);
  if (option === undefined) {
    const near = nearest(key, CONF_OPTIONS.map(({ name }) => name));
    if (near === null && compareVersions(version, NEWEST_JEMALLOC) > 0) return null;
    return `it has no option "${key}"${near === null ? "" : `, the nearest is "${near}"`}`;
  }
  const { since, before } = option;
  if (compareVersions(version, since) < 0) return `"${key}" came with jemalloc ${since}`;
  if (before === null || compareVersions(version, before) < 0) return null;
  return `"${key}" went with jemalloc ${before}`;
}

function numberFault(value: string, [least, most]: readonly [number, number]): string | null {
  if (!NUMBER.test(value)) return "a whole number";
  const size = Number(value.trim().replace(/^[+-]/, ""));
  if (size >= 2 ** (least < 0 ? 63 : 64)) return "a number of 64 bits";
  const signed = value.includes("-") ? -size : size;
  // What has no sign in C wraps round, as strtoumax does.
  const number = signed < 0 && least >= 0 ? 2 ** 64 + signed : signed;
  if (number >= least && number <= most) return null;
  return most === Infinity ? `at least ${least}` : `from ${least} to ${most}`;
}

/** What a value should be, where jemalloc refuses it. */
function wanted({ value: kind, words, bounds, abbreviated }: ConfOption, value: string) {
  const known = words.some((word) => abbreviated ? word.startsWith(value) : word === value);
  if (kind === "text" || known) return null;
  if (kind === "number") return numberFault(value, bounds);
  if (kind === "word") return `one of ${words.join(", ")}`;
  return value === "true" || value === "false" ? null : "true or false";
}

function judge(key: string, value: string, version: string): string | null {
  const text = `"${key}:${value}"`;
  const strange = unknown(key, version);
  if (strange !== null) return `${text}: ${strange}`;
  const option = optionOf(key);
  const must = option === undefined ? null : wanted(option, value);
  if (must === null) return null;
  const hint = /^[\w.:|-]*$/.test(value)
    ? ""
    : " (options are separated by commas, without blanks)";
  return `${text}: ${option?.name ?? key} must be ${must}; got "${value}"${hint}`;
}

/**
 * Reads a text as jemalloc of a version does: pairs `key:value` parted by commas, without blanks.
 * What it cannot read ends the reading; a pair that it will not take is passed over.
 */
export function readConf(text: string, version: string): Conf {
  const pairs: ConfPair[] = [];
  const faults: string[] = [];
  let at = 0;
  while (at < text.length) {
    KEY.lastIndex = at;
    const key = KEY.exec(text)?.[0] ?? "";
    const colon = at + key.length;
    const comma = text.indexOf(",", colon);
    const end = comma < 0 ? text.length : comma;
    if (text[colon] !== ":") {
      const stop = text[colon];
      const why = stop === undefined ? "it has no value" : `a key cannot hold "${stop}"`;
      const rest = end < text.length ? ", and reads nothing after it" : "";
      faults.push(`"${text.slice(at, end)}": it must be key:value, ${why}${rest}`);
      break;
    }
    const value = text.slice(colon + 1, end);
    const fault = judge(key, value, version);
    if (fault === null) pairs.push({ key: optionOf(key)?.name ?? key, value });
    else faults.push(fault);
    at = end + 1;
    if (at === text.length && end < text.length) faults.push(`"${text}": it ends with a comma`);
  }
  return { pairs, faults };
}
