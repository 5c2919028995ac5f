/**
 * Memory over time: a service within this process, under bursts of requests with idle phases
 * between them, and its memory every 100 ms. Each idle phase begins with a full garbage collection,
 * and there is one more when its sessions have expired: what stays resident is then the allocator's
 * doing, and not that the collector had no reason to run.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import { verifyAllocator } from "../../mod.ts";
import { holdsBuffers, openUsage } from "./service/allocator-usage.ts";
import { BURST, figuresOf, IDLE } from "./service/figures.ts";
import { openImages } from "./service/images.ts";
import {
  EXPIRED_WHILE_IDLE,
  EXPIRING,
  HEARTBEAT,
  IN_FLIGHT,
  type Plan,
  PLANS,
} from "./service/phases.ts";
import { pickKind, type RequestKind, requestKinds } from "./service/requests.ts";
import { startSampler } from "./service/sampler.ts";
import { lifetime, Sessions } from "./service/sessions.ts";
import { findCollector } from "./support/garbage.ts";
import { pause, runWorkload } from "./support/program.ts";
import { seeded } from "./support/random.ts";

/** Numbers requests apart in what their random numbers begin with. */
const SEED_STEP = 0x9e3779b1;

/** The service: what it answers, and what it keeps. */
class Service {
  readonly #sessions = new Sessions();
  readonly #kinds: readonly RequestKind[];
  readonly #seed: number;

  constructor(kinds: readonly RequestKind[], seed: number) {
    this.#kinds = kinds;
    this.#seed = seed;
  }

  /** Answers one request; what it came to. */
  async answer(number: number): Promise<string> {
    const random = seeded(this.#seed ^ Math.imul(number, SEED_STEP));
    const keptFor = lifetime(random);
    const { name, handle } = pickKind(this.#kinds, random);
    const { digest, kept } = await handle(random);
    this.#sessions.keep(kept, keptFor);
    this.#sessions.advance(1);
    return `${number} ${name} ${digest}\n`;
  }

  /** Answers `count` requests, some of them at once; what they came to, in their order. */
  async burst(first: number, count: number): Promise<string[]> {
    const answers = new Array<string>(count);
    let next = 0;
    const workers = Array.from({ length: IN_FLIGHT }, async () => {
      while (next < count) {
        const index = next++;
        answers[index] = await this.answer(first + index);
        await setImmediate(); // timers have their turn, as they have between a server's requests
      }
    });
    await Promise.all(workers);
    return answers;
  }

  /** Is idle: sessions expire, and a health check looks in; then nothing. */
  async idle(milliseconds: number, collect: () => void): Promise<void> {
    const start = performance.now();
    const quiet = milliseconds * EXPIRING;
    const expired = Math.ceil(EXPIRED_WHILE_IDLE * HEARTBEAT / quiet);
    collect();
    while (performance.now() - start + HEARTBEAT < quiet) {
      await pause(HEARTBEAT);
      this.#sessions.advance(expired);
    }
    collect();
    await pause(milliseconds - (performance.now() - start));
  }
}

await runWorkload(async ({ scale, seed }, meter) => {
  const plan: Plan = PLANS[scale];
  const collect = findCollector("last-resort");
  const read = openUsage(verifyAllocator().processAllocator);
  const service = new Service(requestKinds(await openImages()), seed);
  const sampler = startSampler(read);
  sampler.phase("start");
  await service.burst(-plan.warmUp, plan.warmUp);
  await pause(plan.start);
  for (let burst = 0; burst < plan.bursts; burst++) {
    sampler.phase(`${BURST} ${burst + 1}`);
    meter.start();
    const answers = await service.burst(burst * plan.requests, plan.requests);
    meter.stop();
    for (const answer of answers) meter.digest.update(answer);
    sampler.phase(`${IDLE} ${burst + 1}`);
    await service.idle(plan.idle, collect);
  }
  const memory = sampler.stop();
  return {
    count: plan.bursts * plan.requests,
    metrics: figuresOf(memory),
    memory: { ...memory, externalInLive: holdsBuffers(read) },
  };
});
