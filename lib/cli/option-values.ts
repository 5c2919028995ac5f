/**
 * What the values of options may be, and how one that may not be is answered.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";
import { readBytes, readDuration, readMemoryLimit } from "../run/agent.ts";
import { INTERVAL_RULE, readInterval } from "../run/heap-profiling.ts";

const DAY = 24 * 3_600_000;

/** A time such as `30s`, in milliseconds, above 0. */
export function parseTime(text: string): number {
  const milliseconds = readDuration(text);
  if (milliseconds !== null && milliseconds > 0 && milliseconds <= DAY) return milliseconds;
  throw new InvalidArgumentError("It must be a time up to a day, such as 500ms, 10s or 2m.");
}

/** A duration such as `5s`, in milliseconds, or 0. */
export function parseDuration(text: string): number {
  const milliseconds = readDuration(text);
  if (milliseconds !== null) return milliseconds;
  throw new InvalidArgumentError("It must be like 500ms, 2s, 5m or 0.");
}

/** A limit such as `400MiB`, in bytes, or `80%`. */
export function parseMemoryLimit(text: string): number | `${number}%` {
  const limit = readMemoryLimit(text);
  if (limit !== null) return limit;
  throw new InvalidArgumentError("It must be like 400MiB, 1.5GiB or 80%.");
}

/** A size such as `100MiB`, in bytes, above 0. */
export function parseBytes(text: string): number {
  const bytes = readBytes(text);
  if (bytes !== null && bytes > 0) return bytes;
  throw new InvalidArgumentError("It must be a size such as 100MiB.");
}

/** The bytes between two samples of the heap. */
export function parseInterval(text: string): number {
  const interval = readInterval(text);
  if (interval !== null) return interval;
  throw new InvalidArgumentError(`It must be ${INTERVAL_RULE}. Write -- before the command.`);
}

/** A file's path. */
export function parsePath(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("It must be the path of a file.");
}

function parseWhole(text: string, what: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number > 0) return number;
  throw new InvalidArgumentError(`It must be ${what}.`);
}

/** A process ID. */
export function parsePid(text: string): number {
  return parseWhole(text, "a process ID, such as 123");
}

/** A part of 1, as `3%` or `0.03`. */
export function parsePart(text: string): number {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? [];
  const part = Number(digits) / (percent === "%" ? 100 : 1);
  if (part > 0 && part < 1) return part;
  throw new InvalidArgumentError("It must be a part such as 3%.");
}

/** A whole number from 1 on. */
export function parseCount(text: string): number {
  return parseWhole(text, "a whole number from 1 on");
}

/** A URL of a server. */
export function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && ["http:", "https:"].includes(url.protocol)) return url;
  throw new InvalidArgumentError('It must be a URL such as "http://127.0.0.1:8080/health".');
}

/** A regular expression. */
export function parsePattern(text: string): RegExp {
  try {
    return new RegExp(text, "m");
  } catch (error) {
    throw new InvalidArgumentError(`It must be a regular expression: ${(error as Error).message}.`);
  }
}

/** A regular expression with a group, which is the number. */
export function parseMetric(text: string): RegExp {
  const pattern = parsePattern(text);
  const groups = new RegExp(`${text}|`).exec("")?.length ?? 1;
  if (groups > 1) return pattern;
  throw new InvalidArgumentError(
    'It must be a regular expression with a group around the number, such as "req/s: ([0-9.]+)".',
  );
}
