import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { hostTarget } from "../../lib/library/target.ts";
import { examineProcess } from "../../lib/watch/doctor/doctor.ts";
import { debianAllocator, debianAllocatorFile } from "../../tools/packages/debian-allocators.ts";
import { withChild } from "../support/child.ts";
import { compileTo } from "../support/built-once.ts";
import { compileProgram, temporaryDirectory } from "../support/compile.ts";
import { effort } from "../support/effort.ts";
import {
  builtLibrary,
  FIXTURES,
  offheapCommand,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const ALLOCATORS = ["jemalloc", "mimalloc"] as const;
const IS_LINUX = process.platform === "linux";
const GLIBC = IS_LINUX && hostTarget().libc === "glibc";

function hasCompiler(): boolean {
  try {
    execFileSync("g++", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    // The build needs no compiler of C++, and neither do the other tests.
    return false;
  }
}

const withCxx = skipUnless(GLIBC && hasCompiler(), "needs g++ and Linux with glibc");
const onLinux = skipUnless(IS_LINUX, "needs Linux");

/** Compiles what asks all operators: a program, or an addon of one. */
function compileOperators(output: string, flags: readonly string[]): string {
  const path = join(temporaryDirectory(), output);
  const source = join(FIXTURES, "operators.cpp");
  return compileTo(path, {
    compiler: "g++",
    options: ["-std=c++17", "-O0", "-Wall", "-Werror", ...flags],
    sources: [source],
    after: ["-ldl"],
  });
}

/** What a program prints in which all operators do what C++ says, and the library they come from. */
function expected(library: string): string {
  return "forms: all\nfailing: 5 caught, 4 empty\nhandlers: 18 calls, 4 caught, 2 empty\n" +
    `served: ${library}\n`;
}

test(
  "a program's own operators are not called before its constructors, nor refused",
  withCxx,
  async () => {
    const program = join(temporaryDirectory(), "own-operators");
    const source = join(FIXTURES, "own-operators.cpp");
    const options = ["-O0", "-Wall", "-Werror", "-rdynamic"];
    compileTo(program, { compiler: "g++", options, sources: [source] });
    assert.deepEqual(execFileSync(program, { encoding: "utf8" }), "100 blocks\n");
    for (const allocator of [...ALLOCATORS, "system"]) {
      const ran = await runChild(offheapCommand("run", "--allocator", allocator, "--", program));
      assert.deepEqual([ran.stdout, ran.stderr, ran.status], ["100 blocks\n", "", 0], allocator);
    }
    const [command, ...args] = offheapCommand("run", "--", program, "wait");
    await withChild(command, args, {}, ({ pid }) => {
      const { allocator, verified } = examineProcess(pid);
      assert.deepEqual([allocator, verified], ["jemalloc", true]);
    });
  },
);

test("C++'s own operators do what is asked of ours", withCxx, async () => {
  const { stdout, status } = await runChild([compileOperators("operators", [])]);
  assert.equal(status, 0);
  assert.match(stdout, /libstdc\+\+\.so\.6\n$/);
  assert.equal(stdout.replace(/served: .*/, "served: x"), expected("x"));
});

for (const allocator of ALLOCATORS) {
  test(
    `${allocator} serves every operator of C++, and throws when memory runs out`,
    withCxx,
    async () => {
      const command = offheapCommand(
        "run",
        "-a",
        allocator,
        "--",
        compileOperators("operators", []),
      );
      const { stdout, stderr, status } = await runChild(command);
      assert.deepEqual([status, stderr], [0, ""]);
      assert.equal(stdout, expected(builtLibrary(allocator, "preload")));
    },
  );

  test(
    `${allocator}: an addon that brings the C++ runtime with it gets its exceptions`,
    withCxx,
    async () => {
      const addon = compileOperators("operators.so", ["-shared", "-fPIC", "-DADDON"]);
      const program = compileProgram("operators-late.c", "operators-late", ["-ldl"]);
      const { stdout, status } = await runChild(
        offheapCommand("run", "-a", allocator, "--", program, addon),
      );
      assert.equal(status, 0);
      assert.equal(stdout, expected(builtLibrary(allocator, "preload")));
    },
  );

  test(
    `${allocator}: without a C++ runtime, what would throw ends the process with a sentence`,
    onLinux,
    async () => {
      const program = compileProgram("operators-late.c", "operators-late", ["-ldl"]);
      const { stdout, stderr, signal } = await runChild(
        offheapCommand("run", "-a", allocator, "--", program),
      );
      assert.equal(stdout, "allocated\n");
      assert.match(
        stderr,
        /^offheap: Cannot allocate memory for operator new: .*std::bad_alloc\.$/m,
      );
      assert.equal(signal, "SIGABRT");
    },
  );
}

const debian = debianAllocatorFile(debianAllocator("jemalloc", "bookworm"));

const withDebian = skipUnless("path" in debian, "missing" in debian ? debian.missing : "");

/** Work that Node does by C++'s operators and by malloc, and frees by both. */
const BUFFERS = effort(5_000, 100_000);
const WORK = 'import { Buffer } from "node:buffer"; const all = [];' +
  `for (let i = 0; i < ${BUFFERS}; i++) all.push(Buffer.alloc(100 + i % 5000));` +
  "console.log(all.length);";

for (const allocator of ALLOCATORS) {
  test(
    `beside Debian's jemalloc, before it or after it, ${allocator} does not free the other's memory`,
    withDebian,
    async () => {
      const [ours, other] = [
        builtLibrary(allocator, "preload"),
        "path" in debian ? debian.path : "",
      ];
      const script = join(temporaryDirectory(), "work.mjs");
      writeFileSync(script, WORK);
      for (const order of [[ours, other], [other, ours]]) {
        const variables = { LD_PRELOAD: order.join(":") };
        const { stdout, stderr, status, signal } = await runChild(runtimeCommand(script), {
          variables,
        });
        assert.deepEqual([status, signal, stdout], [0, null, `${BUFFERS}\n`], stderr);
      }
    },
  );
}
