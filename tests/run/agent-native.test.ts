/** The agent's C under the sanitizers and valgrind. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { SHIM_FILES } from "../../packages/build/recipe/shim.ts";
import { compileTo } from "../support/built-once.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { effort } from "../support/effort.ts";
import { FIXTURES, ROOT, runChild } from "../support/runtime.ts";
import { ADDRESS_SANITIZERS, sanitizersMissing, THREAD_SANITIZER } from "../support/sanitizers.ts";
import { skipUnless } from "../support/skip.ts";

const NATIVE = join(ROOT, "ffi", "native");
const AGENT = join(NATIVE, "agent", "agent.c");
const SOURCES = SHIM_FILES.filter((file) => file.startsWith("agent/"))
  .concat("launched.c", "serving/elf-symbols.c").map((file) => join(NATIVE, file))
  .filter((file) => file !== AGENT);
const directory = temporaryDirectory();
/** Of questions and children. */
const ROUNDS = `${effort(15, 60)}`;
/** Each costs ten times as much under valgrind. */
const FEW_ROUNDS = `${effort(3, 60)}`;

function usable(flags: readonly string[]) {
  const missing = process.platform === "linux"
    ? sanitizersMissing(flags)
    : "Linux alone has agents";
  return skipUnless(missing === null, `the agent is not tried with ${flags}: ${missing}`);
}

/** The agent and a driver; all but one source is compiled once for each kind of checks. */
function build(name: string, flags: readonly string[], agent = AGENT): string {
  const warnings = ["-Wall", "-Wextra", "-Werror"];
  const options = ["-g", "-O0", ...warnings, "-pthread", ...flags, `-I${NATIVE}`];
  const rest = compileTo(join(directory, `${name}.o`), {
    options: [...options, "-r"],
    sources: [join(FIXTURES, "agent-driver.c"), ...SOURCES],
  });
  return compileTo(join(directory, name), { options, sources: [rest, agent], after: ["-ldl"] });
}

for (
  const [finding, flags] of [
    ["touches nothing out of place and leaks nothing", ADDRESS_SANITIZERS],
    ["has no race", THREAD_SANITIZER],
  ] as const
) {
  test(`the agent ${finding}, by the sanitizers`, usable(flags), async () => {
    const { status, stdout, stderr } = await runChild([
      build(`agent-${flags.length}-${finding.length}`, flags),
      ROUNDS,
    ]);
    assert.deepEqual([status, stdout, stderr], [0, "done\n", ""]);
  });
}

test(
  "the sanitizers do see what two threads share without care",
  usable(THREAD_SANITIZER),
  async () => {
    const path = join(directory, "agent.c");
    const text = readFileSync(AGENT, "utf8");
    const changed = text.replace(
      "return __atomic_load_n(&stopped, __ATOMIC_ACQUIRE);",
      "return stopped;",
    )
      .replace("if (now_ns() >= next_look()) look();", "stopped = NULL; look();")
      .replaceAll('"../', `"${NATIVE}/`).replaceAll(
        /"(agent|parts)\.h"/g,
        `"${NATIVE}/agent/$1.h"`,
      );
    assert.notEqual(changed, text);
    writeFileSync(path, changed);
    const { stderr } = await runChild([build("agent-racy", THREAD_SANITIZER, path), ROUNDS]);
    // A process that ends meanwhile prints only how many there were.
    assert.match(stderr, /ThreadSanitizer: (data race|reported \d+ warnings)/);
  },
);

const hasValgrind = spawnSync("valgrind", ["--version"]).status === 0;

test(
  "valgrind finds nothing in the agent",
  skipUnless(hasValgrind, "there is no valgrind"),
  async () => {
    const program = build("agent-plain", []);
    const valgrind = [
      "valgrind",
      "-q",
      "--error-exitcode=9",
      // A thread that still runs keeps its own data.
      "--leak-check=full",
      "--show-leak-kinds=definite",
      "--errors-for-leak-kinds=definite",
      "--child-silent-after-fork=yes",
    ];
    const { status, stdout, stderr } = await runChild([
      "valgrind",
      ...valgrind.slice(1),
      program,
      FEW_ROUNDS,
    ]);
    assert.deepEqual([status, stdout, stderr], [0, "done\n", ""]);
  },
);
