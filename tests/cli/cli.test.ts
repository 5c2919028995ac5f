import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import type { ProcessReport } from "../../lib/watch/doctor/types.ts";
import type { Verification } from "../../lib/verify/types.ts";
import { SHELL_REFUSAL } from "../../lib/cli/shell-refusal.ts";
import { VERSION } from "../../lib/version.ts";
import { copyCheckout } from "../support/checkout.ts";
import { withChild } from "../support/child.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import {
  builtLibrary,
  type ChildOptions,
  type ChildResult,
  offheapCommand,
  ROOT,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const ALLOCATORS = ["jemalloc", "mimalloc"] as const;
const { name: RUNTIME, version: RUNTIME_VERSION } = runtimeInfo();
const inNode = () => skipUnless(RUNTIME === "node", "only Node warns of what is experimental");

function offheap(args: readonly string[], options: ChildOptions = {}): Promise<ChildResult> {
  return runChild(offheapCommand(...args), options);
}

/** What a command prints that must end with 0 and complain about nothing. */
async function printed(args: readonly string[], options: ChildOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await offheap(args, options);
  assert.equal(stderr, "");
  assert.equal(status, 0, stdout);
  return stdout;
}

test("info tells the versions, the system, both allocators, the library, its options and the health", async () => {
  const text = await printed(["info"]);
  const row = (name: string): string =>
    new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1] ?? `there is no row "${name}"`;
  assert.equal(row("offheap"), VERSION);
  assert.equal(row("runtime"), `${RUNTIME} ${RUNTIME_VERSION}`);
  assert.match(row("system"), /^linux (x64|arm64), kernel \d+\.\d+\S*, glibc 2\.\d+$/);
  assert.match(row("processors"), /^\d+$/);
  assert.match(row("memory"), /^\d+\.\d [MGT]iB, pages of \d+\.0 KiB$/);
  assert.match(row("offheap's blocks"), /^jemalloc 5\.\d+\.\d+ \(verified\)$/);
  assert.equal(row("process's malloc"), "glibc (verified)");
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
  const { system, process: served, allocator, health, ...rest } = JSON.parse(
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
});

test("info under run has the options of the allocator that serves the process", async () => {
  const under = (allocator: string, variables = {}): Promise<string> =>
    printed(["run", "-a", allocator, "--", ...offheapCommand("info")], { variables });
  const headings = (text: string): string[] => text.match(/^Options in force of .*$/gm) ?? [];
  const [mimalloc, jemalloc] = await Promise.all(["mimalloc", "jemalloc"].map((one) => under(one)));
  assert.deepEqual(headings(mimalloc ?? ""), [
    "Options in force of mimalloc, which serves the process:",
  ]);
  assert.deepEqual(headings(jemalloc ?? ""), [
    "Options in force of jemalloc, which serves the process:",
  ]);
  assert.match(jemalloc ?? "", /^opt\.dirty_decay_ms: 10000$/m);
  // The shim has started it, whatever the option was at the start.
  assert.match(jemalloc ?? "", /^background_thread: true$/m);
  const both = await under("mimalloc", { OFFHEAP_ALLOCATOR: "jemalloc" });
  assert.deepEqual(headings(both), [
    "Options in force of mimalloc, which serves the process:",
    "Options in force of jemalloc, for offheap's blocks:",
  ]);
});

test("info of the system's allocator has no library and no options, of a false one neither", async () => {
  const own = await printed(["info"], { variables: { OFFHEAP_ALLOCATOR: "system" } });
  assert.match(own, /^offheap's blocks: system 2\.\d+ \(verified\)$/m);
  assert.doesNotMatch(own, /Library:|in force/);
  const decoy = compileShared("decoy-names.c", "cli-decoy-info.so");
  const fake = await printed(["info"], { variables: { OFFHEAP_LIBRARY: decoy } });
  assert.match(fake, /^offheap's blocks: jemalloc \(NOT VERIFIED\)$/m);
  assert.ok(fake.includes(`\nLibrary: ${decoy} (environment)\n`), fake);
  assert.doesNotMatch(fake, /in force/);
  const first = compileShared("decoy-malloc.c", "cli-decoy-first.so");
  const served = await printed(["info"], { variables: { LD_PRELOAD: first } });
  assert.match(served, /^process's malloc: unknown \(NOT VERIFIED\)$/m);
});

for (const allocator of ALLOCATORS) {
  test(`verify under ${allocator} shows who serves malloc, offheap's blocks, and all evidence`, async () => {
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
    assert.ok(text.includes(`\nlibrary: ${builtLibrary(allocator, "preload")} (process)\n`), text);
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
  });
}

test("verify of a false library says NOT VERIFIED, and shows what failed", async () => {
  const decoy = compileShared("decoy-names.c", "cli-decoy.so");
  const variables = { OFFHEAP_LIBRARY: decoy };
  const { status, stdout: text, stderr } = await offheap(["verify"], { variables });
  assert.equal(status, 1, "0 means proven");
  assert.match(stderr, /^offheap: Cannot verify offheap's blocks of jemalloc\. version: .*NULL/);
  assert.match(text, /^offheap's blocks: jemalloc +NOT VERIFIED$/m);
  assert.match(text, /^library +version +fail +.*NULL/m);
  assert.match(text, /^library +hash +unavailable /m);
});

test("verify ends with 1 when its library is missing or altered, and with 0 when all is proven", async () => {
  await printed(["verify"]);
  const missing = { OFFHEAP_LIBRARY: "/nonexistent/libjemalloc.so" };
  const none = await offheap(["verify"], { variables: missing });
  assert.equal(none.status, 1);
  assert.match(
    none.stderr,
    /^offheap: Cannot verify offheap's blocks.*\/nonexistent\/libjemalloc\.so/s,
  );
  const altered = join(temporaryDirectory(), "libjemalloc.so");
  copyFileSync(builtLibrary("jemalloc"), altered);
  copyFileSync(`${builtLibrary("jemalloc")}.json`, `${altered}.json`);
  appendFileSync(altered, "x");
  for (const args of [["verify"], ["verify", "--json"]]) {
    const { status, stderr } = await offheap(args, { variables: { OFFHEAP_LIBRARY: altered } });
    assert.equal(status, 1, stderr);
    assert.match(
      stderr,
      /^offheap: Cannot verify offheap's blocks of jemalloc\. symbol: Cannot load/,
    );
  }
  const asked = ["verify", "--expect", "system"];
  assert.equal((await offheap(asked, { variables: missing })).status, 0, "nothing else was asked");
  const script = '"$@" 2>/dev/null | head -1; exit ${PIPESTATUS[0]}';
  const command = ["bash", "-c", script, "bash", ...offheapCommand("verify")] as const;
  const read = await runChild(command, { variables: missing });
  assert.equal(read.status, 1, "whoever reads only the beginning changes nothing");
  const env = await offheap(["env"], { variables: { OFFHEAP_LIBRARY: altered } });
  assert.equal(env.status, 125);
  assert.doesNotMatch(env.stdout, /LD_PRELOAD/);
});

test("verify --expect names the C library's allocator as system, and is met only by proof", async () => {
  for (const expected of ["system", "glibc"]) await printed(["verify", "--expect", expected]);
  const { status, stdout, stderr } = await offheap(["verify", "--expect", "musl"]);
  assert.equal(status, 1);
  assert.match(stdout, /^process's malloc: glibc 2\.\d+ verified$/m, "the report is there anyway");
  assert.match(stderr, /^offheap: This process's malloc must be served by musl; it is served by/);
  const decoy = compileShared("decoy-malloc.c", "cli-decoy-malloc.so", ["-DDECOY_COUNTS"]);
  const fake = await offheap(["verify", "--expect", "mimalloc"], {
    variables: { LD_PRELOAD: decoy },
  });
  assert.equal(fake.status, 1);
  assert.match(fake.stdout, /^process's malloc: unknown +NOT VERIFIED$/m);
  assert.match(fake.stderr, /served by unknown \(not verified\)\. ownership: .* prove nothing\./);
});

test("env prints what run would set, in each format", async () => {
  const library = builtLibrary("mimalloc", "preload");
  const env = (...args: string[]): Promise<string> =>
    printed(["env", "-a", "mimalloc", "-p", "low-memory", ...args]);
  const json = JSON.parse(await env("--format", "json")) as Record<string, string>;
  assert.equal(json["LD_PRELOAD"], `${library}:${builtLibrary("offheap")}`);
  const names = Object.keys(json);
  const options = names.slice(1, -1);
  assert.ok(options.length > 0 && options.every((name) => name.startsWith("MIMALLOC_")));
  assert.equal(names.at(-1), "OFFHEAP_SET", "what is offheap's is on record");
  const required = `mimalloc:${library}`;
  const lines: readonly (readonly [string, (name: string) => string, ...string[]])[] = [
    [
      "sh",
      (name) => `export ${name}=${json[name]}`,
      "read -r OFFHEAP_REQUIRE 2>/dev/null </proc/self/stat || OFFHEAP_REQUIRE=$$; " +
      `export OFFHEAP_REQUIRE="\${OFFHEAP_REQUIRE%% *}:"${required}`,
    ],
    ["dotenv", (name) => `${name}=${json[name]}`],
    ["docker", (name) => `ENV ${name}="${json[name]}"`, `ENV OFFHEAP_REQUIRE="*:${required}"`],
    [
      "systemd",
      (name) => `Environment="${name}=${json[name]}"`,
      `Environment="OFFHEAP_REQUIRE=*:${required}"`,
    ],
  ];
  for (const [format, line, ...more] of lines) {
    const wanted = [...names.map(line), ...more].map((text) => `${text}\n`);
    assert.equal(await env("-f", format), wanted.join(""));
  }
  assert.equal(await env(), await env("-f", "sh"));
  const [unnamed, balanced, low] = await Promise.all(
    [[], ["-p", "balanced"], ["-p", "low-memory"]].map((args) => printed(["env", ...args])),
  );
  assert.equal(unnamed, balanced);
  assert.notEqual(unnamed, low);
  assert.equal((await offheap(["env", "--format", "yaml"])).status, 2);
});

test("doctor tells from outside who serves malloc, as text and as data", async () => {
  for (const allocator of ALLOCATORS) {
    const [command, ...args] = offheapCommand("run", "-a", allocator, "--", "cat");
    await withChild(command, args, {}, async ({ pid }) => {
      const library = builtLibrary(allocator, "preload");
      const text = await printed(["doctor", "--pid", String(pid)]);
      const lines = text.split("\n");
      assert.equal(lines[0], `process ${pid}: cat`);
      assert.match(String(lines[1]), /^program: \/.*\/cat$/);
      assert.equal(lines[2], `malloc: ${allocator} verified`);
      assert.equal(lines[3], `served by: ${library}`);
      assert.equal(lines[4], `LD_PRELOAD at its start: ${library} ${builtLibrary("offheap")}`);
      assert.match(text, /^process +binding +pass +\S+/m);
      const report = JSON.parse(await printed(["doctor", "--json", String(pid)])) as ProcessReport;
      assert.equal(report.pid, pid);
      assert.equal(report.allocator, allocator);
      assert.equal(report.verified, true);
      assert.equal(report.object, library);
    });
  }
});

test("doctor of a plain process says that no preload is set, and how to get one", async () => {
  await withChild("cat", [], {}, async ({ pid }) => {
    const text = await printed(["doctor", "--pid", String(pid)]);
    assert.match(text, /^malloc: glibc verified$/m);
    assert.match(text, /^LD_PRELOAD at its start: \(not set\)$/m);
    assert.match(text, /^- .*`offheap run -- (\S*\/)?cat`\.$/m);
  });
});

test("doctor of a process that a false allocator serves says NOT VERIFIED", async () => {
  const decoy = compileShared("decoy-malloc.c", "cli-decoy-doctor.so", ["-DDECOY_NAMELESS"]);
  await withChild("cat", [], { env: { LD_PRELOAD: decoy } }, async ({ pid }) => {
    const text = await printed(["doctor", "--pid", String(pid)]);
    assert.match(text, /^malloc: \w+ NOT VERIFIED$/m);
    assert.match(text, /^process +forwarding +fail +\S+/m);
  });
});

test("doctor refuses what is no process's number, and names one that is not there", async () => {
  for (const pid of ["0", "-1", "1.5", "x", "", "1e3", "99999999999999999999"]) {
    const { status, stdout, stderr } = await offheap(["doctor", `--pid=${pid}`]);
    assert.equal(status, 2, pid);
    assert.equal(stdout, "");
    assert.match(stderr, /a process's number/);
  }
  const unnamed = await offheap(["doctor"]);
  assert.equal(unnamed.status, 2);
  assert.match(unnamed.stderr, /^error: name the process, as in "offheap doctor 123"\n/);
  const two = await offheap(["doctor", "1", "--pid", "2"]);
  assert.equal(two.status, 2);
  assert.match(two.stderr, /^error: one process at a time; got 1 and 2\n/);
  assert.equal((await offheap(["doctor", "x"])).status, 2);
  const { status, stderr } = await offheap(["doctor", "--pid", String(2 ** 22 + 1)]);
  assert.equal(status, 1);
  assert.match(stderr, /^offheap: .*4194305/);
});

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
  for (const [args, status, message] of cases) {
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

test("help and the version are printed with status 0, and wrong usage has a hint", async () => {
  assert.equal(await printed(["--version"]), `${VERSION}\n`);
  const help = await printed(["--help"]);
  for (const command of ["info", "verify", "doctor", "run", "env", "build"]) {
    assert.match(help, new RegExp(`^  ${command}\\b`, "m"));
  }
  assert.match(await printed(["run", "--help"]), /--no-inherit/);
  assert.match(await printed(["build", "--help"]), /--variant/);
  const none = await offheap([]);
  assert.equal(none.status, 2);
  for (const args of [["info", "--no-such"], ["info", "extra"], ["build", "--variant", "x"]]) {
    const { status, stdout, stderr } = await offheap(args);
    assert.equal(status, 2, args.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, /error: .*\(offheap \w+ --help lists the options\)/s);
  }
  const unknown = await offheap(["no-such-command"]);
  assert.match(unknown.stderr, /error: .*\(offheap --help lists the commands and options\)/s);
  assert.equal((await offheap(["--no-such", "info"])).status, 2);
  assert.equal((await offheap(["--no-such", "run", "--", "true"])).status, 125);
});

test("a bad value from outside is a sentence and status 1; a launch that is refused has 125", async () => {
  const variables = { OFFHEAP_ALLOCATOR: "hoard" };
  for (const [command, expected] of [["info", 1], ["verify", 1], ["env", 125]] as const) {
    const { status, stdout, stderr } = await offheap([command], { variables });
    assert.equal(status, expected, command);
    // A shell that evaluates what env prints must not go on.
    assert.match(stdout, command === "env" ? /^case .* exit 125 ;; esac\n$/ : /^$/);
    assert.match(stderr, /^offheap: .*OFFHEAP_ALLOCATOR must be one of .*; got 'hoard'\n$/);
  }
  const run = await offheap(["run", "--", "true"], { variables });
  assert.equal(run.status, 125);
  assert.match(run.stderr, /^offheap: .*; got 'hoard'\n$/);
  const secure = await offheap(["env", "-a", "system", "--secure"]);
  assert.equal(secure.status, 125);
  assert.match(secure.stderr, /^offheap: Cannot run the system's allocator with --secure/);
  assert.equal((await offheap(["env", "--library="])).status, 2);
  const missing = await offheap(["env", "--library", "/nonexistent/x.so"]);
  assert.equal(missing.status, 125);
  assert.match(missing.stderr, /\/nonexistent\/x\.so/);
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

test("colours are for terminals, and NO_COLOR takes them away", terminal(), async () => {
  const words = offheapCommand("verify").map((word) => `'${word}'`).join(" ");
  const coloured = { NO_COLOR: undefined, TERM: "xterm" };
  const shown = async (variables: Readonly<Record<string, string | undefined>>): Promise<string> =>
    (await runChild(["script", "-qec", words, "/dev/null"], { variables })).stdout;
  assert.ok((await shown(coloured)).includes("\x1b[32mverified\x1b[39m"));
  assert.ok(!(await shown({ ...coloured, NO_COLOR: "1" })).includes("\x1b[3"));
  assert.ok(!(await shown({ ...coloured, TERM: "dumb" })).includes("\x1b[3"));
  assert.ok(!(await printed(["verify"], { variables: coloured })).includes("\x1b["));
});

test("a reader that has seen enough ends a report quietly, and a full disk with one sentence", async () => {
  const verify = offheapCommand("verify");
  const script = '{ "$@"; echo "status $?" >&2; } | head -1';
  const cut = await runChild(["sh", "-c", script, "sh", ...verify]);
  assert.match(cut.stdout, new RegExp(`^${RUNTIME} .*\n$`));
  assert.equal(cut.stderr, "status 0\n");
  const full = await runChild(["sh", "-c", '"$@" > /dev/full', "sh", ...verify]);
  assert.equal(full.status, 1);
  assert.match(full.stderr, /^offheap: Cannot write the report: .*\.\n$/);
});
