/**
 * Checking what callers pass in: a wrong type or an unknown name is refused, never passed over.
 *
 * @module
 */
import { inspect } from "node:util";

/** A value in one line, without what is in it: a view's bytes are many, and no message's business. */
export function glance(value: unknown): string {
  return inspect(value, { depth: 0, maxArrayLength: 0, breakLength: Infinity });
}

/**
 * A copy of an object's own properties, without a prototype: what a program, or somebody who
 * found a way to, has put on `Object.prototype` is no option.
 */
export function ownProperties<T extends object>(object: T): T {
  return Object.assign(Object.create(null), object);
}

/**
 * The options that a caller gave, by their own properties alone. Refuses what is not an object, and
 * names that are not known.
 *
 * @param action What the options are for, as it completes the sentence "Cannot …".
 * @throws {TypeError} for either; the message lists the known names.
 */
export function ownOptions<T extends object>(
  action: string,
  options: T,
  known: readonly (keyof T & string)[],
): T {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`Cannot ${action}: the options must be an object; got ${inspect(options)}`);
  }
  for (const name of Object.keys(options)) {
    if ((known as readonly string[]).includes(name)) continue;
    throw new TypeError(
      `Cannot ${action}: an option must be one of ${known.join(", ")}; got ${inspect(name)}`,
    );
  }
  // A copy is made only where the prototype has one of the names: options are read in hot calls.
  for (const name of known) {
    if (name in options && !Object.hasOwn(options, name)) return ownProperties(options);
  }
  return options;
}

/**
 * The known name that a value is.
 *
 * @throws {TypeError} when the value is no string.
 * @throws {RangeError} when it is another string; the message lists the known names.
 */
export function requireOneOf<T extends string>(
  action: string,
  what: string,
  value: unknown,
  known: readonly T[],
): T {
  const found = known.find((name) => name === value);
  if (found !== undefined) return found;
  const Kind = typeof value === "string" ? RangeError : TypeError;
  throw new Kind(
    `Cannot ${action}: ${what} must be one of ${known.join(", ")}; got ${inspect(value)}`,
  );
}

/**
 * Refuses what is neither a boolean nor left out.
 *
 * @throws {TypeError} for any other value.
 */
export function requireFlag(action: string, what: string, value: unknown): void {
  if (value === undefined || typeof value === "boolean") return;
  throw new TypeError(`Cannot ${action}: ${what} must be true or false; got ${inspect(value)}`);
}

/**
 * Refuses what is neither the path of a file nor left out.
 *
 * @throws {TypeError} for another type, an empty string, and a string with NUL in it.
 */
export function requirePath(action: string, what: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value === "string" && value !== "" && !value.includes("\0")) return;
  throw new TypeError(
    `Cannot ${action}: ${what} must be a path that is not empty; got ${inspect(value)}`,
  );
}

/**
 * Refuses what is no signal, and options that are a signal themselves: it has no properties of
 * its own that would give it away, and nothing would end what it was to end.
 *
 * @throws {TypeError} for either.
 */
export function requireSignal(action: string, options: object, signal: unknown): void {
  if (options instanceof AbortSignal) {
    throw new TypeError(
      `Cannot ${action}: the signal must be in an object, { signal }; got it alone`,
    );
  }
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw new TypeError(
    `Cannot ${action}: the signal must be an AbortSignal; got ${inspect(signal)}`,
  );
}
