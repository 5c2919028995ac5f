/**
 * How a metric is called: in Prometheus and in OpenTelemetry, whose rules of translation give the same
 * name for both.
 *
 * @module
 */
import type { Metric, MetricLabels } from "./types.ts";

/** What every name of offheap's begins with. */
const PREFIX = "offheap";

const UNIT_SUFFIXES: Readonly<Record<string, string>> = { By: "_bytes", s: "_seconds" };

/** The name in Prometheus: `offheap_allocator_allocated_bytes`. */
export function prometheusName({ name, unit, kind }: Metric): string {
  const total = kind === "counter" ? "_total" : "";
  return `${PREFIX}_${name.replaceAll(".", "_")}${UNIT_SUFFIXES[unit] ?? ""}${total}`;
}

/** The type in Prometheus. */
export function prometheusType({ kind }: Metric): "counter" | "gauge" {
  return kind === "counter" ? "counter" : "gauge";
}

/** The name in OpenTelemetry: the convention's, or `offheap.allocator.allocated`. */
export function openTelemetryName({ name, convention }: Metric): string {
  return convention?.name ?? `${PREFIX}.${name}`;
}

/** The attributes in OpenTelemetry: the convention's, or `offheap.part`. */
export function openTelemetryAttributes(
  { convention }: Metric,
  labels: MetricLabels,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).map(([label, value]) => [
      convention?.labels[label] ?? `${PREFIX}.${label}`,
      value,
    ]),
  );
}
