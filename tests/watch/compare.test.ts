/**
 * `offheap compare`, with programs whose answer is known.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { z } from "zod";
import { freePort } from "../../tools/free-port.ts";
import {
  compare as compareWords,
  compared,
  comparePrograms,
  judgementOf,
  PLAIN,
  readDocument,
  variantsFile,
} from "../support/compared.ts";
import { ComparisonSchema } from "../support/comparison-schema.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import {
  builtLibrary,
  type ChildResult,
  FIXTURES,
  ROOT,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const onLinux = skipUnless(process.platform === "linux", "it measures by Linux's /proc");

function compare(...words: string[]): Promise<ChildResult> {
  return compareWords(words);
}

/** Where the system's own programs are, and no load generator. */
const PLACES = "/usr/bin:/bin";

/** Holds as much as `MEGABYTES` says. */
const HOLD = onLinux.skip === false ? `${comparePrograms()} hold` : "";

test(
  "the usual variants run in every round, the baseline twice, and each has all figures",
  onLinux,
  async () => {
    const result = await compared("--rounds", "2", "--", "sh", "-c", "sleep 0.1");
    const variants = ["system", "system with agent", "jemalloc", "mimalloc"];
    assert.deepEqual(result.variants.map(({ name }) => name).sort(), [...variants].sort());
    assert.deepEqual(result.leftOut, []);
    for (const round of [1, 2]) {
      const ran = result.runs.filter((run) => run.round === round).map(({ variant }) => variant);
      assert.deepEqual(ran.sort(), [...variants, "system again"].sort());
    }
    for (const { figures, status } of result.runs) {
      assert.equal(status, 0);
      for (const name of ["wallSeconds", "pageFaults", "peakBytes"] as const) {
        assert.ok((figures[name] ?? 0) > 0, name);
      }
    }
  },
);

test("a program against itself shows no difference", onLinux, async () => {
  const variants = variantsFile([PLAIN, { ...PLAIN, name: "x" }, { ...PLAIN, name: "y" }]);
  const { outcome: { judgements } } = await compared(
    "--rounds",
    "12",
    "--variants",
    variants,
    "--",
    "sh",
    "-c",
    "sleep 0.1; ls /",
  );
  const found = judgements.filter(({ verdict }) => verdict === "better" || verdict === "worse");
  // A figure in a hundred may be found by chance.
  assert.ok(judgements.length >= 8, `${judgements.length} judgements`);
  assert.ok(found.length <= 1, JSON.stringify(found));
});

test(
  "a variant that takes more memory, and prints a lower figure, is worse in both",
  onLinux,
  async () => {
    const variants = variantsFile([
      { ...PLAIN, variables: { MEGABYTES: "10" } },
      { name: "more", plain: true, variables: { MEGABYTES: "30" } },
    ]);
    const script = `${HOLD}; echo "left: $((100 - MEGABYTES))"`;
    const result = await compared(
      ...[
        "--rounds",
        "7",
        "--variants",
        variants,
        "--metric",
        "left: ([0-9]+)",
        "--higher-is-better",
      ],
      ...["--", "sh", "-c", script],
    );
    assert.equal(judgementOf(result, "more", "peakBytes")?.verdict, "worse");
    const metric = judgementOf(result, "more", "metric");
    assert.equal(metric?.verdict, "worse");
    assert.equal(metric?.value, 70);
    assert.equal(result.recommendation.variant, null);
  },
);

test(
  "the variant with less memory is recommended, with the command line to use it",
  onLinux,
  async () => {
    const variants = variantsFile([
      { ...PLAIN, variables: { MEGABYTES: "30" } },
      {
        name: "less",
        allocator: "jemalloc",
        profile: "low-memory",
        variables: { MEGABYTES: "10" },
      },
    ]);
    const script = HOLD;
    const result = await compared(
      "--rounds",
      "7",
      "--variants",
      variants,
      "--",
      "sh",
      "-c",
      script,
    );
    assert.equal(judgementOf(result, "less", "peakBytes")?.verdict, "better");
    const { variant, command } = result.recommendation;
    assert.equal(variant, "less");
    const words = [
      ...["env", "MEGABYTES=10", "offheap", "run", "-a", "jemalloc", "-p", "low-memory", "--"],
      ...["sh", "-c", script],
    ];
    assert.deepEqual(command, words);
  },
);

test("exit statuses that differ between variants are reported", onLinux, async () => {
  const script = 'case "$LD_PRELOAD" in *jemalloc*) exit 3;; esac';
  const { status, stdout } = await compare("--rounds", "1", "--", "sh", "-c", script);
  assert.equal(status, 0);
  assert.match(stdout, /DID NOT END ALIKE: jemalloc ended with status 3, system with status 0/);
  assert.match(stdout, /^fewer than 7 rounds cannot find a difference of 3 variants/m);
});

test(
  "a variant that hangs is ended and left out, and the others are compared",
  onLinux,
  async () => {
    const script = 'case "$LD_PRELOAD" in *mimalloc*) sleep 1000;; esac; true';
    const result = await compared("--rounds", "1", "--timeout", "2s", "--", "sh", "-c", script);
    assert.deepEqual(result.leftOut.map(({ variant }) => variant), ["mimalloc"]);
    assert.match(result.leftOut[0]?.reason ?? "", /did not end within 2 s and was killed/);
    assert.ok(result.runs.every(({ variant }) => variant !== "mimalloc"));
  },
);

test(
  "a variant that cannot be run is left out, and one alone is not compared",
  onLinux,
  async () => {
    const none = { name: "none", allocator: "jemalloc", library: "/no/such/file.so" };
    const alone = await compare("--variants", variantsFile([PLAIN, none]), "--", "true");
    assert.equal(alone.status, 1);
    assert.match(alone.stderr, /only one variant can be run\.\n\s+none: .*\/no\/such\/file\.so/);
    const three = variantsFile([PLAIN, none, { name: "other", plain: true }]);
    const result = await compared("--rounds", "1", "--variants", three, "--", "true");
    assert.deepEqual(result.leftOut.map(({ variant }) => variant), ["none"]);
  },
);

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

test(
  "requests are sent by the project's own load generator, and what it reports are figures",
  onLinux,
  async () => {
    const directory = temporaryDirectory();
    const bin = join(directory, "node_modules", ".bin");
    mkdirSync(bin, { recursive: true });
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    const words = [
      ...["--json", "--rounds", "1", "--requests", url, "--rate", "500"],
      ...["--duration", "2s", "--variants", variantsFile([PLAIN, { name: "other", plain: true }])],
      ...["--", ...START_SERVER, join(directory, "url"), `${port}`],
    ];
    const run = (): Promise<ChildResult> =>
      compareWords(words, { cwd: directory, variables: { PATH: PLACES } });
    const missing = await run();
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /autocannon is not installed\. Install it/);
    const generator = join(bin, "autocannon");
    const script = (report: object): string =>
      `#!/bin/sh\necho "$@" > args\necho '${JSON.stringify(report)}'\n`;
    writeFileSync(generator, script(REPORT), { mode: 0o755 });
    const { status, stdout, stderr } = await run();
    assert.equal(status, 0, stderr);
    const [first] = readDocument(stdout).runs;
    assert.equal(first?.figures.requestsPerSecond, 123.34);
    assert.equal(first?.figures.latencyP50Seconds, 0.024);
    assert.equal(first?.figures.latencyP99Seconds, 0.139);
    assert.equal(readFileSync(join(directory, "args"), "utf8"), `--json -R 500 -d 2 ${url}\n`);
    writeFileSync(generator, script({ ...REPORT, non2xx: 7 }));
    const failed = await run();
    assert.equal(failed.status, 1);
    assert.match(failed.stderr, /not all answered: 0 failed, 0 timed out, 7 got another status/);
  },
);

test("a port that is busy before the program has started is reported", onLinux, async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const url = `http://127.0.0.1:${port}/`;
    const { status, stderr } = await compare(
      "--ready-url",
      url,
      "--idle-after",
      "1s",
      "--",
      "true",
    );
    assert.equal(status, 1);
    assert.match(stderr, /something answers at .* before the program has started/);
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
    assert.match(late.stderr, /(not ready in time|ended before it was ready)\. It wrote: waiting/);
  },
);

test(
  "Ctrl-C reports the whole rounds, ends what runs, and --resume goes on from there",
  onLinux,
  async () => {
    const directory = temporaryDirectory();
    const [file, count] = [join(directory, "saved.json"), join(directory, "count")];
    // The eighth run, which is in the second round, interrupts the comparison.
    const script =
      `echo x >> ${count}; [ $(wc -l < ${count}) -eq 8 ] && kill -INT $PPID && sleep 100; true`;
    const variants = ["--variants", variantsFile([PLAIN, { name: "other", plain: true }])];
    const words = ["--rounds", "3", ...variants, "--", "sh", "-c", script];
    const interrupted = await compare("--save", file, ...words);
    assert.equal(interrupted.status, 130, interrupted.stderr);
    assert.match(interrupted.stdout, /interrupted: the figures are of \d whole rounds/);
    const before = readDocument(readFileSync(file, "utf8"));
    assert.ok(before.interrupted && before.rounds < 3);
    const after = await compare("--resume", file, ...words);
    assert.equal(after.status, 0, after.stderr);
    const whole = readDocument(readFileSync(file, "utf8"));
    assert.equal(whole.rounds, 3);
    assert.equal(whole.interrupted, false);
    assert.deepEqual(whole.runs.slice(0, before.runs.length), before.runs);
    const others = await compare("--resume", file, "--rounds", "3", ...variants, "--", "true");
    assert.equal(others.status, 1);
    assert.match(others.stderr, /Cannot go on with .*: its command differs from what is asked/);
  },
);

test(
  "the page holds everything and asks for nothing; comparisons are shown again, alone or in pairs",
  onLinux,
  async () => {
    const directory = temporaryDirectory();
    const [file, page] = [join(directory, "a.json"), join(directory, "a.html")];
    const variants = variantsFile([PLAIN, { name: "<b>&", plain: true }]);
    const words = ["--rounds", "1", "--variants", variants, "--save", file, "--html", page];
    const first = await compare(...words, "--", "sh", "-c", "sleep 0.1");
    assert.equal(first.status, 0, first.stderr);
    assert.ok(existsSync(page));
    const html = readFileSync(page, "utf8");
    assert.match(html, /&lt;b&gt;&amp;/);
    assert.doesNotMatch(html, /<b>&|<script|https?:/);
    assert.match(html, /<polyline/);
    const again = await compare("--show", file);
    assert.equal(again.stdout, first.stdout);
    const pair = await compare("--show", file, file);
    assert.equal(pair.status, 0, pair.stderr);
    assert.match(pair.stdout, /<b>&: time/);
  },
);

test(
  "options that contradict, and files that are none, are refused with a sentence",
  onLinux,
  async () => {
    const bad = join(temporaryDirectory(), "bad.json");
    writeFileSync(bad, "{}");
    const rows: readonly (readonly [readonly string[], RegExp])[] = [
      [["--load", "true", "--", "true"], /are for servers/],
      [["--ready-line", "x", "--", "true"], /nothing to do once the program is ready/],
      [["--variants", bad, "--", "true"], /must hold an array of variants/],
      [
        ["--baseline", "nothing", "--", "true"],
        /Cannot compare with "nothing": the variants are system/,
      ],
      [["--profiles", "fast", "--", "true"], /there are balanced/],
      [["--show", bad], /must be what "offheap compare --save" has written/],
      [["--metric", "no group", "--", "true"], /with a group around the number/],
      [["--until", "3", "--", "true"], /must be a part such/],
      [["--higher-is-better", "--", "true"], /--higher-is-better is for --metric/],
      [["--rate", "5", "--", "true"], /--rate and --duration are for --requests/],
      [["--", "offheap-no-such-command"], /not found|no such/i],
      [[], /name the command/],
    ];
    for (const [words, expected] of rows) {
      const { status, stderr } = await compare(...words);
      assert.notEqual(status, 0, words.join(" "));
      assert.match(stderr, expected, words.join(" "));
      assert.doesNotMatch(stderr, /^\s+at /m);
    }
  },
);

test("the published schema is that of the JSON", () => {
  const published = readFileSync(join(ROOT, "docs/user-guide/comparison.schema.json"), "utf8");
  assert.deepEqual(JSON.parse(published), z.toJSONSchema(ComparisonSchema));
});

test(
  "a library that a plain variant preloads by itself is seen to serve it, or left out",
  onLinux,
  async () => {
    const preloading = (name: string, library: string) => ({
      name,
      plain: true,
      variables: { LD_PRELOAD: library },
    });
    const variants = variantsFile([
      PLAIN,
      preloading("own", builtLibrary("jemalloc", "preload")),
      preloading("decoy", compileShared("decoy-malloc.c", "compare-decoy.so")),
    ]);
    const result = await compared(
      ...["--rounds", "1", "--variants", variants, "--", "sh", "-c", "sleep 0.5"],
    );
    assert.deepEqual(result.leftOut.map(({ variant }) => variant), ["decoy"]);
    assert.match(result.leftOut[0]?.reason ?? "", /^Not seen to be served by ".*decoy\.so": \S/);
    assert.ok(result.runs.some(({ variant }) => variant === "own"));
  },
);

test("what a program left running is ended, and the user hears of it", onLinux, async () => {
  const script = "sleep 1234 & true";
  const { notes } = await compared(
    ...["--rounds", "1", "--variants", variantsFile([PLAIN, { ...PLAIN, name: "other" }])],
    ...["--", "sh", "-c", script],
  );
  assert.deepEqual(
    notes,
    ["base", "other"].map((name) => `${name} left processes running, which were ended`),
  );
});

test(
  "a baseline that fails in a later round leaves the rounds before it, and the reason",
  onLinux,
  async () => {
    const count = join(temporaryDirectory(), "count");
    // The first run of the second round, after two warm-ups and three runs of the first.
    const script = `echo x >> ${count}; [ $(wc -l < ${count}) -ge 6 ] && sleep 100; true`;
    const variants = variantsFile([PLAIN, { ...PLAIN, name: "other" }]);
    const { status, stdout, stderr } = await compare(
      ...["--rounds", "3", "--timeout", "1s", "--variants", variants, "--", "sh", "-c", script],
    );
    assert.equal(status, 1);
    assert.match(stdout, /interrupted: the figures are of 1 whole rounds/);
    assert.match(stderr, /did not end within 1 s and was killed/);
  },
);

test(
  "the recommended command sets what the variant sets, quoted for a shell",
  onLinux,
  async () => {
    const variants = variantsFile([
      { ...PLAIN, variables: { MEGABYTES: "30" } },
      { name: "less", plain: true, variables: { MEGABYTES: "10", GONE: null } },
    ]);
    const { status, stdout } = await compare(
      ...["--rounds", "6", "--variants", variants, "--", "sh", "-c", HOLD],
    );
    assert.equal(status, 0);
    assert.ok(stdout.includes(`  env -u GONE MEGABYTES=10 sh -c '${HOLD}'\n`), stdout);
  },
);
