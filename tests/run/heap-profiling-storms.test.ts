/** Samples and dumps while a program does all that moves stacks, threads and code. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import { AgentError } from "../../lib/errors.ts";
import { errorCode } from "../../lib/system/files.ts";
import { askAgent } from "../../lib/watch/agent/client.ts";
import { compileProgram } from "../support/compile.ts";
import { effort, onceInBun } from "../support/effort.ts";
import { readDump, takeDump } from "../support/heap-dump.ts";
import { launched, WITH_UNWINDER as here } from "../support/sampled.ts";
import { childEnvironment, FIXTURES, runtimeCommand } from "../support/runtime.ts";

/** A storm is over when so many dumps were taken, or after this time. */
const STORM_MS = effort(4000, 30_000);
const DUMPS = effort(27, 500);
/** On a push a storm is too short for more on a busy machine. */
const LEAST_DUMPS = effort(4, 100);

interface Storm {
  readonly status: number | null;
  readonly signal: string | null;
  readonly output: string;
  readonly dumps: number;
  /** The longest stack that any dump had. */
  readonly longest: number;
}

/** Runs a program under samples of every KiB, and takes dumps, forgets and switches meanwhile. */
async function storm(command: readonly string[], signals: boolean): Promise<Storm> {
  const [file, ...args] = launched(["--heap-profiling=1KiB", "--active"], command);
  const child = spawn(file, args, {
    env: childEnvironment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pid = child.pid ?? 0;
  // Deno's child.kill() sends a child one signal only, and says that it ended by that.
  const send = (signal: "SIGUSR2" | "SIGTERM"): void => {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (errorCode(error) !== "ESRCH") throw error; // it has just ended
    }
  };
  const begun = Date.now();
  let output = "", dumps = 0, longest = 0, ended = false;
  child.stdout.on("data", (part) => {
    output += part;
  });
  const end = new Promise<{ status: number | null; signal: string | null }>((resolve) =>
    child.once("close", (status, signal) => {
      ended = true;
      resolve({ status, signal });
    })
  );
  const interrupt = setInterval(() => {
    // Before its first line and near its end it does not listen for them.
    const listens = output === "ready\n" && dumps < DUMPS && Date.now() - begun < STORM_MS * 0.8;
    if (signals && listens) send("SIGUSR2");
  }, 20);
  try {
    while (!ended && dumps < DUMPS) {
      try {
        const stacks = readDump(await takeDump(pid));
        longest = Math.max(longest, ...stacks.map(({ frames }) => frames.length));
        // What was dumped before its first line is no part of the storm.
        if (output !== "") dumps++;
        if (dumps % 10 === 0) await askAgent(pid, "profile reset");
        if (dumps % 25 === 0) await askAgent(pid, "profile stop");
        if (dumps % 25 === 1) await askAgent(pid, "profile start");
      } catch (error) {
        // Its agent is not there yet, or no longer; its end removes the dumps.
        if (!(error instanceof AgentError) && errorCode(error) !== "ENOENT") throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    if (!ended) send("SIGTERM"); // it is to stop
    return { ...await end, output, dumps, longest };
  } finally {
    clearInterval(interrupt);
    child.kill("SIGKILL");
    rmSync(`/tmp/perf-${pid}.map`, { force: true });
  }
}

test(
  "eight threads allocate and end, near the end of their stacks, while dumps are taken",
  onceInBun("it is about C's threads", here),
  async () => {
    const program = compileProgram("sampling-storm.c", "sampling-storm", ["-pthread"]);
    const { dumps, longest, ...rest } = await storm([program, `${STORM_MS}`], false);
    assert.deepEqual(rest, { status: 0, signal: null, output: "ready\ndone\n" });
    assert.ok(dumps >= LEAST_DUMPS, `${dumps} dumps`);
    assert.equal(longest, 128, "the recursion is seen");
  },
);

test(
  "JavaScript compiles, falls to the end of its stack, and is interrupted, while dumps are taken",
  here,
  async () => {
    const program = runtimeCommand(join(FIXTURES, "heap-storm.ts"), `${STORM_MS}`);
    const { dumps, longest, ...rest } = await storm(program, true);
    assert.deepEqual(rest, { status: 0, signal: null, output: "ready\ndone\n" });
    assert.ok(dumps >= LEAST_DUMPS, `${dumps} dumps`);
    // Bun's own memory is not malloc's: it has none that is sampled.
    if (runtimeInfo().name !== "bun") assert.ok(longest >= 40, `stacks of ${longest} frames`);
  },
);
