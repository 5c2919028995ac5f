/**
 * Why an allocation cannot be used.
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import { BlockError, type BlockErrorReason } from "../../errors.ts";
import { heldError } from "../shared/holds.ts";
import type { Live } from "./live.ts";

const ENDED: Readonly<Record<"freed" | "released" | "transferred", string>> = {
  freed: "it was freed before",
  released: "its ownership was released",
  transferred: "it was given to another thread",
};

/** The error for an allocation that has ended. */
export function endedError(action: string, live: Live): BlockError {
  const reason: BlockErrorReason = live.state === "live" ? "freed" : live.state;
  return new BlockError(
    reason,
    `Cannot ${action} a ${live.kind} of ${live.size} bytes: ${
      ENDED[reason as keyof typeof ENDED]
    }.`,
  );
}

/** Whether something else has detached an allocation's buffer. */
export function isElsewhere(live: Live, buffer: ArrayBuffer): boolean {
  return live.size > 0 && buffer.byteLength === 0;
}

/** The state of an allocation, in a word. */
export function shownState(live: Live, buffer: ArrayBuffer): string {
  if (live.state !== "live") return live.state;
  return isElsewhere(live, buffer) ? "detached" : live.held ? "held" : "live";
}

/** Refuses an allocation that has ended, or whose buffer something else has detached. */
export function requireUsable(action: string, live: Live, buffer: ArrayBuffer): void {
  if (live.state !== "live") throw endedError(action, live);
  if (isElsewhere(live, buffer)) throw detachedError(action, live);
}

/** Refuses as {@linkcode requireUsable}, and while an asynchronous call uses the memory. */
export function requireMovable(action: string, live: Live, buffer: ArrayBuffer): void {
  requireUsable(action, live, buffer);
  if (live.held) throw heldError(action, `a ${live.kind} of ${live.size} bytes`);
}

/** The error for resizing what another library's function frees. */
export function unsizableError({ kind, size }: Live): BlockError {
  return new BlockError(
    "foreign",
    `Cannot reallocate a ${kind} of ${size} bytes: it was adopted with a function that frees it, ` +
      "and only the allocator that it came from could resize it.",
  );
}

/** Whether something else has an allocation's memory, or has seen to it that no view can be ended. */
export function isHeld(live: Live, buffer: ArrayBuffer): boolean {
  return isElsewhere(live, buffer) || !ffi().detachable(buffer);
}

/** The error for an allocation whose buffer something else has detached. */
export function detachedError(action: string, live: Live): BlockError {
  return new BlockError(
    "detached",
    `Cannot ${action} a ${live.kind} of ${live.size} bytes: its buffer was detached by something ` +
      "else, such as a transfer list, and may be in use there. Its memory stays allocated. To give " +
      "a block to another thread, use its transfer().",
  );
}
