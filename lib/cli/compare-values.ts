/**
 * What the options of `offheap compare` may be.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";
import { readDuration } from "../run/agent.ts";

/** A time such as `30s`, in milliseconds, above 0. */
export function parseTime(text: string): number {
  const milliseconds = readDuration(text);
  if (milliseconds !== null && milliseconds > 0) return milliseconds;
  throw new InvalidArgumentError("It must be a time such as 500ms, 10s or 2m.");
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
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("It must be a whole number from 1 on.");
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
