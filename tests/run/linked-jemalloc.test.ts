// Programs that are linked to a jemalloc of the system's, as Debian's Redis and BIND are.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { compileProgram, compileShared } from "../support/compile.ts";
import { run } from "../support/launch.ts";
import { skipUnless } from "../support/skip.ts";

const linux = () => skipUnless(process.platform === "linux", "elsewhere the names have a prefix");

test(
  "what only jemalloc has is the preload's in a program linked to another jemalloc",
  linux(),
  async () => {
    const other = compileShared("interpose.c", "libother-jemalloc.so", [
      "-DALL_OF_JEMALLOC",
      "-Wl,-soname,libother-jemalloc.so",
    ]);
    const program = compileProgram("jemalloc-user.c", "jemalloc-user", [
      other,
      "-Wl,-rpath,$ORIGIN",
    ]);
    for (const secure of [[], ["--secure"]]) {
      const { status, stderr } = await run(["-a", "jemalloc", ...secure, "--", program]);
      assert.equal(status, 0, stderr);
    }
  },
);
