/**
 * The page of `offheap serve` in a real browser.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import sharp from "sharp";
import { type BrowserPage, CHROMIUM, endBrowser, withPage } from "../support/browser.ts";
import { type AnsweringChild, shared, withChild } from "../support/child.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { THOROUGH } from "../support/effort.ts";
import { ask } from "../support/http.ts";
import { offheapCommand, ROOT } from "../support/runtime.ts";
import { type Serving, startServing } from "../support/serving.ts";
import { skipUnless } from "../support/skip.ts";

const browser = () =>
  skipUnless(
    process.platform === "linux" && typeof CHROMIUM !== "string",
    typeof CHROMIUM === "string" ? CHROMIUM : "it serves by /proc as Linux has it",
  );

after(endBrowser);

const PICTURES = join(ROOT, "build", "tests", "serve-page");

const directory = temporaryDirectory();
// A burst leaves memory behind that the allocator keeps; a line makes another one.
writeFileSync(
  join(directory, "service.mjs"),
  `
let kept = [];
function burst(megabytes) {
  const all = Array.from({ length: megabytes * 16 }, () => Buffer.alloc(65536, 1));
  kept = all.slice(0, 64);
}
burst(96);
globalThis.gc?.();
process.stdin.on("data", (data) => { burst(160); globalThis.gc?.(); process.stdout.write(data); });
`,
);

/** As somebody would type it: the pictures show it. */
const LAUNCH = [
  "sh",
  "-c",
  `cd ${directory} && exec "$@"`,
  "sh",
  ...offheapCommand("run", "-a", "jemalloc", "--idle-trim", "0", "--memory-limit", "900MiB", "--"),
  "node",
  "--expose-gc",
  "service.mjs",
] as const;

/** A program, and a server for it and this process. */
const both = shared<{ readonly service: AnsweringChild; readonly serving: Serving }>((use) => {
  const [file, ...args] = LAUNCH;
  const env = { PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` };
  return withChild(file, args, { env }, async (service) => {
    const serving = await startServing("--pid", String(service.pid), String(process.pid));
    try {
      await use({ service, serving });
    } finally {
      await serving.end();
    }
  });
});
after(both.end);

function address({ url, token }: Serving): string {
  return `${url}/#token=${token}`;
}

/** For `npm run build:pictures`. */
async function keep(page: BrowserPage, name: string): Promise<void> {
  if (!THOROUGH) return;
  mkdirSync(PICTURES, { recursive: true });
  writeFileSync(join(PICTURES, `${name}.png`), await page.picture());
}

/** How many different colours a part of the page has: a chart that drew nothing has hardly any. */
async function colours(page: BrowserPage, selector: string): Promise<number> {
  const box = await page.evaluate<{ x: number; y: number; width: number; height: number }>(
    `(({ x, y, width, height }) => ({ x, y, width, height }))(
      document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect())`,
  );
  const { data, info } = await sharp(await page.picture()).extract({
    left: Math.round(box.x),
    top: Math.round(box.y),
    width: Math.floor(box.width),
    height: Math.floor(box.height),
  }).raw().toBuffer({ resolveWithObject: true });
  const seen = new Set<number>();
  for (let at = 0; at < data.length; at += info.channels) {
    seen.add(((data[at] ?? 0) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0));
  }
  return seen.size;
}

const LISTED = "document.querySelectorAll('.list tbody tr').length > 1";

test(
  "the page draws a process, shows what a purge brings, and goes on by itself",
  browser(),
  async () => {
    const { service, serving } = await both.get();
    await withPage(async (page) => {
      await page.display({ width: 1200, height: 1400 });
      await page.open(address(serving));
      await page.until(LISTED, "a list of processes");
      assert.equal(await page.evaluate("location.hash"), "#/", "the token is out of the address");
      const row = await page.evaluate<string>(
        `document.querySelector('a[href="#/process/${service.pid}"]').closest("tr").innerText`,
      );
      assert.match(row, /service\.mjs.*jemalloc proven.*MiB/s);
      await keep(page, "list");
      await page.evaluate(`document.querySelector('a[href="#/process/${service.pid}"]').click()`);
      await page.until("document.querySelectorAll('.chart canvas').length === 4", "four charts");
      await page.until(
        "Number(/(\\d+) looks/.exec(machine.textContent)?.[1]) > 2",
        "several looks",
      );
      assert.match(
        await page.evaluate("document.querySelector('h2').textContent"),
        /service\.mjs/,
      );
      assert.ok(await colours(page, ".chart canvas") > 20, "the first chart is drawn");
      const before = await page.evaluate<string>("document.querySelector('.facts').innerText");
      assert.match(before, /proven\s+yes.*profile\s+balanced.*900\.0 MiB \(program\)/s);
      await service.ask("burst");
      await page.until(
        `document.querySelector('.facts').innerText !== ${JSON.stringify(before)}`,
        "other figures without anybody's doing",
      );
      const card = "document.querySelector('.verdict')";
      await page.until(`${card}.querySelector('code')`, "a command to go on with");
      assert.doesNotMatch(await page.evaluate(`${card}.innerText`), /`/);
      await keep(page, "process");
      await page.evaluate(
        "[...document.querySelectorAll('button')].find((b) => b.textContent === 'Purge').click()",
      );
      await page.until("/came back in/.test(outcome.textContent)", "what the purge brought");
      const words = await page.evaluate<string>("outcome.textContent");
      assert.match(
        words,
        /^[\d.]+ (B|KiB|MiB) came back in [\d.]+ ms: RSS was [\d.]+ MiB, and is [\d.]+ MiB\.$/,
      );
      await page.display({ width: 1200, height: 1400, dark: true });
      await page.until(
        "document.querySelectorAll('.chart canvas').length === 4",
        "charts in the dark",
      );
      await page.until(
        "/looks/.test(machine.textContent) && document.querySelector('.u-legend')",
        "again",
      );
      assert.equal(
        await page.evaluate("getComputedStyle(document.body).backgroundColor"),
        "rgb(20, 23, 27)",
      );
      await keep(page, "process-dark");
      assert.deepEqual(page.errors, [], "nothing is blocked, and nothing fails");
    });
  },
);

test(
  "a snapshot's flame graph opens under a name of its own, in a sandbox",
  browser(),
  async () => {
    const [file, ...args] = LAUNCH.flatMap((word) =>
      word === "--idle-trim" ? ["--heap-profiling=64KiB"] : word === "0" ? ["--active"] : [word]
    );
    assert.ok(file !== undefined);
    const env = { PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` };
    await withChild(file, args, { env }, async (service) => {
      await service.ask("burst");
      const serving = await startServing("--pid", String(service.pid));
      try {
        await withPage(async (page) => {
          await page.display({ width: 1200, height: 900 });
          await page.open(address(serving));
          await page.until(
            "document.querySelectorAll('.list tbody tr').length === 1",
            "the process",
          );
          await page.evaluate(`location.hash = "#/process/${service.pid}"`);
          await page.until("/looks/.test(machine.textContent)", "its figures");
          await page.evaluate(
            "[...document.querySelectorAll('button')].find((b) => b.textContent === 'Snapshot').click()",
          );
          await page.until("document.querySelector('#outcome a')", "a flame graph");
          const [graph = "", profile = ""] = await page.evaluate<string[]>(
            "[...document.querySelectorAll('#outcome a')].map((link) => link.href)",
          );
          assert.match(graph, /\/profiles\/[\w-]{43}\.html$/);
          const answer = await ask(graph);
          assert.match(
            String(answer.headers["content-security-policy"]),
            /^sandbox allow-scripts; /,
          );
          const pprof = await fetch(profile);
          assert.equal(pprof.headers.get("content-type"), "application/octet-stream");
          const bytes = new Uint8Array(await pprof.arrayBuffer());
          assert.deepEqual([bytes[0], bytes[1]], [0x1f, 0x8b], "it is gzip's");
          assert.equal((await ask(graph.replace(/.{5}\.html$/, "AAAAA.html"))).status, 404);
          await page.open(graph);
          await page.until("document.querySelectorAll('#chart rect').length > 3", "its frames");
          assert.match(await page.evaluate("document.body.innerText"), /burst/);
          await keep(page, "flame-graph");
          assert.equal(await page.evaluate("origin"), "null");
          assert.deepEqual(page.errors, []);
        });
      } finally {
        await serving.end();
      }
    });
  },
);

test(
  "nothing is shown in the page without the token, and a typed one opens it",
  browser(),
  async () => {
    const { service, serving } = await both.get();
    await withPage(async (page) => {
      await page.open(`${serving.url}/`);
      await page.until("document.querySelector('input[name=token]')", "a question for the token");
      const text = await page.evaluate<string>("document.body.innerText");
      assert.match(text, /Nothing is shown without the token/);
      assert.doesNotMatch(text, new RegExp(`service\\.mjs|\\b${service.pid}\\b`));
      await page.open(`${serving.url}/#token=wrong`);
      await page.until("document.querySelector('input[name=token]')", "the question again");
      await page.evaluate(
        `document.querySelector("input[name=token]").value = ${JSON.stringify(serving.token)};
       document.querySelector("form").requestSubmit()`,
      );
      await page.until(LISTED, "a list of processes");
    });
  },
);

test("a phone has room for it, and the keyboard is enough", browser(), async () => {
  const { service, serving } = await both.get();
  await withPage(async (page) => {
    await page.display({ width: 390, height: 844, phone: true });
    await page.open(address(serving));
    await page.until(LISTED, "a list of processes");
    const fits = "document.documentElement.scrollWidth <= innerWidth";
    assert.ok(await page.evaluate(fits), "the list is as wide as the phone");
    await keep(page, "phone-list");
    // From the filter on by Tab: to the heads, and to the rows.
    await page.evaluate(`document.querySelector("input[name=filter]").focus()`);
    await page.evaluate(
      `document.activeElement.value = "service.mjs ${service.pid}";
       document.activeElement.dispatchEvent(new Event("input"))`,
    );
    const onHead = "document.activeElement.closest('thead') !== null";
    for (let presses = 0; presses < 3 && !await page.evaluate(onHead); presses++) {
      await page.press("Tab");
    }
    const isSeen = `(({ width, height }) => width > 20 && height > 20)(
      document.activeElement.closest("thead").getBoundingClientRect())`;
    assert.ok(await page.evaluate(isSeen), "what has the focus can be seen");
    const order = "document.querySelector('th[aria-sort]').ariaSort";
    assert.equal(await page.evaluate(order), "descending", "of RSS the most comes first");
    await page.press("Enter");
    assert.equal(await page.evaluate(order), "ascending", "names are by the alphabet");
    assert.ok(await page.evaluate(fits), "the heads are as wide as the phone");
    const onLink = `document.activeElement.getAttribute("href") === "#/process/${service.pid}"`;
    for (let presses = 0; presses < 20 && !await page.evaluate(onLink); presses++) {
      await page.press("Tab");
    }
    assert.ok(await page.evaluate(onLink), "the row is reached by the keyboard");
    await new Promise((resolve) => setTimeout(resolve, 2500));
    assert.ok(await page.evaluate(onLink), "an update does not take the focus away");
    await page.press("Enter");
    await page.until("document.querySelectorAll('.chart canvas').length === 4", "the process");
    await page.until("machine.textContent.includes('looks')", "its figures");
    assert.ok(await page.evaluate(fits), "the process is as wide as the phone");
    await keep(page, "phone-process");
    await page.display({ width: 320, height: 844, phone: true });
    for (const hash of ["#/", `#/process/${service.pid}`]) {
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      await page.until(hash === "#/" ? LISTED : "machine.textContent.includes('looks')", hash);
      assert.ok(await page.evaluate("document.documentElement.scrollWidth <= 320"), hash);
    }
    await keep(page, "narrow-process");
  });
});

test(
  "a token with any character opens the page, and what is no token is refused in words",
  browser(),
  async () => {
    const file = join(directory, "token");
    const token = "100%#&+/=%41%zz-abcdef";
    writeFileSync(file, token, { mode: 0o600 });
    const serving = await startServing("--token-file", file, "--pid", String(process.pid));
    try {
      await withPage(async (page) => {
        assert.equal(serving.token, "TOKEN,", "it is not printed");
        await page.open(`${serving.url}/#token=${encodeURIComponent(token)}`);
        await page.until("document.querySelectorAll('.list tbody tr').length === 1", "the list");
        const spoken = "[...document.querySelectorAll('[role=status]')].map(({ id }) => id).join()";
        assert.equal(await page.evaluate(spoken), "", "what goes on by itself is not read out");
        await page.open(`${serving.url}/#token=%`);
        await page.until("/Nothing is shown without the token/.test(message.textContent)", "words");
        assert.deepEqual(
          page.errors.filter((text) => !/401/.test(text)),
          [],
          "but that it is not permitted",
        );
      });
    } finally {
      await serving.end();
    }
  },
);

test(
  "a process that ends is said to have ended, and what was seen of it stays",
  browser(),
  async () => {
    await withPage(async (page) => {
      const serving = await startServing();
      try {
        await withChild("cat", [], {}, async ({ pid }) => {
          await page.open(address(serving));
          await page.until(LISTED, "a list of processes");
          await page.evaluate(`location.hash = "#/process/${pid}"`);
          await page.until("document.querySelector('h2').textContent.startsWith('cat')", "cat");
        });
        await page.until("/there is no such process/.test(message.textContent)", "that it is gone");
        assert.match(await page.evaluate("document.querySelector('h2').textContent"), /^cat/);
      } finally {
        await serving.end();
      }
    });
  },
);
