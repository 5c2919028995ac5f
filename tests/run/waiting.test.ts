// Preloads that have a function which the allocator calls while it starts: libfaketime, torsocks.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { planLaunch } from "../../lib/run/plan.ts";
import { compileShared } from "../support/compile.ts";
import { directory, run } from "../support/launch.ts";
import { skipUnless } from "../support/skip.ts";

const elf = () => skipUnless(process.platform === "linux", "the rules are those of ELF");

function hint(what: string, symbol: string, allocator: string, instead: string): string {
  return `${what} has a ${symbol} of its own, and ${allocator} calls that while it starts. If the ` +
    `program hangs before its main, take --allocator ${instead}`;
}

test(
  "a preload that an allocator may wait for at its start is named, with a way out",
  elf(),
  () => {
    const notes = (symbol: string, allocator: "jemalloc" | "mimalloc" | "system") => {
      const preload = compileShared("hello.c", `waiting-${symbol}.so`, [`-Dmain=${symbol}`]);
      const said = planLaunch({ allocator }, { LD_PRELOAD: preload }).notes;
      return said.map((note) => note.replace(preload, "…"));
    };
    const what = 'LD_PRELOAD names "…", which';
    assert.deepEqual(notes("clock_gettime", "jemalloc"), [
      hint(what, "clock_gettime", "jemalloc", "mimalloc"),
    ]);
    assert.deepEqual(notes("clock_gettime", "mimalloc"), []);
    for (const allocator of ["jemalloc", "mimalloc"] as const) {
      assert.deepEqual(notes("syscall", allocator), [hint(what, "syscall", allocator, "system")]);
      assert.deepEqual(notes("other", allocator), []);
    }
    assert.deepEqual(notes("syscall", "system"), []);
  },
);

test("so is a command that preloads one itself, and the command runs", elf(), async () => {
  const path = join(directory, "faketime");
  writeFileSync(path, "#!/bin/sh\necho ran\n", { mode: 0o755 });
  const line = hint('what "faketime" preloads', "clock_gettime", "jemalloc", "mimalloc");
  const jemalloc = await run(["-a", "jemalloc", "--", path]);
  assert.equal(jemalloc.stdout, "ran\n");
  assert.equal(jemalloc.stderr, `offheap: ${line}\n`);
  assert.equal((await run(["-a", "mimalloc", "--", path])).stderr, "");
});
