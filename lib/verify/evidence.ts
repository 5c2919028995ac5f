/**
 * Putting an allocator to the test: the checks that are the same for every kind.
 *
 * @module
 */
import { type Address, NULL } from "../../ffi/types.ts";
import { system } from "../system/mod.ts";
import type { ControlAddress } from "../system/types.ts";
import type { AllocatorProbe, BlockSource } from "../allocators/probe.ts";
import type { Evidence, EvidenceCheck, EvidenceScope } from "./types.ts";

/**
 * Sizes in bytes. The first is not a power of two, so that a size class must round it up; the
 * others are in other regions, for when there is no space beside the first.
 */
const OWNERSHIP_SIZES: readonly number[] = [3001, 24 << 20, 160 << 20];

/** Sizes on both sides of what allocators treat differently, to be owned as well. */
const OTHER_SIZES: readonly number[] = [1, 16, 100, 1000, 2047, 16_384, 1 << 20];

/** Other threads allocate and free meanwhile: a counter may need another try. */
const COUNTER_ATTEMPTS = 4;

/** How far a counter may move beyond the size asked for: rounding, and other threads. */
const COUNTER_SLACK = 0.25;

/** The outcome and detail of a check. */
export type Finding = Pick<Evidence, "outcome" | "detail">;

/** Hexadecimal, as addresses are read. */
export function formatAddress(address: Address): string {
  return `0x${address.toString(16)}`;
}

/** Makes an item of evidence; an exception counts as the outcome that is given for it. */
export function examine(
  scope: EvidenceScope,
  check: EvidenceCheck,
  onError: "fail" | "unavailable",
  look: () => Finding,
): Evidence {
  try {
    return { scope, check, ...look() };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { scope, check, outcome: onError, detail };
  }
}

function judgeOwnership(
  probe: AllocatorProbe,
  block: Address,
  size: number,
  controls: readonly ControlAddress[],
): Finding {
  const question = probe.ownershipQuestion;
  // Intl.ListFormat loads its tables for it, which takes Node a tenth of a second.
  const names = (list: readonly ControlAddress[]) =>
    list.map(({ what }) => what).join(", ").replace(/, (?=[^,]*$)/, " and ");
  const claimed = controls.filter(({ address }) => probe.owns(address, size));
  if (claimed.length > 0) {
    const detail = `${question} claims ${names(claimed)}, so its answers prove nothing`;
    return { outcome: "fail", detail };
  }
  const about = `the block of ${size} bytes at ${formatAddress(block)}`;
  return probe.owns(block, size)
    ? { outcome: "pass", detail: `${question} owns ${about}, and denies ${names(controls)}` }
    : { outcome: "fail", detail: `${question} denies ${about}` };
}

/**
 * Judges with the controls that may be asked about, and a fresh page near the block; `null` when
 * the block's region has no space for one.
 */
function judgeWithinRegion(
  probe: AllocatorProbe,
  region: number,
  block: Address,
  size: number,
  controls: readonly ControlAddress[],
): Finding | null {
  const base = (block - block % region) as Address;
  const near = controls.filter(({ address }) => address >= base && address < base + region);
  const page = system().mapPageWithin(base, region);
  if (page === null) return near.length === 0 ? null : judgeOwnership(probe, block, size, near);
  try {
    const beside = { what: `a page beside the block at ${formatAddress(page)}`, address: page };
    return judgeOwnership(probe, block, size, [...near, beside]);
  } finally {
    system().unmapPage(page);
  }
}

/** Judges one block; `null` where there is no negative control to compare it with. */
function judgeBlock(
  probe: AllocatorProbe,
  blocks: BlockSource,
  size: number,
  controls: readonly ControlAddress[],
): Finding | null {
  const block = blocks.allocate(size);
  if (block === NULL) return null;
  try {
    if (probe.askableRegion !== null) {
      return judgeWithinRegion(probe, probe.askableRegion, block, size, controls);
    }
    return controls.length === 0 ? null : judgeOwnership(probe, block, size, controls);
  } finally {
    blocks.free(block);
  }
}

/** Whether blocks of all other sizes are the allocator's, too; it may be asked about any address. */
function judgeSizes(probe: AllocatorProbe, blocks: BlockSource, proven: Finding): Finding {
  for (const size of OTHER_SIZES) {
    const block = blocks.allocate(size);
    if (block === NULL) continue;
    const owned = probe.owns(block, size);
    blocks.free(block);
    if (owned) continue;
    const detail = `${probe.ownershipQuestion} denies a block of ${size} bytes, and owns another`;
    return { outcome: "fail", detail };
  }
  return proven;
}

/** Asks whether fresh blocks are the allocator's, and whether negative controls are not. */
export function checkOwnership(
  probe: AllocatorProbe,
  blocks: BlockSource,
  controls: readonly ControlAddress[],
): Finding {
  for (const size of OWNERSHIP_SIZES) {
    const finding = judgeBlock(probe, blocks, size, controls);
    if (finding === null) continue;
    const wide = probe.askableRegion === null && finding.outcome === "pass";
    return wide ? judgeSizes(probe, blocks, finding) : finding;
  }
  return { outcome: "unavailable", detail: "there is no negative control to test it with" };
}

/** Watches the allocator's counter while a block is allocated. */
export function checkCounter(probe: AllocatorProbe, blocks: BlockSource): Finding {
  const seen: bigint[] = [];
  for (let attempt = 1; attempt <= COUNTER_ATTEMPTS; attempt++) {
    const size = probe.counterBytes * attempt;
    const before = probe.counter();
    const block = blocks.allocate(size);
    const moved = probe.counter() - before;
    if (block === NULL) {
      return { outcome: "unavailable", detail: `malloc gave no block of ${size} bytes` };
    }
    blocks.free(block);
    if (moved >= size && Number(moved) <= size * (1 + COUNTER_SLACK)) {
      return {
        outcome: "pass",
        detail: `${probe.counterName} rose by ${moved} for a block of ${size} bytes`,
      };
    }
    seen.push(moved);
  }
  const detail = `${probe.counterName} moved by ${seen.join(", ")} for blocks of 1 to ` +
    `${COUNTER_ATTEMPTS} times ${probe.counterBytes} bytes`;
  if (probe.counterScope === "thread") return { outcome: "fail", detail };
  // A counter of the whole process says nothing then: other threads allocate at the same time, or
  // what was allocated had been taken from the system before.
  return { outcome: "unavailable", detail: `${detail}, which says nothing of a single block` };
}

function ownershipEvidence(
  scope: EvidenceScope,
  probe: AllocatorProbe,
  blocks: BlockSource,
  controls: readonly ControlAddress[],
  counted: boolean,
): Evidence {
  return examine(
    scope,
    "ownership",
    "unavailable",
    () =>
      probe.askableRegion === null || counted ? checkOwnership(probe, blocks, controls) : {
        outcome: "unavailable",
        detail: "not asked, as its counter does not prove the blocks its own",
      },
  );
}

/** The evidence that an allocator's own functions give. */
export function interrogate(
  scope: EvidenceScope,
  probe: AllocatorProbe,
  blocks: BlockSource,
  controls: readonly ControlAddress[],
): Evidence[] {
  const { version: readVersion } = probe;
  const version = readVersion === null ? [] : [examine(scope, "version", "fail", () => ({
    outcome: "pass",
    detail: `${probe.symbol} reports version ${readVersion()}`,
  }))];
  const counter = examine(scope, "counter", "unavailable", () => checkCounter(probe, blocks));
  const counted = counter.outcome === "pass";
  return [...version, counter, ownershipEvidence(scope, probe, blocks, controls, counted)];
}

/** Verified needs ownership or a counter; whatever failed speaks against it. */
export function isVerified(evidence: readonly Evidence[]): boolean {
  const proven = evidence.some(({ check, outcome }) =>
    outcome === "pass" && (check === "ownership" || check === "counter")
  );
  return proven && evidence.every(({ outcome }) => outcome !== "fail");
}
