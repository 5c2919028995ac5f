/**
 * What the workloads do, in equal portions: after a warm-up each is the same work again, so that set-ups can
 * be compared by turns, in processes that live as long. Arguments: a workload, and the seconds of its
 * warm-up. Prints "ready", then for each line that it reads does a portion, and prints the seconds of
 * processor time that all its threads took for it.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { runCrew } from "../workloads/agents/crew.ts";
import { makeMaterial } from "../workloads/agents/material.ts";
import { MEMORIES } from "../workloads/agents/memory.ts";
import { startModel } from "../workloads/agents/model.ts";
import { ensureCorpus } from "../workloads/documents/corpus.ts";
import { handle } from "../workloads/documents/handle.ts";
import { Store } from "../workloads/documents/store.ts";
import { openImages } from "../workloads/service/images.ts";
import { pickKind, requestKinds } from "../workloads/service/requests.ts";
import { lifetime, Sessions } from "../workloads/service/sessions.ts";
import { seeded } from "../workloads/support/random.ts";

/** Does one portion. */
type Portion = () => Promise<unknown>;

const SEED = 1;

/** Does something for 0, 1, 2 …, so many at a time. */
async function inLanes(count: number, lanes: number, work: (index: number) => Promise<void>) {
  let next = 0;
  await Promise.all(Array.from({ length: lanes }, async () => {
    while (next < count) await work(next++);
  }));
}

/** Ways to get a workload's portion: of the order of a fifth of a second. */
const WORKLOADS: Readonly<Record<string, () => Promise<Portion>>> = {
  async documents() {
    const corpus = await ensureCorpus(SEED, 25);
    const store = new Store(8 * 2 ** 20);
    return () =>
      inLanes(corpus.length, 4, async (index) => {
        const file = corpus[index];
        if (file !== undefined) await handle(file, store);
      });
  },
  async agents() {
    const memory = MEMORIES["arena"]?.();
    if (memory === undefined) throw new Error("Cannot measure: agents have no arena");
    const model = await startModel(SEED);
    const material = makeMaterial(SEED, memory);
    return () =>
      inLanes(24, 8, async (index) => {
        const scratch = memory.scratch();
        try {
          await runCrew((asked) => model.ask(asked), seeded(index), scratch, material);
        } finally {
          scratch.free();
        }
      });
  },
  async service() {
    const kinds = requestKinds(await openImages());
    const sessions = new Sessions();
    return () =>
      inLanes(60, 16, async (index) => {
        const random = seeded(index);
        const { kept } = await pickKind(kinds, random).handle(random);
        sessions.keep(kept, lifetime(random));
        sessions.advance(1);
      });
  },
};

const [, , name = "", seconds = "10"] = process.argv;
const portion = await WORKLOADS[name]?.();
if (portion === undefined) throw new RangeError(`Cannot measure: there is no workload "${name}"`);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
for (let spent = 0; spent < Number(seconds);) {
  const { user } = process.cpuUsage();
  await portion();
  spent += (process.cpuUsage().user - user) / 1e6;
}
console.log("ready");
while (!(await lines.next()).done) {
  const before = process.cpuUsage();
  await portion();
  const { user, system } = process.cpuUsage(before);
  console.log((user + system) / 1e6);
}
process.exit(0);
