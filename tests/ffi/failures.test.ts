// What the shim does when a call of its own fails: each of them is made to, one after the other.
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { hostTarget } from "../../lib/library/target.ts";
import { REQUIRE_VARIABLE } from "../../lib/run/own-variables.ts";
import { FIRST_PROCESS } from "../../lib/run/requirement.ts";
import { launchEnvironment } from "../../mod.ts";
import { MEMORY_FILES } from "../../packages/build/recipe/shim.ts";
import { compileTo } from "../support/built-once.ts";
import { compileProgram, compileShared, temporaryDirectory } from "../support/compile.ts";
import { builtLibrary, FIXTURES, ROOT, runChild } from "../support/runtime.ts";
import {
  ADDRESS_SANITIZERS,
  SANITIZER_VARIABLES,
  sanitizersMissing,
} from "../support/sanitizers.ts";
import { skipUnless } from "../support/skip.ts";

const ALLOCATORS = ["jemalloc", "mimalloc"] as const;
const NATIVE = join(ROOT, "ffi", "native");
const directory = temporaryDirectory();

/** The calls that `shim-failures.c` makes fail. */
const WRAPPED = [
  ...["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"],
  ...["dlopen", "dlsym", "pthread_key_create", "pthread_setspecific"],
].map((name) => `-Wl,--wrap=${name}`);

const missing = sanitizersMissing(ADDRESS_SANITIZERS);

test(
  "the Nth allocation that the shim makes may fail: it says so, and touches and loses nothing",
  skipUnless(missing === null, `the compiler has no sanitizers (${missing})`),
  async () => {
    const program = compileTo(join(directory, "failures"), {
      options: [
        ...["-g", "-O0", "-Wall", "-Wextra", "-Werror", "-pthread", `-I${NATIVE}`],
        ...ADDRESS_SANITIZERS,
        // Without a library of its own, whose 6 MiB of data each child would look for pointers in.
        "-fsanitize-undefined-trap-on-error",
        ...WRAPPED,
      ],
      sources: [
        join(FIXTURES, "shim-failures.c"),
        ...MEMORY_FILES.map((name) => join(NATIVE, name)),
      ],
      after: ["-ldl"],
    });
    const libraries = ALLOCATORS.map((name) => builtLibrary(name));
    const { status, stdout, stderr } = await runChild([program, ...libraries], {
      variables: SANITIZER_VARIABLES,
    });
    assert.deepEqual([status, stderr], [0, ""]);
    const count = Number(/^(\d+) calls were made to fail\n$/.exec(stdout)?.[1]);
    assert.ok(count > 50, stdout);
  },
);

const glibc = hostTarget().libc === "glibc" && process.platform === "linux";

for (const allocator of ALLOCATORS) {
  test(
    `the Nth system call that the shim makes under ${allocator} may fail: no program crashes`,
    skipUnless(glibc, "the calls are those of Linux with glibc"),
    async () => {
      const fail = compileShared("fail-calls.c", "fail-calls.so", ["-Wno-nonnull-compare"]);
      const program = compileProgram("execute.c", "execute-failing");
      const log = join(directory, "log");
      const planned = launchEnvironment({ allocator });
      const library = builtLibrary(allocator, "preload");
      const failed: string[] = [];
      for (let number = 1;; number++) {
        const { status, signal, stdout, stderr } = await runChild([program, "execve", "keep"], {
          variables: {
            ...planned,
            LD_PRELOAD: `${planned["LD_PRELOAD"]}:${fail}`,
            [REQUIRE_VARIABLE]: `${FIRST_PROCESS}:${allocator}:${library}`,
            FAIL_CALL: String(number),
            FAIL_LOG: log,
          },
        });
        const what = `call ${number}: ${signal ?? status}\n${stdout}${stderr}`;
        if (!existsSync(log)) {
          assert.deepEqual([status, stdout, stderr], [0, "one two\n", ""], what);
          break;
        }
        failed.push(readFileSync(log, "utf8").trim());
        rmSync(log);
        // It goes on as if nothing were amiss, or is refused with a sentence.
        if (status === 0) assert.deepEqual([stdout, stderr], ["one two\n", ""], what);
        else {
          assert.deepEqual([status, stdout], [125, ""], `${failed.at(-1)}, ${what}`);
          assert.match(stderr, /^offheap: /, what);
        }
      }
      const calls = failed.join("\n");
      for (const name of ["open", "read", "mmap"]) {
        assert.match(calls, new RegExp(`^${name}$`, "m"), calls);
      }
    },
  );
}
