/**
 * `offheap compare` of servers: ready, under load, at rest, and gone.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { freePort } from "../../tools/free-port.ts";
import {
  compare,
  compared,
  compareWith,
  PLAIN,
  readDocument,
  variantsFile,
} from "../support/compared.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { type ChildResult, FIXTURES, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const onLinux = skipUnless(process.platform === "linux", "it measures by Linux's /proc");

/** Where the system's own programs are, and no load generator. */
const PLACES = "/usr/bin:/bin";

const START_SERVER = runtimeCommand(join(FIXTURES, "compare-server.ts"));

test("a server is put under load, rests, and is gone", onLinux, async () => {
  const file = join(temporaryDirectory(), "url");
  const result = await compared(
    ...["--rounds", "1", "--variants", variantsFile([PLAIN, { name: "other", plain: true }])],
    ...["--ready-line", "^ready$", "--load", `curl -s "$(cat ${file})/keep/50000000"`],
    ...["--idle-after", "200ms", "--metric", "kept: ([0-9]+)", "--", ...START_SERVER, file],
  );
  const [run] = result.runs;
  assert.equal(run?.signal, "SIGTERM");
  assert.equal(run?.figures.metric, 1);
  for (const name of ["endBytes", "idleBytes", "peakBytes"] as const) {
    assert.ok((run?.figures[name] ?? 0) > 50_000_000, name);
  }
  assert.ok((run?.figures.userSeconds ?? 0) > 0);
  await assert.rejects(fetch(readFileSync(file, "utf8")));
});

/** What autocannon 9.0.0 printed, without its lists of percentiles. */
const REPORT = {
  url: "http://127.0.0.1:18081/",
  connections: 10,
  duration: 2.03,
  errors: 0,
  timeouts: 0,
  non2xx: 0,
  latency: { average: 25.97, p50: 24, p99: 139 },
  requests: { average: 123.34, total: 247 },
};

/** Puts a load generator into a project: it keeps its arguments, and reports. */
function makeGenerator(directory: string, report: object): void {
  const bin = join(directory, "node_modules", ".bin");
  mkdirSync(bin, { recursive: true });
  const script = `#!/bin/sh\necho "$@" > args\necho '${JSON.stringify(report)}'\n`;
  writeFileSync(join(bin, "autocannon"), script, { mode: 0o755 });
}

test(
  "requests are sent by the project's own load generator, and what it reports are figures",
  onLinux,
  async () => {
    const directory = temporaryDirectory();
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    const words = [
      ...["--json", "--rounds", "1", "--requests", url, "--rate", "500"],
      ...["--duration", "2s", "--variants", variantsFile([PLAIN, { name: "other", plain: true }])],
      ...["--", ...START_SERVER, join(directory, "url"), `${port}`],
    ];
    const run = (): Promise<ChildResult> =>
      compareWith({ cwd: directory, variables: { PATH: PLACES } }, ...words);
    const missing = await run();
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /autocannon is not installed\. Install it/);
    makeGenerator(directory, REPORT);
    const { status, stdout, stderr } = await run();
    assert.equal(status, 0, stderr);
    const [first] = readDocument(stdout).runs;
    assert.equal(first?.figures.requestsPerSecond, 123.34);
    assert.equal(first?.figures.latencyP50Seconds, 0.024);
    assert.equal(first?.figures.latencyP99Seconds, 0.139);
    assert.equal(readFileSync(join(directory, "args"), "utf8"), `--json -R 500 -d 2 ${url}\n`);
    makeGenerator(directory, { ...REPORT, non2xx: 7 });
    const failed = await run();
    assert.equal(failed.status, 1);
    assert.match(failed.stderr, /not all answered: 0 failed, 0 timed out, 7 got another status/);
  },
);

test("a port that is busy before the program has started is reported", onLinux, async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/`;
  const directory = temporaryDirectory();
  makeGenerator(directory, REPORT);
  try {
    for (
      const words of [
        ["--ready-url", url, "--idle-after", "1s"],
        ["--ready-line", "ready", "--requests", url],
      ]
    ) {
      const { status, stderr } = await compareWith({ cwd: directory }, ...words, "--", "true");
      assert.equal(status, 1);
      assert.match(stderr, /something answers at .* before the program has started/);
    }
  } finally {
    server.close();
  }
});

test(
  "a server that ends before it is ready, and one that is never ready, say what they wrote",
  onLinux,
  async () => {
    const ready = ["--ready-line", "never", "--idle-after", "1s"];
    const early = await compare(...ready, "--", "sh", "-c", "echo no such file; exit 1");
    assert.equal(early.status, 1);
    assert.match(early.stderr, /ended before it was ready\. It wrote: no such file/);
    const late = await compare(
      ...ready,
      "--timeout",
      "1s",
      "--",
      "sh",
      "-c",
      "echo waiting; sleep 100",
    );
    assert.equal(late.status, 1);
    // Three looks at it have the same limit, and a busy machine decides which is first.
    const ways = "not ready in time|ended before it was ready|not end within 1 s and was killed";
    assert.match(late.stderr, new RegExp(`(${ways})\\. It wrote: waiting`));
  },
);
