/** The shim's unwinder: against the compiler's, through machine code made at run time, and astray. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { SHIM_FILES } from "../../packages/build/recipe/shim.ts";
import { compileTo } from "../support/built-once.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { effort, THOROUGH } from "../support/effort.ts";
import { HAS_UNWINDER } from "../support/sampled.ts";
import { FIXTURES, ROOT, runChild } from "../support/runtime.ts";
import { ADDRESS_SANITIZERS, sanitizersMissing, THREAD_SANITIZER } from "../support/sanitizers.ts";
import { skipUnless } from "../support/skip.ts";

const NATIVE = join(ROOT, "ffi", "native");
const SOURCES = SHIM_FILES.filter((file) =>
  file.startsWith("profile/") && !/profiling|engine-log/.test(file)
)
  .map((file) => join(NATIVE, file));
const directory = temporaryDirectory();

function build(name: string, flags: readonly string[]): string {
  return compileTo(join(directory, name), {
    options: ["-g", "-Wall", "-Wextra", "-Werror", "-pthread", ...flags, `-I${NATIVE}`],
    sources: [join(FIXTURES, "unwind-driver.c"), ...SOURCES],
    after: ["-ldl"],
  });
}

const WAYS: Readonly<Record<string, readonly string[]>> = {
  "as it is built": ["-O2"],
  // On a push the sanitizers' programs are those without optimisation.
  ...(THOROUGH ? { "without optimisation": ["-O0"] } : {}),
  "without frame pointers, for size": ["-Os", "-fomit-frame-pointer"],
  "under the address sanitizer": ["-O0", ...ADDRESS_SANITIZERS],
  "under the thread sanitizer": ["-O0", ...THREAD_SANITIZER],
};

/** Of a thousand walks from random frame pointers, and of eight threads. */
const ROUNDS = `${effort(4, 20)}`;

const ASKED: Readonly<Record<string, string>> = {
  compare: "native stacks are what the compiler's own unwinder finds, signals included",
  code: "code made at run time is passed through, with native frames on both sides",
  other: "functions without a frame, and with another stack, are passed through",
  corrupt: "frame pointers that lead anywhere crash nothing",
  deep: "a stack that is nearly used up has room for a walk",
  threads: "threads begin and end while stacks are walked",
};

/** What the sanitizers put before functions of the C library takes more of the stack than the walk. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  "under the address sanitizer": ["deep"],
};

for (const [way, flags] of Object.entries(WAYS)) {
  const sanitizers = flags.filter((flag) => flag.startsWith("-f") && /sanitize/.test(flag));
  const missing = HAS_UNWINDER
    ? sanitizersMissing(sanitizers)
    : "the unwinder is for Linux with glibc";
  for (const [word, what] of Object.entries(ASKED)) {
    if (LEFT_OUT[way]?.includes(word) === true) continue;
    test(
      `${what}, ${way}`,
      skipUnless(missing === null, `the unwinder is not tried ${way}: ${missing}`),
      async () => {
        const program = build(`unwind-${Object.keys(WAYS).indexOf(way)}`, flags);
        const { status, signal, stdout, stderr } = await runChild([program, ROUNDS, word]);
        assert.deepEqual([status, signal, stdout, stderr], [0, null, "done\n", ""]);
      },
    );
  }
}
