/**
 * The exporter's text: the table of metrics for each process, and what the look itself cost.
 *
 * @module
 */
import { METRICS } from "../metrics/table.ts";
import { metricText } from "../metrics/text.ts";
import type { Metric, MetricLabels, MetricSample } from "../metrics/types.ts";
import type { MachineLook, WatchedProcess } from "./machine.ts";

/** What each series of the exporter begins with. */
function processLabels({ listed, program }: WatchedProcess): MetricLabels {
  return { pid: String(listed.pid), program };
}

/** What only the metric that describes a process has besides. */
function describingLabels({ listed }: WatchedProcess): MetricLabels {
  return { runtime: listed.runtime ?? "", uid: String(listed.user) };
}

/** The metric that describes a process. */
const DESCRIBING = "allocator.info";

function* samplesOf(metric: Metric, processes: readonly WatchedProcess[]): Iterable<MetricSample> {
  for (const each of processes) {
    const more = metric.name === DESCRIBING ? describingLabels(each) : {};
    for (const { labels, value } of metric.read(each.reading)) {
      yield { labels: { ...processLabels(each), ...more, ...labels }, value };
    }
  }
}

/** A metric of the exporter's own. */
type OwnMetric = Omit<Metric, "read" | "labels"> & {
  read(look: MachineLook): readonly MetricSample[];
};

/** What the exporter says of itself. */
export const EXPORTER_METRICS: readonly OwnMetric[] = [
  {
    name: "serve.processes",
    kind: "amount",
    unit: "{process}",
    help: "processes that were looked at, and those that this user may not look at",
    from: "the look",
    read: ({ processes, hidden }) => [
      { labels: { state: "seen" }, value: processes.length },
      { labels: { state: "hidden" }, value: hidden },
    ],
  },
  {
    name: "serve.look",
    kind: "state",
    unit: "s",
    help: "how long looking at all of them took",
    from: "the look",
    read: ({ seconds }) => [{ labels: {}, value: seconds }],
  },
];

const texts = new WeakMap<MachineLook, Uint8Array>();

/**
 * The text for one scrape. Whoever asks for the same look gets the same bytes, so that answers that wait
 * to be taken need no memory each.
 */
export function scrapeText(look: MachineLook): Uint8Array {
  const text = texts.get(look) ?? new TextEncoder().encode(textOf(look));
  texts.set(look, text);
  return text;
}

function textOf(look: MachineLook): string {
  const own = EXPORTER_METRICS.map((metric) =>
    metricText({ ...metric, labels: [], read: () => [] }, metric.read(look))
  );
  return [
    ...METRICS.map((metric) => metricText(metric, samplesOf(metric, look.processes))),
    ...own,
  ].join("");
}
