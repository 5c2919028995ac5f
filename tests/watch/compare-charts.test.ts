/**
 * What charts show of figures.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { linearAxis, logAxis, ratioAxis } from "../../lib/watch/compare/axis.ts";
import { ratioMarks, rowChart, thinned, timeChart } from "../../lib/watch/compare/charts.ts";
import { element } from "../../lib/watch/html.ts";

test("an axis of ratios has 1 in its middle, half as far from it as double", () => {
  const axis = ratioAxis([{ median: 2, low: 1.5, high: 3 }]);
  assert.ok(Math.abs(axis.place(1) - 50) < 1e-9);
  assert.ok(Math.abs(axis.place(0.5) + axis.place(2) - 100) < 1e-9);
  assert.ok(axis.place(3) < 100);
});

test("small differences do not fill an axis", () => {
  const axis = ratioAxis([{ median: 1.001, low: null, high: null }]);
  assert.ok(axis.place(1.001) < 51);
});

test("ticks do not collide, and the first of the candidates stay", () => {
  const { ticks, place } = logAxis(0.5, 8, [1, 2, 1.1, 4, 8]);
  assert.deepEqual(ticks, [1, 2, 4]);
  assert.ok(place(2) - place(1) > 14);
});

test("an axis from 0 on counts by steps that people count by", () => {
  assert.deepEqual(linearAxis(10).ticks, [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(linearAxis(430).ticks, [0, 100, 200, 300, 400]);
  for (const most of [0, 1e-9, 0.7, 3, 99, 12345]) {
    const { ticks, place } = linearAxis(most);
    assert.ok(ticks.length >= 2 && ticks.length <= 7, `${most}: ${ticks}`);
    assert.ok(ticks.every((tick) => place(tick) >= 0 && place(tick) <= 100), `${most}`);
  }
});

test("a line with too many points keeps the greatest of each stretch", () => {
  const points = [1, 9, 2, 3, 8, 1].map((value, index) => [index, value] as const);
  assert.deepEqual(thinned(points, 2), [[1, 9], [4, 8]]);
  assert.equal(thinned(points, 6), points);
});

test("marks are where their values are", () => {
  const axis = logAxis(0.25, 4, [1]);
  const marks = ratioMarks(axis, { median: 2, low: 1, high: 4 }, 0.5);
  assert.match(marks, /class="interval" style="left:50%;width:50%"/);
  assert.match(marks, /class="dot" style="left:75%"/);
  assert.match(marks, /class="band" style="left:25%;width:39.62%"/);
  assert.doesNotMatch(
    ratioMarks(axis, { median: 1, low: null, high: null }, null),
    /interval|band/,
  );
});

test("what names hold stays text", () => {
  const hostile = '<b>"&';
  const axis = logAxis(0.5, 2, [1]);
  const rows = [{ group: hostile, name: hostile, marks: "", words: hostile }];
  const lines = [{ title: hostile, colour: "red", points: [[0, 1], [1, 2]] as const }];
  const texts = { secondsText: String, valueText: String };
  const phases = [{ name: hostile, from: 0, to: 1 }];
  for (
    const html of [
      rowChart({ label: hostile, axis, tickText: () => hostile, rows }),
      timeChart({ label: hostile, lines, phases, ...texts }),
      element("p", { title: hostile }),
    ]
  ) {
    assert.doesNotMatch(html, /<b>"/);
    assert.match(html, /&lt;b&gt;&quot;&amp;/);
  }
});
