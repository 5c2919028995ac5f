import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { compileProgram, compileShared, temporaryDirectory } from "../support/compile.ts";
import { builtLibrary, type ChildOptions, offheapCommand, runChild } from "../support/runtime.ts";

const directory = temporaryDirectory();

let made: string | undefined;
/** A program that does what its arguments say, see `threads.c`. */
function program(): string {
  return made ??= compileProgram("threads.c", "threads", ["-pthread", "-ldl"]);
}

/** What the program prints, a line each. */
async function printed(
  command: readonly [string, ...string[]],
  options: ChildOptions = {},
  said = "",
): Promise<string[]> {
  const { status, signal, stdout, stderr } = await runChild(command, options);
  assert.deepEqual([status, signal, stderr], [0, null, said]);
  return stdout.trim().split("\n");
}

function run(...args: string[]): [string, ...string[]] {
  // Without the agent, which does in its place what the thread does.
  return offheapCommand("run", "-a", "jemalloc", "--no-agent", ...args);
}

test("the thread starts when the launched program has made one of its own, and not before", async () => {
  const words = ["ask", "thread", "ask", "thread", "ask"];
  const lines = await printed(run("--", program(), ...words));
  assert.equal(lines[0], "off 1");
  assert.match(lines[1] ?? "", /^on [2-9]$/);
  assert.equal(lines[2], lines[1], "once");
});

test("every profile asks for it, and mimalloc and the system's allocator have none", async () => {
  for (const profile of ["balanced", "throughput", "low-memory"]) {
    const [line = ""] = await printed(run("-p", profile, "--", program(), "thread", "ask"));
    assert.match(line, /^on /, profile);
  }
  for (const allocator of ["mimalloc", "system"]) {
    const command = offheapCommand(
      "run",
      "-a",
      allocator,
      "--no-agent",
      "--",
      program(),
      "thread",
      "ask",
    );
    assert.deepEqual(await printed(command), ["off 1"], allocator);
  }
});

test("a program that never makes a thread, or cannot, stays with one", async () => {
  assert.deepEqual(await printed(run("--", program(), "ask")), ["off 1"]);
  const words = ["impossible", "ask", "thread", "ask"];
  const [failure, before, after] = await printed(run("--", program(), ...words));
  assert.match(String(failure), /temporarily unavailable|Cannot allocate|Invalid argument/);
  assert.equal(before, "off 1");
  assert.match(String(after), /^on /);
});

test("children that are no runtimes get no thread, whatever they do", async () => {
  const forked = await printed(run("--", program(), "fork", "ask", "thread", "ask"));
  assert.deepEqual(forked, ["off 1", "off 1"]);
  const after = await printed(run("--", program(), "thread", "fork", "ask", "thread", "ask"));
  assert.deepEqual(after, ["off 1", "off 1"]);
  const executed = ["fork", "exec", program(), "ask", "thread", "ask"];
  assert.deepEqual(await printed(run("--", program(), ...executed)), ["off 1", "off 1"]);
});

test("a program that the launched one becomes is the launched one still", async () => {
  const words = ["thread", "exec", program(), "ask", "thread", "ask"];
  const [before, after] = await printed(run("--", program(), ...words));
  assert.equal(before, "off 1");
  assert.match(String(after), /^on /);
});

test("a user's own background_thread stays as it is, on and off", async () => {
  const on = { variables: { MALLOC_CONF: "background_thread:true" } };
  const kept = "offheap: your own settings are kept: MALLOC_CONF:background_thread\n";
  const [atStart, later] = await printed(run("--", program(), "ask", "thread", "ask"), on, kept);
  assert.match(String(atStart), /^on 2$/);
  assert.match(String(later), /^on /);
  const off = { variables: { MALLOC_CONF: "background_thread:false" } };
  assert.deepEqual(await printed(run("--", program(), "thread", "ask"), off, kept), ["off 1"]);
  const set = "MALLOC_CONF=background_thread:true";
  const child = ["env", set, program(), "thread", "ask"] as const;
  assert.match(
    (await printed(run("--", "sh", "-c", '"$@"; exit $?', "sh", ...child)))[0] ?? "",
    /^on /,
  );
});

/** Preloads libraries and the shim by hand, for the process that then becomes a program. */
function preloaded(
  background: string,
  libraries: readonly string[],
  words: readonly string[] = ["ask", "thread", "ask"],
  file = program(),
): Promise<string[]> {
  const preload = [...libraries, builtLibrary("offheap")].join(":");
  const script = `OFFHEAP_BACKGROUND="${background}" LD_PRELOAD='${preload}' exec "$@"`;
  return printed(["sh", "-c", script, "sh", file, ...words]);
}

test("a runtime is known by its program's name, and no other program by a part of it", async () => {
  const named = async (name: string): Promise<string> => {
    const path = join(directory, name);
    copyFileSync(program(), path);
    const lines = await preloaded("runtimes", [builtLibrary("jemalloc")], ["thread", "ask"], path);
    return lines.join();
  };
  for (
    const name of [
      "node",
      "nodejs",
      "node22",
      "node-26.10",
      "deno",
      "bun",
      "bun-linux-x64",
      "bunx.exe",
    ]
  ) {
    assert.match(await named(name), /^on /, name);
  }
  for (const name of ["nodemon", "node_exporter", "bundle", "bunxit", "denote", "nod", "my-node"]) {
    assert.equal(await named(name), "off 1", name);
  }
});

test("a runtime is known by its name where its file has gone, as after an update", async () => {
  const path = join(directory, "node");
  copyFileSync(program(), path);
  const preload = [builtLibrary("jemalloc"), builtLibrary("offheap")].join(":");
  const script = 'exec 3<"$0"; rm "$0"; OFFHEAP_BACKGROUND=runtimes LD_PRELOAD="$1" ' +
    "exec /proc/self/fd/3 thread ask";
  assert.match((await printed(["sh", "-c", script, path, preload])).join(), /^on /);
});

test("the process ID alone is not enough where its start is named", async () => {
  const jemalloc = [builtLibrary("jemalloc")];
  const start = '$(cut -d " " -f 22 /proc/$$/stat)';
  for (const value of [`$$.${start}:`, "$$:"]) {
    const [before, after] = await preloaded(value, jemalloc);
    assert.equal(before, "off 1", value);
    assert.match(String(after), /^on /, value);
  }
  const others = [`$$.1${start}:`, "$$.:", `$$.${start}`, `1.${start}:`, "$$", "runtimes", "", "x"];
  for (const value of others) {
    assert.deepEqual(await preloaded(value, jemalloc), ["off 1", "off 1"], value);
  }
});

test("where there is no jemalloc, or it cannot start the thread, the program does not notice", async () => {
  assert.deepEqual(await preloaded("$$:", []), ["off 1", "off 1"]);
  assert.deepEqual(await preloaded("$$:", [builtLibrary("mimalloc")]), ["off 1", "off 1"]);
  const flags = ["-DDECOY_MALLCTL", "-DDECOY_CLAIMS(p)=0"];
  const decoy = compileShared("decoy-malloc.c", "background-decoy.so", flags);
  assert.deepEqual(await preloaded("$$:", [decoy]), ["off 1", "off 1"]);
});

test("errno is as pthread_create leaves it, whatever the allocator does to it", async () => {
  const flags = ["-DDECOY_MALLCTL", "-DDECOY_CLAIMS(p)=(errno = EPERM, 1)"];
  const decoy = compileShared("decoy-malloc.c", "background-errno.so", flags);
  const lines = await preloaded("$$:", [decoy], ["thread", "errno"]);
  assert.deepEqual(lines, ["No child processes"]);
});
