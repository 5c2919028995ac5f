/**
 * C++'s operators in an allocator's library, from offheap's own C.
 *
 * @module
 */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { OPERATOR_SYMBOLS } from "../../ffi/overrides.ts";
import type { Target } from "../../lib/library/target.ts";
import { objectFormat } from "./link.ts";
import { ownSources } from "./own-sources.ts";
import type { AllocatorName } from "./pins.ts";

const FILES: readonly string[] = ["operators.h", "operators.c"];

/** The files of offheap's own C that go into an allocator's library. */
export function operatorFiles(target: Target): readonly string[] {
  return objectFormat(target) === "elf" ? FILES : [];
}

/**
 * Puts the operators behind the source that defines an allocator's `malloc` and `free`. What the
 * source has of them itself gets other names: mimalloc's end the process when memory runs out.
 *
 * @param source The path of the source; it is changed.
 */
export function addOperators(allocator: AllocatorName, source: string): void {
  for (const file of FILES) copyFileSync(join(ownSources(), file), join(dirname(source), file));
  const text = readFileSync(source, "utf8");
  const lines = [
    ...OPERATOR_SYMBOLS.map((name) => `#define ${name} ${allocator}_own_${name}`),
    `#line 1 "${source}"`,
    text,
    ...OPERATOR_SYMBOLS.map((name) => `#undef ${name}`),
    `#define OFFHEAP_${allocator.toUpperCase()}`,
    "#define OFFHEAP_OPERATORS_HERE",
    ...FILES.map((file) => `#include "${file}"`),
    "",
  ];
  writeFileSync(source, lines.join("\n"));
}
