/**
 * The verdict on a process's memory: figures against thresholds. Pure; the figures come from
 * outside.
 *
 * @module
 */
import { completeThresholds, type HealthThresholds } from "./thresholds.ts";
import { inspect } from "node:util";
import { formatBytes } from "../../units.ts";

export { DEFAULT_THRESHOLDS, type HealthThresholds } from "./thresholds.ts";

/** A verdict; `degraded` still serves, `unhealthy` is close to being killed. */
export type HealthStatus = "healthy" | "degraded" | "unhealthy";

/** The name of a check. */
export type HealthCheckName =
  | "memory-available-share"
  | "memory-available-bytes"
  | "process-memory-share"
  | "allocator-verified";

/** The figures to judge. All sizes are in bytes. */
export interface HealthInputs {
  /** What the process may use in all: the host's memory, or its control group's tighter limit. */
  readonly totalMemory: number;
  /** What can still be had. */
  readonly availableMemory: number;
  /** The process's resident memory. */
  readonly processMemory: number;
  /** The allocator that serves the process, and whether that was proven. */
  readonly allocator: { readonly name: string; readonly verified: boolean };
  /** When the figures were taken. */
  readonly at: Date;
}

/** The outcome of one check. */
export interface HealthCheck {
  /** What was checked. */
  readonly name: HealthCheckName;
  /** The verdict of this check. */
  readonly status: HealthStatus;
  /** The figure. */
  readonly value: number | boolean;
  /** The bound that decided: the one that was passed, or the nearest that was not. */
  readonly threshold: number | boolean;
  /** The unit of both: `share` is a part of 1. */
  readonly unit: "share" | "bytes" | "boolean";
  /** One sentence for people. */
  readonly detail: string;
}

/** The verdict. */
export interface HealthReport {
  /** The worst of all checks. */
  readonly status: HealthStatus;
  /** Every check, always all of them and in the same order. */
  readonly checks: readonly HealthCheck[];
  /** When the figures were taken, in ISO 8601. */
  readonly timestamp: string;
}

const SEVERITY: readonly HealthStatus[] = ["healthy", "degraded", "unhealthy"];

/** A check of a number against two bounds. */
interface Measure {
  readonly name: HealthCheckName;
  readonly unit: "share" | "bytes";
  /** Whether small figures are the bad ones. */
  readonly badWhen: "below" | "above";
  readonly value: (inputs: HealthInputs) => number;
  readonly degraded: (thresholds: HealthThresholds) => number;
  readonly unhealthy: (thresholds: HealthThresholds) => number;
  readonly detail: (inputs: HealthInputs) => string;
}

const MEASURES: readonly Measure[] = [
  {
    name: "memory-available-share",
    unit: "share",
    badWhen: "below",
    value: (inputs) => inputs.availableMemory / inputs.totalMemory,
    degraded: (thresholds) => thresholds.availableShareDegraded,
    unhealthy: (thresholds) => thresholds.availableShareUnhealthy,
    detail: (inputs) =>
      `${share(inputs.availableMemory / inputs.totalMemory)} of ${
        formatBytes(inputs.totalMemory)
      } is available`,
  },
  {
    name: "memory-available-bytes",
    unit: "bytes",
    badWhen: "below",
    value: (inputs) => inputs.availableMemory,
    degraded: (thresholds) => thresholds.availableBytesDegraded,
    unhealthy: (thresholds) => thresholds.availableBytesUnhealthy,
    detail: (inputs) => `${formatBytes(inputs.availableMemory)} is available`,
  },
  {
    name: "process-memory-share",
    unit: "share",
    badWhen: "above",
    value: (inputs) => inputs.processMemory / inputs.totalMemory,
    degraded: (thresholds) => thresholds.processShareDegraded,
    unhealthy: (thresholds) => thresholds.processShareUnhealthy,
    detail: (inputs) =>
      `this process uses ${formatBytes(inputs.processMemory)}, ${
        share(inputs.processMemory / inputs.totalMemory)
      } of ${formatBytes(inputs.totalMemory)}`,
  },
];

/**
 * Judges the figures against the thresholds.
 *
 * @param inputs The figures.
 * @param thresholds Thresholds that replace the defaults; the others stay.
 * @throws {TypeError | RangeError} when a figure or threshold is of the wrong type, not finite,
 * negative or out of order.
 */
export function evaluateHealth(
  inputs: HealthInputs,
  thresholds: Partial<HealthThresholds> = {},
): HealthReport {
  const bounds = completeThresholds(thresholds);
  checkInputs(inputs);
  const checks = MEASURES.map((measure) => judge(measure, inputs, bounds));
  checks.push(judgeAllocator(inputs, bounds));
  const worst = Math.max(...checks.map((check) => SEVERITY.indexOf(check.status)));
  return { status: SEVERITY[worst] ?? "unhealthy", checks, timestamp: inputs.at.toISOString() };
}

function judge(measure: Measure, inputs: HealthInputs, bounds: HealthThresholds): HealthCheck {
  const value = measure.value(inputs);
  const degraded = measure.degraded(bounds);
  const unhealthy = measure.unhealthy(bounds);
  const passes = (bound: number): boolean =>
    measure.badWhen === "below" ? value < bound : value > bound;
  const status = passes(unhealthy) ? "unhealthy" : passes(degraded) ? "degraded" : "healthy";
  const threshold = status === "unhealthy" ? unhealthy : degraded;
  const show = measure.unit === "share" ? share : formatBytes;
  const relation = status === "healthy"
    ? "as it should be"
    : `${measure.badWhen} the bound of ${show(threshold)}`;
  return {
    name: measure.name,
    status,
    value,
    threshold,
    unit: measure.unit,
    detail: `${measure.detail(inputs)}: ${relation}`,
  };
}

function judgeAllocator(inputs: HealthInputs, bounds: HealthThresholds): HealthCheck {
  const { name, verified } = inputs.allocator;
  return {
    name: "allocator-verified",
    status: verified ? "healthy" : bounds.allocatorUnverified,
    value: verified,
    threshold: true,
    unit: "boolean",
    detail: verified
      ? `${name} was proven to serve this process's memory`
      : `${name} could not be proven to serve this process's memory`,
  };
}

function checkInputs(inputs: HealthInputs): void {
  if (typeof inputs !== "object" || inputs === null) refuse("the inputs", "an object", inputs);
  const { totalMemory, availableMemory, processMemory, allocator, at } = inputs;
  for (const [name, value] of Object.entries({ totalMemory, availableMemory, processMemory })) {
    if (typeof value !== "number") refuse(name, "a number of bytes", value);
    if (!Number.isFinite(value) || value < 0) refuseRange(name, "finite and not negative", value);
  }
  if (totalMemory === 0) refuseRange("totalMemory", "greater than 0", totalMemory);
  if (availableMemory > totalMemory) {
    refuseRange("availableMemory", `at most totalMemory (${totalMemory})`, availableMemory);
  }
  if (typeof allocator?.name !== "string" || typeof allocator.verified !== "boolean") {
    refuse("allocator", "an object with a name and verified", allocator);
  }
  if (!(at instanceof Date)) refuse("at", "a Date", at);
  if (Number.isNaN(at.getTime())) refuseRange("at", "a valid date", at);
}

function refuse(what: string, wanted: string, got: unknown): never {
  throw new TypeError(`Cannot evaluate health: ${what} must be ${wanted}; got ${inspect(got)}`);
}

function refuseRange(what: string, wanted: string, got: unknown): never {
  throw new RangeError(`Cannot evaluate health: ${what} must be ${wanted}; got ${inspect(got)}`);
}

function share(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}
