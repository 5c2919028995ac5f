import assert from "node:assert/strict";
import { appendFileSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ProcessReport } from "../../lib/watch/doctor/types.ts";
import { BUILD_COMMAND } from "../../lib/build-command.ts";
import { SHELL_REFUSAL } from "../../lib/cli/shell-refusal.ts";
import { VERSION } from "../../lib/version.ts";
import { offheap, printed } from "../support/command-line.ts";
import { withChild } from "../support/child.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { builtLibrary, offheapCommand, runChild } from "../support/runtime.ts";

const ALLOCATORS = ["jemalloc", "mimalloc"] as const;

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

test("info shows where memory is, and why a figure is missing, in words and as JSON", async () => {
  const text = await printed(["info"]);
  assert.match(text, /^Resident memory of this process, by who has it:\njavascript: \d/m);
  assert.match(text, /^rest: -?[\d.]+ [KM]?i?B$/m);
  assert.match(text, /^The kernel counts:\nrss: [\d.]+ MiB$/m);
  assert.match(text, /^glibc 2\.\d+, which serves malloc, counts:\nallocated: [\d.]+ [KM]iB$/m);
  assert.match(text, /^active, .*muzzy: - \(glibc counts blocks, not pages\)$/m);
  assert.match(text, /^mem_fragmentation_ratio: \d+\.\d\d$|\bmem_fragmentation_ratio, .*- \(/m);
  const { memory } = JSON.parse(await printed(["info", "--json"]));
  assert.ok(memory.kernel.rss > 1e7 && memory.kernel.pss > 1e6);
  assert.equal(memory.allocator.figures.absent.active, "glibc counts blocks, not pages");
});

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
  const options = names.slice(1, -2);
  assert.ok(options.length > 0 && options.every((name) => name.startsWith("MIMALLOC_")));
  const own = ["OFFHEAP_AGENT", "OFFHEAP_SET"];
  assert.deepEqual(
    names.slice(-2),
    own,
    "the agent is asked for, and what is offheap's is on record",
  );
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

test("doctor says from outside who serves malloc, as text and as data", async () => {
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

test("doctor refuses what is not a process ID, and names one that is not there", async () => {
  for (const pid of ["0", "-1", "1.5", "x", "", "1e3", "99999999999999999999"]) {
    const { status, stdout, stderr } = await offheap(["doctor", `--pid=${pid}`]);
    assert.equal(status, 2, pid);
    assert.equal(stdout, "");
    assert.match(stderr, /a process ID/);
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

test("help and the version are printed with status 0, and wrong usage has a hint", async () => {
  assert.equal(await printed(["--version"]), `${VERSION}\n`);
  const help = await printed(["--help"]);
  for (const command of ["info", "verify", "doctor", "run", "env"]) {
    assert.match(help, new RegExp(`^  ${command}\\b`, "m"));
  }
  assert.match(await printed(["run", "--help"]), /--no-inherit/);
  const none = await offheap([]);
  assert.equal(none.status, 2);
  for (const args of [["info", "--no-such"], ["info", "extra"], ["env", "-f", "x"]]) {
    const { status, stdout, stderr } = await offheap(args);
    assert.equal(status, 2, args.join(" "));
    assert.equal(stdout, args[0] === "env" ? `${SHELL_REFUSAL}\n` : "");
    assert.match(stderr, /error: .*\(offheap \w+ --help lists the options\)/s);
  }
  const build = await offheap(["build", "--variant", "secure"]);
  assert.equal(build.status, 2);
  assert.ok(build.stderr.includes(`error: the libraries are built by "${BUILD_COMMAND}"`));
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
