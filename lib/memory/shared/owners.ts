/**
 * What an allocator has to end when it is closed: its arenas, heaps and pools, held weakly.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";
import type { LeakReport } from "../leaks.ts";

/** Something made of an allocator's memory. */
export interface Owner {
  /** Whether an address is in memory of it that the allocator's own list does not have. */
  contains(address: Address): boolean;
  /** Ends it for its allocator; what was still in use, apart from the allocator's own blocks. */
  end(): LeakReport[];
}

/** Below this many nothing is swept. */
const FEW = 64;

/** The owners of one allocator. */
export class Owners {
  readonly #references = new Set<WeakRef<Owner>>();
  #limit = FEW;

  /** Adds one; the reference is what removes it. */
  add<O extends Owner>(owner: O): WeakRef<O> {
    if (this.#references.size >= this.#limit) this.#sweep();
    const reference = new WeakRef(owner);
    this.#references.add(reference);
    return reference;
  }

  /** Takes one out that has ended by itself. */
  remove(reference: WeakRef<Owner>): void {
    this.#references.delete(reference);
  }

  /** Whether an address is in memory of one of them. */
  contains(address: Address): boolean {
    return [...this.#references].some((reference) => reference.deref()?.contains(address) === true);
  }

  /** Ends all of them. */
  end(): LeakReport[] {
    const owners = [...this.#references].map((reference) => reference.deref());
    this.#references.clear();
    return owners.flatMap((owner) => owner?.end() ?? []);
  }

  #sweep(): void {
    for (const reference of this.#references) {
      if (reference.deref() === undefined) this.#references.delete(reference);
    }
    this.#limit = Math.max(FEW, 2 * this.#references.size);
  }
}
