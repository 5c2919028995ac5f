/**
 * Preloads under which an allocator may never get ready: they have a function of the C library that it
 * calls while it holds its lock, look for the C library's own there, and that search asks for memory.
 *
 * @module
 */
import { basename } from "node:path";
import { type AllocatorName, allocatorNamed, BUILT_ALLOCATORS } from "../allocators/mod.ts";
import { interposedCalls, type OtherPreloads } from "./other-preloads.ts";
import { launchPlatform } from "./platforms.ts";
import type { Launch } from "./types.ts";

/** Programs that preload a library of their own into the command after them, and what it has. */
const PRELOADERS: ReadonlyMap<string, string> = new Map([
  ["faketime", "clock_gettime"],
  ["torsocks", "syscall"],
  ["torify", "syscall"],
]);

function callsOf(allocator: AllocatorName): readonly string[] {
  return allocatorNamed(allocator).library?.callsAtStart ?? [];
}

function warning(allocator: AllocatorName, what: string, symbol: string): string {
  const other = BUILT_ALLOCATORS.find((name) => !callsOf(name).includes(symbol)) ?? "system";
  return `${what} has a ${symbol} of its own, and ${allocator} calls that while it starts. If the ` +
    `program hangs before its main, take --allocator ${other}`;
}

/** What to say of preloads that the environment or the system names. */
export function preloadWarnings(
  allocator: AllocatorName,
  others: OtherPreloads | null,
): string[] {
  const found = others === null ? [] : interposedCalls(others, callsOf(allocator));
  return found.map(([what, symbol]) => warning(allocator, what, symbol));
}

/** What to say of a command that preloads something itself. */
export function commandWarnings(allocator: AllocatorName, { chain }: Launch): string[] {
  if (launchPlatform().format !== "elf") return [];
  return chain.flatMap(({ path }) => {
    const symbol = PRELOADERS.get(basename(path));
    if (symbol === undefined || !callsOf(allocator).includes(symbol)) return [];
    return warning(allocator, `what "${basename(path)}" preloads`, symbol);
  });
}
