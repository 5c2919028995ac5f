// A library that is opened with RTLD_DEEPBIND, as PHP opens its extensions.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { compileProgram, compileShared } from "../support/compile.ts";
import { IS_MUSL } from "../support/libc.ts";
import { offheapCommand, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const hasFlag = skipUnless(process.platform === "linux" && !IS_MUSL, "RTLD_DEEPBIND is glibc's");

test("a library opened with RTLD_DEEPBIND has the allocator's malloc, too", hasFlag, async () => {
  compileShared("deep-binding.c", "libdeep-binding.so", ["-DLIBRARY"]);
  const program = compileProgram("deep-binding.c", "deep-binding", [
    "-Wl,--enable-new-dtags,-rpath,$ORIGIN",
    ...["-rdynamic", "-ldl"],
  ]);
  const said = (whose: string) => `exchanged\none malloc\nthe ${whose}\n`;
  const plain = await runChild([program]);
  assert.deepEqual([plain.status, plain.stdout], [0, said("library's")], plain.stderr);
  for (const allocator of ["jemalloc", "mimalloc"]) {
    const launched = await runChild(offheapCommand("run", "-a", allocator, "--", program));
    assert.deepEqual([launched.stdout, launched.stderr], [said("program's"), ""], allocator);
  }
  // The C library's malloc is the one in its scope anyway: the flag stays.
  const launched = await runChild(offheapCommand("run", "-a", "system", "--", program));
  assert.deepEqual(launched, plain);
});
