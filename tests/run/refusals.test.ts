import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, chownSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ffi } from "../../ffi/mod.ts";
import type { Verification } from "../../lib/verify/types.ts";
import { compileProgram, compileShared, temporaryDirectory } from "../support/compile.ts";
import { altered, refused, run, script, VERIFY } from "../support/launch.ts";
import {
  builtLibrary,
  type ChildResult,
  offheapCommand,
  ROOT,
  runChild,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const ALLOCATORS = ["jemalloc", "mimalloc"] as const;

const { version: MIMALLOC_VERSION } = JSON.parse(
  readFileSync(`${builtLibrary("mimalloc", "preload")}.json`, "utf8"),
) as { version: string };

/** The name of an option that the built mimalloc does not have, and its own. */
const MIMALLOC_DELAYS: readonly [string, string] = MIMALLOC_VERSION.startsWith("2.0")
  ? ["MIMALLOC_PURGE_DELAY", "MIMALLOC_DECOMMIT_DELAY"]
  : ["MIMALLOC_DECOMMIT_DELAY", "MIMALLOC_PURGE_DELAY"];

test("another allocator that is preloaded is refused before anything starts, with both ways out", async () => {
  const first = builtLibrary("mimalloc");
  const variables = { LD_PRELOAD: first };
  const stderr = await refused(["-a", "jemalloc", "--", "echo", "started"], { variables });
  assert.match(stderr, /: LD_PRELOAD names ".*libmimalloc\.so", which defines malloc itself and/);
  const ways =
    `Take it out of LD_PRELOAD, or ask for it: --allocator mimalloc --library "${first}".`;
  assert.ok(stderr.includes(ways), stderr);
});

for (const allocator of ALLOCATORS) {
  test(`another copy of ${allocator} that is preloaded is refused, and taken when it is named`, async () => {
    const copy = join(temporaryDirectory(), `lib${allocator}-other.so`);
    copyFileSync(builtLibrary(allocator), copy);
    copyFileSync(`${builtLibrary(allocator)}.json`, `${copy}.json`);
    const variables = { LD_PRELOAD: copy, OFFHEAP_ALLOCATOR: allocator };
    const stderr = await refused(["-a", allocator, "--", "echo", "started"], { variables });
    assert.ok(stderr.includes(`--allocator ${allocator} --library "${copy}"`), stderr);
    const named = await run(["-a", allocator, "--library", copy, "--", ...VERIFY], { variables });
    const found = JSON.parse(named.stdout) as Verification;
    assert.equal(found.processAllocator, allocator, named.stderr);
    assert.equal(found.library?.path, copy);
    assert.equal(found.library?.origin, "process");
  });
}

test("a record of settings that no offheap made is refused", async () => {
  const variables = { OFFHEAP_SET: "nonsense" };
  const stderr = await refused(["--", "echo", "started"], { variables });
  assert.match(stderr, /OFFHEAP_SET must be what "offheap run" .* got 'nonsense'\. Unset it\./);
});

test("a decoy that is preloaded first and serves malloc gets the program refused", async () => {
  const decoy = compileShared("decoy-malloc.c", "run-first.so", ["-DDECOY_MALLCTL"]);
  const variables = { LD_PRELOAD: decoy };
  const stderr = await refused(["-a", "jemalloc", "--", "echo", "started"], { variables });
  assert.match(stderr, /LD_PRELOAD names ".*run-first\.so", which defines malloc itself/);
});

test("--no-inherit refuses what it could not give back to the command's children", async () => {
  const variables = { MALLOC_CONF: "abort:false\nnarenas:1" };
  const stderr = await refused(["--no-inherit", "--", "echo", "started"], { variables });
  assert.match(stderr, /MALLOC_CONF must be a single line .*; got "abort:false\\nnarenas:1"/);
});

test("a missing library is refused, with the path and what to do", async () => {
  const stderr = await refused(["--library", "/nonexistent/libx.so", "--", "echo", "started"]);
  assert.match(stderr, /\/nonexistent\/libx\.so.*@offheap\/build|@offheap\/build.*\/nonexistent/s);
});

test("a library for another machine is refused", async () => {
  const arm = altered("libarm.so", (bytes) => bytes.with(18, 183));
  assert.match(await refused(["--library", arm, "--", "echo", "started"]), /arm64/);
});

test("a truncated library is refused", async () => {
  const half = altered("libhalf.so", (bytes) => bytes.slice(0, bytes.length >> 1));
  assert.match(await refused(["--library", half, "--", "echo", "started"]), /libhalf\.so/);
  const empty = altered("libempty.so", () => new Uint8Array(0));
  assert.match(await refused(["--library", empty, "--", "echo", "started"]), /libempty\.so/);
});

test("a library for another C library is refused", async () => {
  const needed = new TextEncoder().encode("libc.so.6\0");
  const musl = altered("libmusl.so", (bytes) => {
    const at = Buffer.from(bytes).indexOf(needed);
    bytes.set(new TextEncoder().encode("libc.so\0\0\0"), at);
    return bytes;
  });
  assert.match(await refused(["--library", musl, "--", "echo", "started"]), /musl/);
});

test("a library that differs from its manifest by one byte is refused, with both hashes", async () => {
  const path = altered(
    "libtampered.so",
    (bytes) => bytes.with(bytes.length - 1, 1 ^ (bytes.at(-1) ?? 0)),
  );
  copyFileSync(`${builtLibrary("jemalloc")}.json`, `${path}.json`);
  const stderr = await refused(["--library", path, "--", "echo", "started"]);
  assert.equal(stderr.match(/[0-9a-f]{64}/g)?.length, 2);
});

test("a static command is refused, and so is a script that a static program interprets", async () => {
  const program = compileProgram("hello.c", "hello-static", ["-static"]);
  assert.match(await refused(["--", program]), /static/);
  assert.match(await refused(["--", script("by-static", `#!${program}\n`)]), /static/);
});

test("--allocator system is refused what would drop the check inside, too", async () => {
  const program = compileProgram("hello.c", "hello-static-system", ["-static"]);
  assert.match(await refused(["-a", "system", "--", program]), /liboffheap.*static/);
});

test("a library that does not show its C library is refused by what its manifest says", async () => {
  const library = compileShared("decoy-version.c", "run-libc.so", ["-DDECOY_MALLCTL"]);
  const sha256 = createHash("sha256").update(readFileSync(library)).digest("hex");
  const manifest = { allocator: "jemalloc", version: "5.3.0", sha256 };
  const attempt = (libc: string): Promise<ChildResult> => {
    writeFileSync(`${library}.json`, JSON.stringify({ ...manifest, libc }));
    return run(["-a", "jemalloc", "--library", library, "--", "echo", "started"]);
  };
  const other = await attempt("musl");
  assert.equal(other.status, 125);
  assert.match(other.stderr, /^offheap: Cannot run .*musl/);
  const own = await attempt("glibc");
  assert.match(own.stderr, /loaded, but does not serve malloc/, "only the check inside refuses it");
});

const ROOT_USER = process.getuid?.() === 0;

test(
  "a set-user-ID program of somebody else's is refused, and a script that it interprets",
  skipUnless(ROOT_USER, "giving a program to another user needs root"),
  async () => {
    const program = compileProgram("hello.c", "hello-setuid");
    chownSync(program, 12_345, 12_345);
    chmodSync(program, 0o4755);
    assert.match(await refused(["--", program]), /set-user-ID|setuid/i);
    assert.match(
      await refused(["--", script("by-setuid", `#!${program}\n`)]),
      /setuid|set-user-ID/i,
    );
  },
);

const AS_USER = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"] as const;
const CLI = join(ROOT, "lib", "cli.ts");
const HAS_USER = ROOT_USER && [`test -x '${process.execPath}'`, `test -r '${CLI}'`]
  .every((probe) => spawnSync(AS_USER[0], [...AS_USER.slice(1), "sh", "-c", probe]).status === 0);

test(
  "a program with file capabilities is refused to a user to whom they give some",
  skipUnless(HAS_USER, "needs root, setpriv, and a checkout that other users may read"),
  async () => {
    const program = compileProgram("hello.c", "hello-capable");
    const { calls } = ffi().open(null, {
      // int setxattr(const char *path, const char *name, const void *value, size_t size, int flags)
      setxattr: { parameters: ["cstring", "cstring", "buffer", "usize", "i32"], result: "i32" },
    });
    // Revision 2 and "effective", then CAP_NET_BIND_SERVICE among the permitted ones.
    const capabilities = Uint32Array.of(0x0200_0001, 1 << 10, 0, 0, 0);
    const name = "security.capability";
    assert.equal(calls.setxattr(program, name, capabilities, capabilities.byteLength, 0), 0);
    chmodSync(dirname(program), 0o755);
    const home = temporaryDirectory();
    chmodSync(home, 0o777);
    const asUser = (...command: string[]): Promise<ChildResult> =>
      runChild([...AS_USER, ...offheapCommand("run", "--", ...command)], {
        variables: { HOME: home, DENO_DIR: join(home, "deno"), XDG_CACHE_HOME: undefined },
      });
    assert.equal((await asUser("echo", "started")).stdout, "started\n");
    const { status, stdout, stderr } = await asUser(program);
    assert.equal(status, 125, stdout + stderr);
    assert.match(stderr, /^offheap: Cannot run ".*hello-capable".*capabilities/);
    assert.equal((await run(["--", program])).stdout, "hello\n", "root has them anyway");
  },
);

test("a library that does not report its version is refused", async () => {
  const nameless = compileShared("decoy-version.c", "run-nameless.so", ["-DDECOY_MALLCTL"]);
  const stderr = await refused(["-a", "jemalloc", "--library", nameless, "--", "echo", "started"]);
  assert.match(stderr, /does not report its version/);
});

test("what the allocator will not take of the user's settings is reported, and the profile's stays", async () => {
  const said = async (allocator: string, variables: Record<string, string>) => {
    const result = await run(["-a", allocator, "-p", "low-memory", "--", "env"], { variables });
    assert.equal(result.status, 0, result.stderr);
    return result;
  };
  const semicolon = "background_thread:true;dirty_decay_ms:0";
  const conf = await said("jemalloc", { MALLOC_CONF: semicolon });
  assert.match(
    conf.stderr,
    /^offheap: MALLOC_CONF: jemalloc 5\.\d\.\d does not accept "background_/,
  );
  assert.match(conf.stdout, new RegExp(`^MALLOC_CONF=dirty_decay_ms:5000,.*,${semicolon}$`, "m"));
  assert.match(conf.stdout, /^OFFHEAP_BACKGROUND=/m, "the thread was not asked for after all");
  const misspelt = await said("mimalloc", { MIMALLOC_PRUGE_DELAY: "0" });
  assert.match(
    misspelt.stderr,
    /^offheap: MIMALLOC_PRUGE_DELAY is no option of mimalloc .*: the nearest is MIMALLOC_\w+_DELAY\n$/,
  );
});

test("a setting of mimalloc's by another version's name is set by its own", async () => {
  const [wrong, own] = MIMALLOC_DELAYS;
  const variables = { [wrong]: "77" };
  const { stdout, stderr } = await run(["-a", "mimalloc", "-p", "throughput", "--", "env"], {
    variables,
  });
  assert.match(stdout, new RegExp(`^${own}=77$`, "m"));
  assert.ok(stderr.includes(`offheap: ${wrong} is called ${own} in mimalloc`), stderr);
  assert.ok(stderr.includes(`offheap: your own settings are kept: ${wrong}\n`), stderr);
});

test("an option without effect is refused: the system's allocator has no profiles", async () => {
  const stderr = await refused(["-a", "system", "-p", "throughput", "--", "echo", "started"]);
  assert.match(stderr, /with --profile throughput: profiles are for jemalloc and mimalloc/);
  const variables = { OFFHEAP_LIBRARY: builtLibrary("jemalloc") };
  const started = await run(["-a", "system", "--", "echo", "started"], { variables });
  assert.equal(started.stdout, "started\n");
  assert.match(started.stderr, /^offheap: OFFHEAP_LIBRARY is not used: the system's allocator/);
});

test("--secure refuses a library without guards, and says which to take", async () => {
  for (const allocator of ["jemalloc", "mimalloc"] as const) {
    const args = ["--secure", "-a", allocator, "--library", builtLibrary(allocator), "--", "true"];
    assert.match(await refused(args), /was not built with offheap's guards.*--variant secure/);
  }
  const args = ["--secure", "-a", "system", "--", "true"];
  assert.match(await refused(args), /Take jemalloc, as without --allocator/);
});

test("wrong usage of run ends with 125 and a hint; of the others with 2", async () => {
  for (const args of [["--allocator", "hoard", "--", "true"], ["--no-such-option"], []]) {
    const { status, stderr } = await run(args);
    assert.equal(status, 125, stderr);
    assert.match(stderr, /error: /);
  }
  const unknown = await run(["--allocator", "hoard", "--", "true"]);
  assert.match(unknown.stderr, /auto, jemalloc, mimalloc, tcmalloc, system/);
  assert.equal((await runChild(offheapCommand("verify", "--expect", "nothing"))).status, 2);
  assert.equal((await runChild(offheapCommand("no-such-command"))).status, 2);
});

test("a library that its manifest names as another allocator's is refused before the start", async () => {
  for (const [allocator, other] of [["jemalloc", "mimalloc"], ["mimalloc", "jemalloc"]] as const) {
    const args = ["-a", allocator, "--library", builtLibrary(other), "--", "echo", "started"];
    assert.match(await refused(args), new RegExp(`it is ${other} [0-9.]+, not ${allocator}`));
  }
});
