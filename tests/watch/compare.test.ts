/**
 * What `offheap compare` runs, how often, and what it says of programs whose answer is known.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { DoctorError } from "../../lib/errors.ts";
import { outsideProof } from "../../lib/watch/compare/prove.ts";
import {
  compare,
  compared,
  comparePrograms,
  judgementOf,
  PLAIN,
  variantsFile,
} from "../support/compared.ts";
import { compileShared } from "../support/compile.ts";
import { effort } from "../support/effort.ts";
import { builtLibrary } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const onLinux = skipUnless(process.platform === "linux", "it measures by Linux's /proc");

/** Holds as much as `MEGABYTES` says. */
const HOLD = onLinux.reason === null ? `${comparePrograms()} hold` : "";

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

test(
  "a run that ends before its memory can be seen has none, and that is said",
  onLinux,
  async () => {
    const words = ["--rounds", "1", "--", "true"];
    const { runs } = await compared(...words);
    // One look after its start sees some pages of a program that has not loaded its libraries.
    for (const { figures } of runs) assert.ok((figures.peakBytes ?? 1e6) > 1e5);
    assert.ok(runs.some(({ figures }) => !("peakBytes" in figures || "endBytes" in figures)));
    assert.match((await compare(...words)).stdout, /^note: runs .* too short to see their memory/m);
  },
);

test("a program against itself shows no difference", onLinux, async () => {
  const variants = variantsFile([PLAIN, { ...PLAIN, name: "x" }, { ...PLAIN, name: "y" }]);
  const { outcome: { judgements } } = await compared(
    "--rounds",
    String(effort(7, 12)),
    "--variants",
    variants,
    "--",
    "sh",
    "-c",
    "sleep 0.1; ls /",
  );
  const found = judgements.filter(({ verdict }) => verdict === "better" || verdict === "worse");
  // A figure in a hundred may be found by chance, and of all variants then: they have one baseline.
  assert.ok(judgements.length >= 8, `${judgements.length} judgements`);
  assert.ok(new Set(found.map(({ figure }) => figure)).size <= 1, JSON.stringify(found));
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
        "6",
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
      { ...PLAIN, variables: { MEGABYTES: "20" } },
      {
        name: "less",
        allocator: "jemalloc",
        profile: "low-memory",
        variables: { MEGABYTES: "5" },
      },
    ]);
    const script = HOLD;
    const result = await compared(
      "--rounds",
      "6",
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
      ...["env", "MEGABYTES=5", "offheap", "run", "-a", "jemalloc", "-p", "low-memory", "--"],
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
      ...["--rounds", "1", "--variants", variants, "--", "sh", "-c", "sleep 2"],
    );
    assert.deepEqual(result.leftOut.map(({ variant }) => variant), ["decoy"]);
    assert.match(result.leftOut[0]?.reason ?? "", /^Not seen to be served by ".*decoy\.so": \S/);
    assert.ok(result.runs.some(({ variant }) => variant === "own"));
  },
);

test("a library is proven by the last look that could examine its process", () => {
  const library = fileURLToPath(import.meta.url);
  const item = (outcome: "fail" | "unavailable") =>
    ({ scope: "process", check: "binding", outcome, detail: outcome }) as const;
  const looks = {
    starting: { object: library, verified: false, evidence: [item("unavailable")] },
    proven: { object: library, verified: true, evidence: [item("unavailable")] },
    forwards: { object: library, verified: false, evidence: [item("unavailable"), item("fail")] },
    other: { object: "/other.so", verified: true, evidence: [] },
    ended: null,
  };
  const proof = (...names: readonly (keyof typeof looks)[]): () => void => {
    const { look, require } = outsideProof(library, (pid) => {
      const seen = looks[names[pid] ?? "ended"];
      if (seen === null) throw new DoctorError("It has ended.");
      return seen;
    });
    names.forEach((_, pid) => look(pid));
    return require;
  };
  assert.doesNotThrow(proof("starting", "forwards", "proven", "ended"));
  assert.throws(proof("starting"), { message: /unavailable\.$/ });
  assert.throws(proof("ended"), { message: /: It has ended\.$/ });
  assert.throws(proof("proven", "forwards"), { message: /fail\.$/ });
  assert.throws(proof("proven", "other"), { message: /"\/other\.so" serves it\.$/ });
  assert.throws(proof(), { message: /ended before it could be examined\.$/ });
});

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
  "the recommended command sets what the variant sets, quoted for a shell",
  onLinux,
  async () => {
    const variants = variantsFile([
      { ...PLAIN, variables: { MEGABYTES: "20" } },
      { name: "less", plain: true, variables: { MEGABYTES: "5", GONE: null } },
    ]);
    const { status, stdout } = await compare(
      ...["--rounds", "6", "--variants", variants, "--", "sh", "-c", HOLD],
    );
    assert.equal(status, 0);
    assert.ok(stdout.includes(`  env -u GONE MEGABYTES=5 sh -c '${HOLD}'\n`), stdout);
  },
);

test(
  "rounds end with the time limit, or when the intervals are as narrow as was asked",
  onLinux,
  async () => {
    const variants = variantsFile([PLAIN, { ...PLAIN, name: "other" }]);
    const program = ["--variants", variants, "--", "sh", "-c", "sleep 0.05"];
    // One round is always run, and six are the fewest that have an interval.
    assert.equal((await compared("--time-limit", "1ms", ...program)).rounds, 1);
    const { rounds } = await compared("--until", "95%", ...program);
    assert.ok(rounds >= 6 && rounds < 20, `${rounds} of at most a hundred`);
    assert.equal((await compared("--until", "0.0001%", "--rounds", "7", ...program)).rounds, 7);
  },
);

test("profiles are variants of their own, and any can be the baseline", onLinux, async () => {
  const { variants, judging, runs, recommendation } = await compared(
    ...["--profiles", "balanced,low-memory", "--baseline", "jemalloc low-memory"],
    ...["--rounds", "1", "--", "true"],
  );
  assert.deepEqual(variants.map(({ name }) => name), [
    "jemalloc low-memory",
    "system",
    "system with agent",
    "jemalloc balanced",
    "mimalloc balanced",
    "mimalloc low-memory",
  ]);
  assert.equal(judging.baseline, "jemalloc low-memory");
  assert.equal(runs.filter(({ variant }) => variant.startsWith("jemalloc low-memory")).length, 2);
  assert.match(recommendation.reason, /^Stay with jemalloc low-memory: /);
});
