/**
 * A program with its own metrics in prom-client: what a scrape costs, in microseconds of the processor's
 * time, as JSON; when it has just begun to be scraped, and as it goes on for days, when the runtime has
 * compiled what is done each time.
 *
 * @module
 */
import process from "node:process";
import { collectDefaultMetrics, Registry } from "prom-client";
import { registerMetrics } from "../../mod.ts";

/** As Prometheus comes, at its most frequent. */
const EVERY_MS = 1000;
const SCRAPES = 20;
/** How many scrapes there were before: of the first minute, and of a quarter of an hour. */
const BEFORE = { first: 20, later: 900 };

const registry = new Registry();
const plain = new Registry();
collectDefaultMetrics({ register: plain });
registerMetrics(registry);
// A heap that is not empty.
const kept = Array.from({ length: 50_000 }, (_, index) => ({ index, text: `object ${index}` }));
const buffers = Array.from({ length: 2_000 }, () => Buffer.alloc(20_000, 1));

async function cost(of: Registry, before: number): Promise<number> {
  for (let count = 0; count < before; count++) await of.metrics();
  let sum = 0;
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    const before = process.cpuUsage();
    await of.metrics();
    const { user, system } = process.cpuUsage(before);
    sum += user + system;
  }
  // Not the median: some ask the agent, and count as well.
  return sum / SCRAPES;
}

const first = { own: await cost(registry, BEFORE.first), default: await cost(plain, BEFORE.first) };
const later = { own: await cost(registry, BEFORE.later), default: await cost(plain, BEFORE.later) };
const series = (await registry.metrics()).split("\n").filter((line) => /^offheap_/.test(line));
console.log(JSON.stringify({
  microseconds: { first, later },
  series: series.length,
  kept: kept.length + buffers.length,
}));
