/**
 * The allocator that offheap's own blocks come from.
 *
 * @module
 */
import type { OpenedLibrary } from "../allocators/probe.ts";
import type { ResolvedLibrary } from "../library/resolve.ts";
import { system } from "../system/mod.ts";
import type { ControlAddress } from "../system/types.ts";
import { examine, type Finding, formatAddress, interrogate, isVerified } from "./evidence.ts";
import { mappingEvidence } from "./process.ts";
import type { Evidence } from "./types.ts";

/** What was found of the library. */
export interface LibraryFinding {
  /** Its version. */
  readonly version: string | null;
  /** Whether it was proven. */
  readonly verified: boolean;
  /** What was looked at. */
  readonly evidence: readonly Evidence[];
}

function checkSymbol(path: string, symbol: string): Finding {
  const location = system().findSymbolIn(path, symbol);
  return location === null ? { outcome: "fail", detail: `${symbol} is not in "${path}"` } : {
    outcome: "pass",
    detail: `${symbol} is at ${formatAddress(location.address)} in "${path}"`,
  };
}

function checkHash({ manifest, sha256, path }: ResolvedLibrary): Finding {
  if (sha256 === null) {
    return { outcome: "unavailable", detail: `"${path}" was replaced since it was loaded` };
  }
  return manifest === null
    ? { outcome: "unavailable", detail: `no manifest covers "${path}"` }
    : { outcome: "pass", detail: `sha256 ${sha256} is the manifest's` };
}

/**
 * Gathers the evidence about a library that is open.
 *
 * @param controls Addresses that the allocator must deny.
 */
export function verifyLibrary(
  library: ResolvedLibrary,
  { probe, blocks }: OpenedLibrary,
  controls: readonly ControlAddress[],
): LibraryFinding {
  const { path } = library;
  const asked = interrogate("library", probe, blocks, controls);
  const evidence = [
    examine("library", "symbol", "fail", () => checkSymbol(path, probe.symbol)),
    examine("library", "hash", "fail", () => checkHash(library)),
    mappingEvidence("library", path),
    ...asked,
  ];
  const isKnown = asked.some(({ check, outcome }) => check === "version" && outcome === "pass");
  return {
    version: isKnown ? probe.version?.() ?? null : null,
    verified: isVerified(evidence),
    evidence,
  };
}
