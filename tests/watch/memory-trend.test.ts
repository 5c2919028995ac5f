import assert from "node:assert/strict";
import { test } from "node:test";
import { lowPoints, type Point, trendOf } from "../../lib/watch/doctor/memory/trend.ts";
import { History, type Sighting } from "../../lib/watch/serve/history.ts";
import { seeded } from "../../bench/workloads/support/random.ts";

const MIB = 2 ** 20;

/** Values at each second. */
function series(count: number, value: (second: number) => number): Point[] {
  return Array.from(
    { length: count },
    (_, second) => ({ at: second * 1000, value: value(second) }),
  );
}

test("steady growth is rising at its pace, whatever a few odd values are", () => {
  const points = series(60, (second) => 100 * MIB + second * MIB);
  const odd = points.map((point, index) =>
    index % 11 === 3 ? { ...point, value: 900 * MIB } : point
  );
  for (const values of [points, odd]) {
    const { shape, perSecond, sureOfRise } = trendOf(values);
    assert.equal(shape, "rising");
    assert.ok(Math.abs(perSecond / MIB - 1) < 0.2, `${perSecond / MIB}`);
    assert.ok(sureOfRise > 0.99, `${sureOfRise}`);
  }
});

test("growth that ends in a plateau has settled", () => {
  const { shape } = trendOf(series(60, (second) => Math.min(second, 20) * MIB));
  assert.equal(shape, "settled");
});

test("noise, a constant and a fall are level", () => {
  const random = seeded(11).next;
  const noise = trendOf(series(60, () => 100 * MIB + random() * 10 * MIB));
  assert.equal(noise.shape, "level");
  assert.ok(noise.sureOfRise > 0.02 && noise.sureOfRise < 0.98, `${noise.sureOfRise}`);
  const constant = trendOf(series(60, () => 5 * MIB));
  assert.deepEqual([constant.shape, constant.sureOfRise, constant.perSecond], ["level", 0.5, 0]);
  const fall = trendOf(series(60, (second) => -second));
  assert.equal(fall.shape, "level");
  assert.ok(fall.sureOfRise < 0.01);
});

test("the pace is the median of all slopes, between two where their number is even", () => {
  const steps = [0, 1, 2, 4, 8, 16, 32, 64].map((value, second) => ({ at: second * 1000, value }));
  const slopes = steps.flatMap((a, index) =>
    steps.slice(index + 1).map((b) => (b.value - a.value) / (b.at - a.at) * 1000)
  ).toSorted((a, b) => a - b);
  assert.equal(slopes.length % 2, 0);
  const middle = slopes.length / 2;
  const median = ((slopes[middle] ?? 0) + (slopes[middle - 1] ?? 0)) / 2;
  assert.equal(trendOf(steps).perSecond, median);
  const nine = trendOf(series(9, (second) => second ** 2));
  assert.equal(nine.perSecond, 8, "an odd number of values has 36 slopes, whose middle ones are 8");
});

test("low points are the least values of parts of the time", () => {
  const points = series(24, (second) => second % 2 === 0 ? 10 + second : 1);
  assert.deepEqual(
    lowPoints(points).map(({ value }) => value),
    Array.from({ length: 12 }, () => 1),
  );
});

test("too few values show nothing", () => {
  assert.equal(trendOf(series(7, (second) => second)).shape, "unknown");
  assert.equal(trendOf([]).shape, "unknown");
});

test("of noise less than a tenth is taken for growth", () => {
  const random = seeded(5).next;
  const rising = Array.from({ length: 200 }, () => trendOf(series(40, random)).shape)
    .filter((shape) => shape === "rising");
  assert.ok(rising.length < 20, `${rising.length} of 200`);
});

test("a heap that is collected again and again is level by its low points, and a leak is not", () => {
  const saw = (second: number): number => (second % 7) * MIB;
  assert.equal(trendOf(lowPoints(series(84, saw))).shape, "level");
  const leak = trendOf(lowPoints(series(84, (second) => saw(second) + second * MIB / 4)));
  assert.equal(leak.shape, "rising");
});

test("a long watch is joined to fewer values, with the same pace", () => {
  const { perSecond, change } = trendOf(series(5000, (second) => second * 3));
  assert.ok(Math.abs(perSecond - 3) < 1e-6);
  assert.ok(Math.abs(change - 3 * 4999) < 1e-6);
});

/** When a process was seen, in minutes, by what the page's server remembers of it. */
function rememberedAt(history: History, key: string): number[] {
  return history.of(key).map(({ observation: { at } }) => at / 60_000);
}

const seenAt = (minute: number): Sighting =>
  ({ observation: { at: minute * 60_000 }, used: {} }) as unknown as Sighting;

test("what was seen of a process is kept for half an hour, and not once it has ended", () => {
  const history = new History();
  for (let minute = 0; minute <= 40; minute++) {
    history.add([["1", seenAt(minute)], ...(minute < 40 ? [["2", seenAt(minute)] as const] : [])]);
  }
  assert.deepEqual(rememberedAt(history, "1"), Array.from({ length: 31 }, (_, i) => 10 + i));
  assert.deepEqual(rememberedAt(history, "2"), []);
});

test("of too much that was seen, the older half is thinned out, and reaches as far back", () => {
  const history = new History();
  const times = Array.from({ length: 241 }, (_, index) => index / 10);
  for (const minute of times) history.add([["1", seenAt(minute)]]);
  const [older, newer] = [times.slice(0, 121), times.slice(121)];
  assert.deepEqual(
    rememberedAt(history, "1").map((minute) => minute.toFixed(1)),
    [...older.filter((_, index) => index % 2 === 0), ...newer].map((minute) => minute.toFixed(1)),
  );
});
