/**
 * Memory that an asynchronous native call uses: it stays until the call has ended.
 *
 * @module
 */
import { inspect } from "node:util";
import { BlockError } from "../../errors.ts";

/** What is in use, so that it is not collected meanwhile, whatever its callers drop. */
const kept = new Set<{ readonly memory: object }>();

/** The calls that use one piece of memory. */
export class Holds {
  #count = 0;
  readonly #actions: (() => unknown)[] = [];

  /** Whether there is any. */
  get any(): boolean {
    return this.#count > 0;
  }

  /** Does something when the last call has ended: at once when there is none. */
  whenOver(action: () => unknown): void {
    if (this.#count === 0) action();
    else this.#actions.push(action);
  }

  /** One more call. */
  begin(): void {
    this.#count++;
  }

  /** A call has ended. */
  end(): void {
    this.#count--;
    if (this.#count > 0) return;
    for (const action of this.#actions.splice(0)) action();
  }
}

/**
 * Holds memory until a promise is settled.
 *
 * @param memory What must not be collected before.
 * @returns The result of the promise, when the hold has ended.
 * @throws {TypeError} for what is not a promise.
 */
export function holdUntil<T>(
  action: string,
  promise: PromiseLike<T>,
  holds: readonly Holds[],
  memory: object,
): Promise<T> {
  if (typeof promise?.then !== "function") {
    throw new TypeError(`Cannot ${action}: the call must be a promise; got ${inspect(promise)}`);
  }
  // What a promise has of its own may throw: nothing is held then.
  const settled = Promise.resolve(promise);
  const entry = { memory };
  kept.add(entry);
  for (const each of holds) each.begin();
  return settled.finally(() => {
    kept.delete(entry);
    for (const each of holds) each.end();
  });
}

/** The error for memory that cannot leave, move or be used again while a call uses it. */
export function heldError(action: string, what: string): BlockError {
  return new BlockError(
    "held",
    `Cannot ${action} ${what}: an asynchronous call that was given to hold() still uses it. ` +
      "Await that first.",
  );
}
