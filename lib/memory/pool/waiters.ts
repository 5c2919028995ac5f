/**
 * The callers that wait for a block of a pool, in their order.
 *
 * @module
 */
import type { Lease } from "./lease.ts";

/** A caller that waits. */
export interface Waiter {
  /** Its stack, when that is recorded. */
  readonly trace: string | null;
  readonly grant: (lease: Lease) => void;
  readonly refuse: (error: unknown) => void;
}

/** All that wait for one pool. */
export class Waiters {
  readonly #waiting = new Set<Waiter>();

  /** How many there are. */
  get count(): number {
    return this.#waiting.size;
  }

  /** One more, until it is granted a lease or refused one, or its signal is aborted. */
  add(
    trace: string | null,
    signal: AbortSignal | undefined,
    resolve: (lease: Lease) => void,
    reject: (error: unknown) => void,
  ): void {
    const abort = (): void => {
      this.#waiting.delete(waiter);
      reject(signal?.reason);
    };
    const ended = (): void => signal?.removeEventListener("abort", abort);
    const waiter: Waiter = {
      trace,
      grant(lease) {
        ended();
        resolve(lease);
      },
      refuse(error) {
        ended();
        reject(error);
      },
    };
    signal?.addEventListener("abort", abort, { once: true });
    this.#waiting.add(waiter);
  }

  /** The one that has waited longest, taken out. */
  next(): Waiter | undefined {
    if (this.#waiting.size === 0) return undefined;
    const [first] = this.#waiting;
    if (first !== undefined) this.#waiting.delete(first);
    return first;
  }

  /** Refuses all of them. */
  refuseAll(error: unknown): void {
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const { refuse } of all) refuse(error);
  }
}
