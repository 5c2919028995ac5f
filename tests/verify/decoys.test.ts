// Each decoy is put before all who say who serves malloc: the check inside a launched program (run),
// verifyAllocator() inside, and doctor from outside. They have to agree.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { examineProcess } from "../../lib/watch/doctor/doctor.ts";
import type { ProcessReport } from "../../lib/watch/doctor/types.ts";
import type { Verification } from "../../lib/verify/types.ts";
import { withChild } from "../support/child.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { THOROUGH } from "../support/effort.ts";
import { IS_MUSL } from "../support/libc.ts";
import { builtLibrary, FIXTURES, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

type Allocator = "jemalloc" | "mimalloc";

interface Decoy {
  readonly what: string;
  /** The allocator that it comes before, or claims to be. */
  readonly allocator: Allocator;
  readonly source: string;
  readonly flags: readonly string[];
  /** Whether nothing of the allocator's comes after it: mimalloc takes libc's inner names, too. */
  readonly alone?: true;
  /** What the check in the program says. */
  readonly refusal: RegExp;
}

const part = (name: string) => ({ source: "decoy-entries.c", flags: [`-D${name}`] });

const DECOYS: readonly Decoy[] = [
  {
    what: "forwards mallctl and serves what is below 2,048 bytes from libc",
    allocator: "jemalloc",
    ...part("SPLIT"),
    refusal: /its counters do not follow malloc \(a block of 1 bytes\)/,
  },
  {
    what: "says whose a block is by who mapped its page",
    allocator: "mimalloc",
    ...part("MAPPED"),
    alone: true,
    refusal: /claims memory that no allocator owns: a (block of libc's own malloc|page)/,
  },
  {
    what: "speaks as jemalloc, counts, and claims every address",
    allocator: "jemalloc",
    source: "decoy-malloc.c",
    flags: ["-DDECOY_MALLCTL", "-DDECOY_COUNTS"],
    refusal: /claims memory that no allocator owns/,
  },
  {
    what: "speaks as mimalloc and claims what is neither static nor on the stack",
    allocator: "mimalloc",
    alone: true,
    source: "decoy-malloc.c",
    flags: ["-DDECOY_CLAIMS(p)=(p!=NULL&&!is_static(p)&&!is_on_stack(p))"],
    refusal: /claims memory that no allocator owns/,
  },
  ...(["jemalloc", "mimalloc"] as const).flatMap((allocator, turn) => {
    const all: Decoy[] = [
      {
        what: `frees nothing, before ${allocator}`,
        allocator,
        ...part("FREE"),
        refusal: /free is served by another, ".*\.so"/,
      },
      {
        what: `serves reallocarray from pages of its own, before ${allocator}`,
        allocator,
        ...part("ARRAYS"),
        refusal: /reallocarray is served by another/,
      },
      {
        what: `replaces calloc alone, before ${allocator}`,
        allocator,
        ...part("CALLOC"),
        refusal: /calloc is served by another/,
      },
      {
        what: `replaces the aligned functions alone, before ${allocator}`,
        allocator,
        ...part("ALIGNED"),
        refusal: /posix_memalign is served by another/,
      },
      {
        what: `has C++'s operators with a pool of their own, before ${allocator}`,
        allocator,
        ...part("OPERATORS"),
        refusal: /operator new/,
      },
    ];
    // On a push each is put before one of the two.
    return all.filter((_, index) => THOROUGH || index % 2 === turn);
  }),
];

const glibc = () => skipUnless(!IS_MUSL, "the decoys use names that glibc gives its malloc");

let waiting: string | undefined;

/** A program that waits: the runtime, on a push `cat`; it answers what it is asked. */
function waitingCommand(): [string, ...string[]] {
  if (!THOROUGH) return ["cat"];
  if (waiting === undefined) {
    waiting = join(temporaryDirectory(), "wait.mjs");
    writeFileSync(
      waiting,
      'import process from "node:process";\nconsole.log("ready");\nprocess.stdin.resume();\n',
    );
  }
  return runtimeCommand(waiting);
}

interface Verdicts {
  readonly checked: { readonly status: number | null; readonly stderr: string };
  readonly verification: Verification;
  readonly report: ProcessReport;
}

/** What the check inside says of a program. */
async function check(allocator: Allocator, preload: string, program: string) {
  const checks = `OFFHEAP_REQUIRE="$$:${allocator}" LD_PRELOAD="$1" exec "$2" --version`;
  const libraries = `${preload}:${builtLibrary("offheap")}`;
  return await runChild(["sh", "-c", checks, "sh", libraries, program]);
}

async function judge(allocator: Allocator, preload: readonly string[]): Promise<Verdicts> {
  const LD_PRELOAD = preload.join(":");
  const child = join(FIXTURES, "verify-child.ts");
  const inside = await runChild(runtimeCommand(child, JSON.stringify({ allocator })), {
    variables: { LD_PRELOAD },
  });
  assert.equal(
    inside.status,
    0,
    `verify ended with ${inside.signal ?? inside.status}: ${inside.stderr}`,
  );
  const [command, ...args] = waitingCommand();
  const report = await withChild(command, args, { env: { LD_PRELOAD } }, ({ pid }) => {
    return examineProcess(pid);
  });
  const checked = await check(allocator, LD_PRELOAD, THOROUGH ? process.execPath : "/bin/true");
  return { checked, verification: JSON.parse(inside.stdout) as Verification, report };
}

DECOYS.forEach(({ what, allocator, source, flags, alone, refusal }, index) => {
  test(`a preload that ${what} is found out by all three`, glibc(), async () => {
    const decoy = compileShared(source, `decoy-${index}.so`, flags);
    const after = alone === true ? [] : [builtLibrary(allocator)];
    const { checked, verification, report } = await judge(allocator, [decoy, ...after]);
    assert.equal(checked.status, 125, checked.stderr);
    assert.match(checked.stderr, refusal);
    assert.equal(
      verification.processAllocatorVerified,
      false,
      JSON.stringify(verification, null, 1),
    );
    assert.equal(report.verified, false, JSON.stringify(report, null, 1));
    assert.ok(report.evidence.some(({ outcome }) => outcome === "fail"));
  });
});

test("sizes that are drawn again find a preload that serves some sizes only", glibc(), async () => {
  const flags = ["-DSPLIT", "-DLEAST=4096", "-DLIMIT=8192"];
  const decoy = compileShared("decoy-entries.c", "decoy-some.so", flags);
  const after = builtLibrary("jemalloc");
  const { status, stderr } = await check("jemalloc", `${decoy}:${after}`, "/bin/true");
  assert.equal(status, 125, stderr);
  assert.match(stderr, /its counters do not follow malloc \(a block of [4-8]\d{3} bytes\)/);
});

for (const allocator of ["jemalloc", "mimalloc"] as const) {
  test(
    `operators of C++ that call malloc are fine with all three under ${allocator}`,
    glibc(),
    async () => {
      const through = compileShared("decoy-entries.c", `through-${allocator}.so`, ["-DTHROUGH"]);
      const { checked, verification, report } = await judge(allocator, [
        through,
        builtLibrary(allocator),
      ]);
      assert.equal(checked.status, 0, checked.stderr);
      assert.equal(
        verification.processAllocatorVerified,
        true,
        JSON.stringify(verification, null, 1),
      );
      assert.equal(report.verified, true, JSON.stringify(report, null, 1));
    },
  );
}
