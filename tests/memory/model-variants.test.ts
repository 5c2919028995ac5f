// The programs of model.test.ts against other builds: see there how to go on with one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { debianAllocator, debianAllocatorFile } from "../../tools/packages/debian-allocators.ts";
import { effort, THOROUGH } from "../support/effort.ts";
import {
  modelLimit,
  requireCoverage,
  runModel,
  wantedOperations,
} from "../support/memory-model/run.ts";
import { skipUnless } from "../support/skip.ts";

const ALLOCATORS = ["jemalloc", "mimalloc"] as const;

for (const allocator of ALLOCATORS) {
  for (const variant of ["debug", "secure"] as const) {
    const name = `${variant} ${allocator}: random programs find memory as the model has it`;
    const isUsual = (variant === "debug") === (allocator === "mimalloc");
    const reason = "on a push each allocator in one of the variants; each night in both";
    test(name, { ...modelLimit(), ...skipUnless(THOROUGH || isUsual, reason) }, async () => {
      const wanted = wantedOperations(effort(4_000, 40_000));
      const run = await runModel(`${variant} ${allocator}`, { allocator, variant }, wanted);
      requireCoverage(run, wanted);
    });
  }
}

// Its heaps, its alignments and its statistics are made otherwise than those of mimalloc 2.
const debian = debianAllocatorFile(debianAllocator("mimalloc", "trixie"));

test(
  "mimalloc 3 of Debian: random programs find memory as the model has it",
  { ...modelLimit(), ...skipUnless("path" in debian, "missing" in debian ? debian.missing : "") },
  async () => {
    assert.ok("path" in debian);
    const wanted = wantedOperations(effort(4_000, 20_000));
    const options = { allocator: "mimalloc", library: debian.path } as const;
    requireCoverage(await runModel("Debian's mimalloc 3", options, wanted), wanted);
  },
);
