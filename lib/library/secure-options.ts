/**
 * The run-time options of the `secure` variant beside a profile's. Its guards are built in.
 *
 * @module
 */

/** The options of each allocator: for mimalloc the names of variables, for jemalloc of `MALLOC_CONF`. */
export const SECURE_OPTIONS: Readonly<
  Record<"jemalloc" | "mimalloc", readonly { readonly name: string; readonly value: string }[]>
> = {
  jemalloc: [],
  // What it finds wrong in its own lists, behind offheap's layer, is told. Damage ends the process in
  // any case.
  mimalloc: [{ name: "MIMALLOC_SHOW_ERRORS", value: "1" }],
};
