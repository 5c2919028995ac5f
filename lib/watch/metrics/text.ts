/**
 * Metrics as the text that Prometheus reads, of version 0.0.4 of its format.
 *
 * @module
 */
import { prometheusName, prometheusType } from "./names.ts";
import type { Metric, MetricLabels, MetricSample } from "./types.ts";

/** The text's media type. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

const LABEL_ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" };

function labelsText(labels: MetricLabels): string {
  const pairs = Object.entries(labels).map(([name, value]) =>
    `${name}="${value.replace(/["\\\n]/g, (found) => LABEL_ESCAPES[found] ?? found)}"`
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** A metric with its help, type and samples; nothing where it has no sample. */
export function metricText(metric: Metric, samples: Iterable<MetricSample>): string {
  const name = prometheusName(metric);
  const lines: string[] = [];
  for (const { labels, value } of samples) lines.push(`${name}${labelsText(labels)} ${value}\n`);
  if (lines.length === 0) return "";
  const help = metric.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return `# HELP ${name} ${help}\n# TYPE ${name} ${prometheusType(metric)}\n${lines.join("")}`;
}
