import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import type { Verification } from "../../lib/verify/types.ts";
import { SHELL_REFUSAL } from "../../lib/cli/shell-refusal.ts";
import { VERSION } from "../../lib/version.ts";
import { printed } from "../support/command-line.ts";
import { copyCheckout } from "../support/checkout.ts";
import { IS_QUICKEST, onceInBun } from "../support/effort.ts";
import {
  builtLibrary,
  offheapCommand,
  ROOT,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const ALLOCATORS = ["jemalloc", "mimalloc"] as const;
const { name: RUNTIME, version: RUNTIME_VERSION } = runtimeInfo();
const inNode = () => skipUnless(RUNTIME === "node", "only Node warns of what is experimental");

test("info shows the versions, the system, both allocators, the library, its options and the health", async () => {
  const text = await printed(["info"]);
  const row = (name: string): string =>
    new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1] ?? `there is no row "${name}"`;
  assert.equal(row("offheap"), VERSION);
  assert.equal(row("runtime"), `${RUNTIME} ${RUNTIME_VERSION}`);
  assert.match(row("system"), /^linux (x64|arm64), kernel \d+\.\d+\S*, glibc 2\.\d+$/);
  assert.match(row("processors"), /^\d+$/);
  assert.match(row("memory"), /^\d+\.\d [MGT]iB, pages of \d+\.0 KiB$/);
  assert.match(row("offheap's blocks"), /^jemalloc 5\.\d+\.\d+ \(verified\)$/);
  assert.match(row("process's malloc"), /^glibc 2\.\d+ \(verified\)$/);
  assert.match(row("build"), /^linux-\w+-gnu, release$/);
  assert.match(row("uptime"), /^\d+\.\d s$/);
  const library = `Library: ${builtLibrary("jemalloc")} (build, hash agrees with its manifest)`;
  assert.ok(text.includes(`\n${library}\n`), text);
  assert.match(text, /\nOptions in force of jemalloc, for offheap's blocks:\n/);
  assert.match(row("opt\\.dirty_decay_ms"), /^\d+$/);
  assert.match(text, /\nHealth: (healthy|degraded|unhealthy)\n/);
  assert.equal(text.match(/^ {2}(healthy|degraded|unhealthy): .+$/gm)?.length, 4);
  assert.match(text, /^ {2}healthy: glibc was proven to serve this process's memory$/m);
});

test("info --json has the same as data", async () => {
  const { system, process: served, allocator, health, memory, ...rest } = JSON.parse(
    await printed(["info", "--json"]),
  );
  assert.deepEqual(rest, {});
  assert.equal(system.version, VERSION);
  assert.equal(system.runtime.name, RUNTIME);
  assert.equal(system.processAllocator, "glibc");
  assert.equal(system.processAllocatorVerified, true);
  assert.deepEqual(served, { name: "glibc", options: {} });
  assert.equal(allocator.name, "jemalloc");
  assert.equal(allocator.verified, true);
  assert.equal(allocator.library.path, builtLibrary("jemalloc"));
  assert.equal(typeof allocator.options["opt.dirty_decay_ms"], "number");
  assert.equal(health.checks.length, 4);
  assert.equal(memory.allocator.name, "glibc");
});

const ofAllocators = onceInBun("allocators are asked in the same way");

test(
  "info under run has the options of the allocator that serves the process",
  ofAllocators,
  async () => {
    const under = (allocator: string, variables = {}): Promise<string> =>
      printed(["run", "-a", allocator, "--", ...offheapCommand("info")], { variables });
    const headings = (text: string): string[] => text.match(/^Options in force of .*$/gm) ?? [];
    const [mimalloc, jemalloc] = await Promise.all(
      ["mimalloc", "jemalloc"].map((one) => under(one)),
    );
    assert.deepEqual(headings(mimalloc ?? ""), [
      "Options in force of mimalloc, which serves the process:",
    ]);
    assert.deepEqual(headings(jemalloc ?? ""), [
      "Options in force of jemalloc, which serves the process:",
    ]);
    // The agent gives pages back, and not jemalloc's own thread.
    assert.match(jemalloc ?? "", /^opt\.dirty_decay_ms: 30000$/m);
    assert.match(jemalloc ?? "", /^background_thread: false$/m);
    const both = await under("mimalloc", { OFFHEAP_ALLOCATOR: "jemalloc" });
    assert.deepEqual(headings(both), [
      "Options in force of mimalloc, which serves the process:",
      "Options in force of jemalloc, for offheap's blocks:",
    ]);
  },
);

for (const allocator of ALLOCATORS) {
  test(
    `verify under ${allocator} shows who serves malloc, offheap's blocks, and all evidence`,
    allocator === "mimalloc" ? ofAllocators : {},
    async () => {
      const verify = offheapCommand("verify", "--expect", allocator);
      const text = await printed(["run", "-a", allocator, "--", ...verify], {
        variables: { OFFHEAP_ALLOCATOR: allocator },
      });
      const [first, second, third] = text.split("\n");
      assert.equal(first, `${RUNTIME} ${RUNTIME_VERSION} on linux ${process.arch} (glibc)`);
      assert.match(
        String(second),
        new RegExp(`^process's malloc: ${allocator} \\d+\\.\\d+\\.\\d+ verified$`),
      );
      assert.match(
        String(third),
        new RegExp(`^offheap's blocks: ${allocator} \\d+\\.\\d+\\.\\d+ verified$`),
      );
      assert.equal(text.includes("\nnote: bun links its own mimalloc"), RUNTIME === "bun");
      assert.ok(
        text.includes(`\nlibrary: ${builtLibrary(allocator, "preload")} (process)\n`),
        text,
      );
      for (const scope of ["library", "process"]) {
        for (const check of ["symbol", "mapping", "version", "ownership"]) {
          assert.match(text, new RegExp(`^${scope} +${check} +pass +\\S+`, "m"));
        }
      }
      assert.match(text, /^process +entries +pass +malloc's other entry points/m);
      assert.match(text, /^library +hash +pass +sha256 [0-9a-f]{64} is the manifest's$/m);
      const mapping = ` "${builtLibrary(allocator, "preload")}" is mapped into this process\n`;
      assert.equal(text.split(mapping).length, 3, "a long detail is whole, and on one line");
      assert.match(text, /^process +serving-object +pass +malloc is served by/m);
    },
  );
}

test("without the packages that it needs, the command says what to install", async () => {
  const copy = copyCheckout();
  // Without this directory Bun would download what is missing.
  mkdirSync(join(copy, "node_modules"));
  const cli = join(copy, "lib", "cli.ts");
  const missing = /^offheap: Cannot start: the package ["']commander["'] is not installed beside/;
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["verify"], 1, missing],
    [["run", "--help"], 125, missing],
    [["env"], 125, missing],
    // What `run` itself does needs no package; it finds no library here.
    [["run", "--", "true"], 125, /^offheap: Cannot (?!start)/],
  ];
  const variables = { XDG_CACHE_HOME: join(copy, "cache") };
  // Only how an import fails is the runtime's.
  for (const [args, status, message] of IS_QUICKEST ? cases : cases.slice(0, 1)) {
    const { stderr, ...ended } = await runChild(runtimeCommand(cli, ...args), {
      cwd: copy,
      variables,
    });
    assert.equal(ended.status, status, stderr);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /^\s+at /m);
    assert.equal(ended.stdout, args[0] === "env" ? `${SHELL_REFUSAL}\n` : "");
  }
});

test(
  "Node's warnings of experimental features are left out, and others are not",
  inNode(),
  async () => {
    const cli = join(ROOT, "lib", "cli.ts");
    const quiet = await runChild([process.execPath, cli, "verify", "--json"]);
    assert.equal(quiet.stderr, "");
    assert.equal((JSON.parse(quiet.stdout) as Verification).processAllocator, "glibc");
    const warn = "data:text/javascript,setTimeout(()=>process.emitWarning('something else'))";
    const loud = await runChild([process.execPath, "--import", warn, cli, "info", "--json"]);
    assert.match(loud.stderr, /Warning: something else/);
  },
);

const terminal = () =>
  skipUnless(
    spawnSync("script", ["-qec", "true", "/dev/null"]).status === 0,
    "needs the program script, which gives a terminal",
  );

test("a terminal gets tables that are no wider than it", terminal(), async () => {
  const words = offheapCommand("verify").map((word) => `'${word}'`).join(" ");
  const command = ["script", "-qec", `stty cols 120; ${words}`, "/dev/null"] as const;
  const { stdout } = await runChild([...command], { variables: { NO_COLOR: "1" } });
  const rows = stdout.split(/\r?\n/).filter((line) => /[│┌└├]/.test(line));
  assert.ok(rows.length > 10, stdout);
  for (const row of rows) assert.ok(row.length <= 120, row);
});

test(
  "colours are for terminals, and NO_COLOR takes them away",
  onceInBun("colours are offheap's", terminal()),
  async () => {
    const words = offheapCommand("verify").map((word) => `'${word}'`).join(" ");
    const coloured = { NO_COLOR: undefined, TERM: "xterm" };
    const shown = async (
      variables: Readonly<Record<string, string | undefined>>,
    ): Promise<string> =>
      (await runChild(["script", "-qec", words, "/dev/null"], { variables })).stdout;
    assert.ok((await shown(coloured)).includes("\x1b[32mverified\x1b[39m"));
    assert.ok(!(await shown({ ...coloured, NO_COLOR: "1" })).includes("\x1b[3"));
    assert.ok(!(await shown({ ...coloured, TERM: "dumb" })).includes("\x1b[3"));
    assert.ok(!(await printed(["verify"], { variables: coloured })).includes("\x1b["));
  },
);

test("a reader that has seen enough ends a report quietly, and a full disk with one sentence", async () => {
  const verify = offheapCommand("verify");
  const script = '{ "$@"; echo "status $?" >&2; } | head -1';
  const cut = await runChild(["sh", "-c", script, "sh", ...verify]);
  assert.match(cut.stdout, new RegExp(`^${RUNTIME} .*\n$`));
  assert.equal(cut.stderr, "status 0\n");
  for (const words of [["verify"], ["--help"], ["run", "--help"], ["--version"]]) {
    const command = ["sh", "-c", '"$@" > /dev/full', "sh", ...offheapCommand(...words)] as const;
    const full = await runChild(command);
    assert.equal(full.status, 1, `${words}`);
    assert.match(full.stderr, /^offheap: Cannot write the report: .*\.\n$/);
  }
  // Nobody reads: the shell has closed the pipe's other end before the command begins.
  const unread = 'exec 3>&1; { sleep 0.1; "$@" 2>&1; echo "status $?" >&3; } | true';
  for (
    const [words, status] of [
      [["--help"], 0],
      [["frob"], 2],
      [["run", "--frob"], 125],
      [["run", "--", "/nonexistent/program"], 127],
    ] as const
  ) {
    const { stdout } = await runChild(["sh", "-c", unread, "sh", ...offheapCommand(...words)]);
    assert.equal(stdout, `status ${status}\n`, `${words}`);
  }
});
