/**
 * A program's own metrics: in a registry of prom-client's, or in a meter of OpenTelemetry's. Neither is
 * imported: what is used of them is described here.
 *
 * @module
 */
import { inspect } from "node:util";
import {
  openTelemetryAttributes,
  openTelemetryName,
  prometheusName,
  prometheusType,
} from "./names.ts";
import { readOwnMetrics } from "./own.ts";
import { METRICS } from "./table.ts";
import type { Metric, MetricReading } from "./types.ts";

/** What a registry of prom-client's collects of a metric. */
interface CollectedMetric {
  /** Its name. */
  name: string;
  /** What it says. */
  help: string;
  /** As prom-client has it: `counter` or `gauge`. */
  type: never;
  /** How the values of several workers become one: their sum. */
  aggregator: never;
  /** Its values. */
  values: { labels: Record<string, string>; value: number }[];
}

/** A metric as a registry of prom-client's takes it. */
interface RegisteredMetric {
  /** Its name; the registry changes it where it writes OpenMetrics. */
  name: string;
  /** What it says. */
  help: string;
  /** As prom-client has it: `counter` or `gauge`. */
  type: never;
  /** Reads it. */
  get(): Promise<CollectedMetric>;
  /** Does nothing: the process's memory does not begin again. */
  reset(): void;
}

/** What is used of prom-client's `Registry`. */
export interface MetricRegistry {
  /** Takes a metric in. */
  registerMetric(metric: never): void;
  /** Takes it out. */
  removeSingleMetric(name: string): void;
}

/** How OpenTelemetry's instruments are made. */
export interface InstrumentOptions {
  /** What it says. */
  readonly description?: string;
  /** What it counts. */
  readonly unit?: string;
}

/** To what OpenTelemetry has values reported. */
export interface MetricObserver {
  /** Reports one. */
  observe(instrument: never, value: number, attributes?: Record<string, string>): void;
}

/** What is used of OpenTelemetry's `Meter`. */
export interface MetricMeter {
  /** Makes an instrument. */
  createObservableCounter(name: string, options?: InstrumentOptions): object;
  /** Makes an instrument. */
  createObservableUpDownCounter(name: string, options?: InstrumentOptions): object;
  /** Makes an instrument. */
  createObservableGauge(name: string, options?: InstrumentOptions): object;
  /** Has values read, all at once. */
  addBatchObservableCallback(
    callback: (observer: MetricObserver) => Promise<void>,
    instruments: never[],
  ): void;
  /** Ends that. */
  removeBatchObservableCallback(
    callback: (observer: MetricObserver) => Promise<void>,
    instruments: never[],
  ): void;
}

const REGISTRY: readonly (keyof MetricRegistry)[] = ["registerMetric", "removeSingleMetric"];
const METER: readonly (keyof MetricMeter)[] = [
  "createObservableCounter",
  "createObservableUpDownCounter",
  "createObservableGauge",
  "addBatchObservableCallback",
  "removeBatchObservableCallback",
];

function has<T extends object>(value: unknown, methods: readonly (keyof T)[]): value is T {
  return typeof value === "object" && value !== null &&
    methods.every((name) => typeof (value as T)[name] === "function");
}

/**
 * Puts this process's memory into a program's metrics: the allocator that serves it and whether that is
 * proven, what it counts, what resident memory is made of, page faults, limits, and what offheap's agent
 * did. What was not counted has no series. All values of a scrape are of one snapshot, so that the parts
 * add up to RSS. What prom-client's default metrics have, such as the JavaScript heap, is left to them.
 *
 * @param registry A `Registry` of prom-client's, or a `Meter` of OpenTelemetry's.
 * @returns A function that takes them out again. Nothing is read from then on; OpenTelemetry's SDK goes on
 * exporting the last values where its temporality is cumulative.
 * @throws {TypeError} when it is neither.
 * @throws {Error} prom-client's, when one of the names is taken.
 * @example
 * ```ts
 * import { Registry } from "prom-client";
 * import { registerMetrics } from "@offheap/offheap";
 *
 * const registry = new Registry();
 * registerMetrics(registry);
 * console.log(await registry.metrics());
 * ```
 */
export function registerMetrics(registry: MetricRegistry | MetricMeter): () => void {
  if (has<MetricRegistry>(registry, REGISTRY)) return registerInRegistry(registry);
  if (has<MetricMeter>(registry, METER)) return registerInMeter(registry);
  throw new TypeError(
    "Cannot register metrics: the registry must be a Registry of prom-client's or a Meter of " +
      `OpenTelemetry's; got ${inspect(registry, { depth: 0 })}`,
  );
}

/** Reads once for all that ask in the same turn, as a registry asks all of its metrics. */
function sharedReading(): () => Promise<MetricReading> {
  let reading: Promise<MetricReading> | null = null;
  return () => {
    if (reading === null) {
      reading = readOwnMetrics();
      queueMicrotask(() => {
        reading = null;
      });
    }
    return reading;
  };
}

function registerInRegistry(registry: MetricRegistry): () => void {
  const read = sharedReading();
  const metrics = METRICS.filter(({ alreadyIn }) => alreadyIn === undefined)
    .map((metric) => registeredMetric(metric, read));
  const taken: string[] = [];
  const end = (): void => {
    for (const name of taken.splice(0)) registry.removeSingleMetric(name);
  };
  try {
    for (const metric of metrics) {
      registry.registerMetric(metric as never);
      taken.push(metric.name);
    }
  } catch (error) {
    // All of them, or none.
    end();
    throw error;
  }
  return end;
}

function registeredMetric(metric: Metric, read: () => Promise<MetricReading>): RegisteredMetric {
  return {
    name: prometheusName(metric),
    help: metric.help,
    type: prometheusType(metric) as never,
    async get() {
      const values = metric.read(await read())
        .map(({ labels, value }) => ({ labels: { ...labels }, value }));
      const { name, help, type } = this;
      return { name, help, type, aggregator: "sum" as never, values };
    },
    reset() {},
  };
}

const CREATORS = {
  counter: "createObservableCounter",
  amount: "createObservableUpDownCounter",
  state: "createObservableGauge",
} as const;

function registerInMeter(meter: MetricMeter): () => void {
  const made = METRICS.map((metric) => {
    const options = { description: metric.help, unit: metric.unit };
    const instrument = meter[CREATORS[metric.kind]](openTelemetryName(metric), options);
    return { metric, instrument: instrument as never };
  });
  const instruments = made.map(({ instrument }) => instrument);
  const observe = async (observer: MetricObserver): Promise<void> => {
    const reading = await readOwnMetrics();
    for (const { metric, instrument } of made) {
      for (const { labels, value } of metric.read(reading)) {
        observer.observe(instrument, value, openTelemetryAttributes(metric, labels));
      }
    }
  };
  meter.addBatchObservableCallback(observe, instruments);
  return () => meter.removeBatchObservableCallback(observe, instruments);
}
