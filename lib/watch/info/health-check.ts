/**
 * A verdict on this process's memory.
 *
 * @module
 */
import { FIGURES, withPermissions } from "../../permissions.ts";
import { readResident } from "../../system/resident.ts";
import { verifyAllocator } from "../../verify/verify.ts";
import {
  evaluateHealth,
  type HealthInputs,
  type HealthReport,
  type HealthThresholds,
} from "./health.ts";
import { readMemory } from "./memory.ts";
import { completeThresholds } from "./thresholds.ts";

/**
 * Judges memory available, memory in use and the allocator against thresholds. Limits of control
 * groups count as well as the host's memory.
 *
 * @param thresholds Bounds that differ from {@linkcode DEFAULT_THRESHOLDS}.
 * @throws {TypeError | RangeError} for bad thresholds.
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment; Deno
 * reads `/proc` with `--allow-all` only.
 */
export function healthCheck(thresholds: Partial<HealthThresholds> = {}): HealthReport {
  completeThresholds(thresholds);
  return evaluateHealth(withPermissions(FIGURES, readInputs), thresholds);
}

function readInputs(): HealthInputs {
  const { processAllocator, processAllocatorVerified } = verifyAllocator();
  const memory = readMemory();
  return {
    totalMemory: memory.total,
    availableMemory: memory.available,
    processMemory: readResident(),
    allocator: { name: processAllocator, verified: processAllocatorVerified },
    at: new Date(),
  };
}
