/**
 * Where an operating system keeps its own allocators.
 *
 * @module
 */
import process from "node:process";
import { findAllocator } from "../allocators/mod.ts";
import type { Variant } from "./manifest.ts";

const GNU_TRIPLES: Readonly<Record<string, string>> = {
  x64: "x86_64-linux-gnu",
  arm64: "aarch64-linux-gnu",
};

function directories(): string[] {
  const triple = GNU_TRIPLES[process.arch];
  const multiarch = triple === undefined ? [] : [`/usr/lib/${triple}`];
  const table: Readonly<Record<string, readonly string[]>> = {
    linux: ["/usr/local/lib", ...multiarch, "/usr/lib64", "/usr/lib"],
    darwin: ["/opt/homebrew/lib", "/usr/local/lib", "/opt/local/lib"],
  };
  return [...table[process.platform] ?? []];
}

/** Variants that a system's own library serves as: it takes over a process that it is put into. */
const OWN_VARIANTS: ReadonlySet<Variant> = new Set<Variant>(["release", "preload"]);

/** The paths at which this system may have a library, most preferred first. */
export function systemLibraryPaths(name: string, variant: Variant = "release"): string[] {
  if (!OWN_VARIANTS.has(variant)) return [];
  const files = findAllocator(name)?.library?.systemFiles[process.platform] ?? [];
  return files.flatMap((file) => directories().map((directory) => `${directory}/${file}`));
}
