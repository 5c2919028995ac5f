/**
 * A verdict on this process's memory.
 *
 * @module
 */
import { system } from "../system/mod.ts";
import { verifyAllocator } from "../verify/verify.ts";
import { evaluateHealth, type HealthReport, type HealthThresholds } from "./health.ts";
import { readMemory, readProcessMemory } from "./memory.ts";
import { resolveThresholds } from "./thresholds.ts";

/**
 * Judges memory available, memory in use and the allocator against thresholds. Limits of control
 * groups count as well as the host's memory.
 *
 * @param thresholds Bounds that differ from {@linkcode DEFAULT_THRESHOLDS}.
 * @throws {TypeError | RangeError} for bad thresholds.
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment.
 */
export function healthCheck(thresholds: Partial<HealthThresholds> = {}): HealthReport {
  resolveThresholds(thresholds);
  const { processAllocator, processAllocatorVerified } = verifyAllocator();
  const memory = readMemory();
  const inputs = {
    totalMemory: memory.total,
    availableMemory: memory.available,
    processMemory: readProcessMemory({ pageSize: system().pageSize() }).resident,
    allocator: { name: processAllocator, verified: processAllocatorVerified },
    at: new Date(),
  };
  return evaluateHealth(inputs, thresholds);
}
