import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { PressureGauge } from "../../lib/watch/pressure/gauge.ts";
import { PressureReader } from "../../lib/watch/pressure/sources.ts";
import { type MemoryPressure, onMemoryPressure } from "../../mod.ts";
import { skipUnless } from "../support/skip.ts";
import { tree } from "../support/tree.ts";

const onLinux = skipUnless(process.platform === "linux", "needs /proc");
const MIB = 2 ** 20;

test("memory is short from nine tenths on, until it is below 85 %, and not again for two seconds", () => {
  const gauge = new PressureGauge();
  const at = (share: number, now: number): boolean | null =>
    gauge.take([{ source: "group", used: share * 1000, limit: 1000 }], now)?.short ?? null;
  assert.equal(at(0.899, 0), null);
  assert.equal(at(0.9, 1000), true);
  assert.equal(at(0.95, 2000), null, "it is known");
  assert.equal(at(0.85, 3000), null, "it is not over yet");
  assert.equal(at(0.849, 4000), false);
  assert.equal(at(0.99, 5999), null, "it is held off");
  assert.equal(at(0.99, 6000), true);
  assert.equal(gauge.take([], 9000), null);
});

test("the tightest limit is the one that is told", () => {
  const found = new PressureGauge().take([
    { source: "host", used: 10, limit: 100 },
    { source: "limit", used: 95, limit: 100 },
    { source: "group", used: 92, limit: 100 },
  ], 0);
  assert.deepEqual(found, { short: true, source: "limit", used: 95, limit: 100 });
});

test("limits of the control group, the host and the program, and waiting, are read", () => {
  const group = "sys/fs/cgroup/a";
  const stall = (total: number) =>
    `some avg10=0.00 avg60=0.00 avg300=0.00 total=${total}\nfull avg10=0.00 total=0\n`;
  const root = tree({
    "proc/self/cgroup": "0::/a\n",
    "proc/self/mountinfo":
      "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
    "proc/meminfo": "MemTotal: 1048576 kB\nMemAvailable: 524288 kB\n",
    [`${group}/memory.max`]: `${100 * MIB}\n`,
    [`${group}/memory.high`]: `${80 * MIB}\n`,
    [`${group}/memory.current`]: `${70 * MIB}\n`,
    [`${group}/memory.stat`]: `inactive_file ${10 * MIB}\n`,
    [`${group}/memory.pressure`]: stall(5_000_000),
  });
  const reader = new PressureReader("50%", root);
  const readings = new Map(reader.read(0).map((each) => [each.source, each]));
  assert.deepEqual(readings.get("group"), { source: "group", used: 60 * MIB, limit: 80 * MIB });
  assert.deepEqual(readings.get("host"), { source: "host", used: 512 * MIB, limit: 1024 * MIB });
  assert.equal(readings.get("limit")?.limit, 50 * MIB);
  assert.equal(readings.get("stall"), undefined, "the first look is no alarm");
  writeFileSync(join(root, group, "memory.pressure"), stall(5_150_000));
  const stalled = reader.read(2000).find(({ source }) => source === "stall");
  assert.deepEqual(stalled, { source: "stall", used: 150, limit: 200 });
});

/** Waits for what is told next. */
function nextPressure(memoryLimit: number): Promise<MemoryPressure> {
  return new Promise((resolve) => {
    // The watch's own timer does not keep a program alive.
    const alive = setInterval(() => {}, 1000);
    const stop = onMemoryPressure((pressure) => {
      stop();
      clearInterval(alive);
      resolve(pressure);
    }, { memoryLimit, interval: 20 });
  });
}

test("a program is told when it comes near its own limit", async () => {
  const resident = process.memoryUsage.rss();
  const pressure = await nextPressure(Math.round(resident / 2));
  assert.equal(pressure.short, true);
  assert.equal(pressure.source, "limit");
  assert.ok(pressure.used > resident / 4, `${pressure.used} of ${resident}`);
});

test(
  "what is far from every limit is told nothing, and a stopped watch neither",
  onLinux,
  async () => {
    let told = 0;
    const stop = onMemoryPressure(({ source }) => {
      // A machine that is short of memory itself says nothing of the program.
      if (source === "limit") told++;
    }, { memoryLimit: 2 ** 50, interval: 5 });
    const stopped = onMemoryPressure(() => told++, { memoryLimit: 1, interval: 5 });
    stopped();
    await new Promise((resolve) => setTimeout(resolve, 60));
    stop();
    assert.equal(told, 0);
  },
);

test("bad arguments are refused", () => {
  const attempt = (...args: unknown[]) => () => Reflect.apply(onMemoryPressure, null, args);
  assert.throws(attempt("x"), { name: "TypeError", message: /callback must be a function/ });
  const cases: readonly (readonly [object, string, RegExp])[] = [
    [{ memoryLimit: 0 }, "RangeError", /memoryLimit must be a number of bytes, or/],
    [{ memoryLimit: "0%" }, "RangeError", /"1%" to "100%"; got '0%'/],
    [{ memoryLimit: "101%" }, "RangeError", /got '101%'/],
    [{ memoryLimit: true }, "TypeError", /got true/],
    [{ interval: 0 }, "RangeError", /interval must be a whole number/],
    [{ interval: "1" }, "TypeError", /got '1'/],
    [{ often: 1 }, "TypeError", /must be one of memoryLimit, interval/],
  ];
  for (const [options, name, message] of cases) {
    assert.throws(attempt(() => {}, options), { name, message });
  }
});
