/**
 * C++'s operators in an allocator's library, from offheap's own C.
 *
 * @module
 */
import type { BuiltAllocator } from "../../../lib/allocators/mod.ts";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { OPERATOR_SYMBOLS } from "../../../ffi/overrides.ts";
import type { Target } from "../../../lib/library/target.ts";
import { objectFormat } from "./link.ts";
import { ownSources } from "../root.ts";

const FILES: readonly string[] = ["operators.h", "operators.c", "operators-failed.c"];

/** The files of offheap's own C that go into an allocator's library. */
export function operatorFiles(target: Target): readonly string[] {
  return objectFormat(target) === "elf" ? FILES : [];
}

/** Copies the operators' files into a directory. */
export function copyOperators(directory: string): void {
  for (const file of FILES) copyFileSync(join(ownSources(), file), join(directory, file));
}

/** The lines of C that define the operators, after those that allocate. */
export function operatorLines(over: BuiltAllocator | "guard"): string[] {
  return [
    `#define OFFHEAP_${over.toUpperCase()}`,
    ...FILES.filter((file) => file.endsWith(".c")).map((file) => `#include "${file}"`),
  ];
}

/**
 * Appends the operators to the source that defines an allocator's `malloc` and `free`. What the
 * source has of them itself gets other names: mimalloc's end the process when memory runs out.
 *
 * @param source The path of the source; it is changed.
 */
export function addOperators(allocator: BuiltAllocator, source: string): void {
  copyOperators(dirname(source));
  const text = readFileSync(source, "utf8");
  const lines = [
    ...OPERATOR_SYMBOLS.map((name) => `#define ${name} ${allocator}_own_${name}`),
    `#line 1 "${source}"`,
    text,
    ...OPERATOR_SYMBOLS.map((name) => `#undef ${name}`),
    ...operatorLines(allocator),
    "",
  ];
  writeFileSync(source, lines.join("\n"));
}
