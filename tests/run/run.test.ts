import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { foreign } from "../../ffi/mod.ts";
import { runCommand } from "../../lib/run/run.ts";
import type { Verification } from "../../lib/verify/types.ts";
import { compileProgram, compileShared, temporaryDirectory } from "../support/compile.ts";
import {
  builtLibrary,
  type ChildOptions,
  type ChildResult,
  FIXTURES,
  offheapCommand,
  ROOT,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const ALLOCATORS = ["jemalloc", "mimalloc"] as const;
const VERIFY = runtimeCommand(join(FIXTURES, "verify-child.ts"));
const directory = temporaryDirectory();

function run(args: readonly string[], options: ChildOptions = {}): Promise<ChildResult> {
  return runChild(offheapCommand("run", ...args), options);
}

async function refused(args: readonly string[], options: ChildOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await run(args, options);
  assert.equal(status, 125, `stdout: ${stdout}\nstderr: ${stderr}`);
  assert.equal(stdout, "", "the command must not have started");
  assert.match(stderr, /^offheap: /);
  assert.doesNotMatch(stderr, /\n\s+at /, "a refusal is a sentence, not a stack");
  return stderr;
}

const { version: MIMALLOC_VERSION } = JSON.parse(
  readFileSync(`${builtLibrary("mimalloc", "preload")}.json`, "utf8"),
) as { version: string };

/** The name of an option that the built mimalloc does not have, and its own. */
const MIMALLOC_DELAYS: readonly [string, string] = MIMALLOC_VERSION.startsWith("2.0")
  ? ["MIMALLOC_PURGE_DELAY", "MIMALLOC_DECOMMIT_DELAY"]
  : ["MIMALLOC_DECOMMIT_DELAY", "MIMALLOC_PURGE_DELAY"];

function script(name: string, text: string, mode = 0o755): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function altered(name: string, change: (bytes: Uint8Array) => Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, change(new Uint8Array(readFileSync(builtLibrary("jemalloc")))));
  return path;
}

for (const allocator of ALLOCATORS) {
  test(`run puts a program under ${allocator}, and it can prove so`, async () => {
    const { status, stdout, stderr } = await run(["-a", allocator, "--", ...VERIFY]);
    assert.equal(status, 0, stderr);
    const found = JSON.parse(stdout) as Verification;
    assert.equal(found.processAllocator, allocator);
    assert.equal(found.processAllocatorVerified, true);
    assert.equal(stderr, "");
  });

  test(`verify --expect ${allocator} ends with 0 under it and 1 without`, async () => {
    const expect = offheapCommand("verify", "--json", "--expect", allocator);
    const under = await run(["-a", allocator, "--", ...expect]);
    assert.equal(under.status, 0, under.stderr);
    assert.equal(JSON.parse(under.stdout).processAllocator, allocator);
    const plain = await runChild(expect);
    assert.equal(plain.status, 1);
    assert.equal(JSON.parse(plain.stdout).processAllocator, "glibc");
    assert.match(plain.stderr, /must be served by .*; it is served by glibc .*offheap run/s);
  });

  test(`a decoy that calls itself ${allocator} ends the program before it starts`, async () => {
    const flags = allocator === "jemalloc" ? ["-DDECOY_MALLCTL", "-DDECOY_COUNTS"] : [];
    const decoy = compileShared("decoy-malloc.c", `run-decoy-${allocator}.so`, flags);
    const stderr = await refused(["-a", allocator, "--library", decoy, "--", "echo", "started"]);
    assert.match(stderr, /claims memory that no allocator owns/);
  });
}

test("the policy's allocator is taken without an option, and OFFHEAP_ALLOCATOR overrides it", async () => {
  const byPolicy = await run(["--", ...VERIFY]);
  assert.equal(JSON.parse(byPolicy.stdout).processAllocator, "jemalloc");
  const variables = { OFFHEAP_ALLOCATOR: "mimalloc" };
  const byVariable = await run(["--", ...VERIFY], { variables });
  assert.equal(JSON.parse(byVariable.stdout).processAllocator, "mimalloc");
});

test("--allocator system proves the C library's own, and refuses another that is preloaded", async () => {
  const plain = await run(["-a", "system", "--", ...VERIFY]);
  assert.equal(JSON.parse(plain.stdout).processAllocator, "glibc");
  const variables = { LD_PRELOAD: builtLibrary("mimalloc") };
  const stderr = await refused(["-a", "system", "--", "true"], { variables });
  assert.match(stderr, /under the system's allocator: LD_PRELOAD names ".*libmimalloc\.so", which/);
});

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

test("a run within a run is the same library, and starts", async () => {
  const { stdout, stderr } = await run(["--", ...offheapCommand("run", "--", "echo", "inner")]);
  assert.equal(stdout, "inner\n", stderr);
});

test("a run within a run has its own settings, and keeps the user's: what an outer one set goes", async () => {
  const variables = { MALLOC_CONF: "abort:false", MIMALLOC_SHOW_STATS: "0" };
  const shown = ["sh", "-c", "env; cat /proc/$$/maps"] as const;
  const lines = async (...args: string[]): Promise<string> => {
    const { stdout, stderr, status } = await run(args, { variables });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const inner = (...args: string[]) => offheapCommand("run", ...args, "--", ...shown);
  const alone = await lines("-a", "jemalloc", "-p", "throughput", "--", ...shown);
  const [conf] = /^MALLOC_CONF=.*$/m.exec(alone) ?? [];
  assert.match(String(conf), /dirty_decay_ms:30000.*,abort:false$/);
  const outer = ["-a", "jemalloc", "-p", "low-memory"] as const;
  const nested = await lines(...outer, "--", ...inner("-a", "jemalloc", "-p", "throughput"));
  assert.equal(/^MALLOC_CONF=.*$/m.exec(nested)?.[0], conf);
  const other = await lines(...outer, "--", ...inner("-a", "mimalloc"));
  assert.match(other, /libmimalloc\.so/);
  assert.doesNotMatch(other, /libjemalloc|OFFHEAP_BACKGROUND/);
  assert.match(other, /^MALLOC_CONF=abort:false$/m);
  const system = await lines(...outer, "--", ...inner("-a", "system"));
  assert.doesNotMatch(system, /lib(je|mi)malloc|dirty_decay/);
  const back = await lines("-a", "mimalloc", "--no-inherit", "--", ...inner("-a", "jemalloc"));
  assert.match(back, /libjemalloc\.so/);
  assert.doesNotMatch(back, /libmimalloc/);
});

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

test("the exit status is the command's own", async () => {
  for (const status of [0, 1, 7, 125, 255]) {
    assert.equal((await run(["--", "sh", "-c", `exit ${status}`])).status, status);
  }
});

test("a signal that ends the command is seen by whoever started it, as 128+n in a shell", async () => {
  assert.equal((await run(["--", "sh", "-c", "kill -TERM $$"])).signal, "SIGTERM");
  const command = offheapCommand("run", "--", "sh", "-c", "kill -KILL $$");
  const shell = await runChild(["sh", "-c", '"$@"; echo $?', "sh", ...command]);
  assert.equal(shell.stdout.trim(), "137");
});

test("127 when the command is not found, 126 when it cannot be executed", async () => {
  const missing = await run(["--", "no-such-command-anywhere"]);
  assert.equal(missing.status, 127);
  assert.match(missing.stderr, /^offheap: .*"?no-such-command-anywhere"?/);
  const gone = await run(["--", join(directory, "nothing")]);
  assert.equal(gone.status, 127);
  const plain = await run(["--", script("plain", "#!/bin/sh\n", 0o644)]);
  assert.equal(plain.status, 126);
  assert.match(plain.stderr, /plain/);
  assert.equal((await run(["--", directory])).status, 126);
});

test("no process is left in between: the command has the launcher's number and parent", async () => {
  const command = offheapCommand("run", "--", "sh", "-c", "echo $$ $PPID");
  const { stdout } = await runChild(["sh", "-c", 'echo $$; exec "$@"', "sh", ...command]);
  const [own, result] = stdout.trim().split("\n");
  assert.equal(result, `${own} ${process.pid}`);
});

test("stdin, stdout and stderr are the command's, byte for byte", async () => {
  const input = "ünïcödé\n".repeat(20_000);
  const { stdout, stderr, status } = await run(["--", "sh", "-c", "cat; echo done >&2"], { input });
  assert.equal(status, 0);
  assert.equal(stdout, input);
  assert.equal(stderr, "done\n");
});

test("arguments reach the command as they are, options of its own and empty ones included", async () => {
  const args = ["--allocator", "", "a b", "$HOME", "--", "-x", "ü"];
  const { stdout } = await run(["--", "printf", "%s\\n", ...args]);
  assert.equal(stdout, args.map((arg) => `${arg}\n`).join(""));
  const bare = await run(["printf", "%s.", "--profile", "-h"]);
  assert.equal(bare.stdout, "--profile.-h.", "options behind the command are the command's");
  const own = await run(["--", "cat", "/proc/self/cmdline"]);
  assert.equal(own.stdout, "cat\0/proc/self/cmdline\0", "the command's name is as it was given");
});

test("--no-inherit refuses what it could not give back to the command's children", async () => {
  const variables = { MALLOC_CONF: "abort:false\nnarenas:1" };
  const stderr = await refused(["--no-inherit", "--", "echo", "started"], { variables });
  assert.match(stderr, /MALLOC_CONF must be a single line .*; got "abort:false\\nnarenas:1"/);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} reaches the program exactly once`, async () => {
    const counter = join(FIXTURES, "count-signals.ts");
    const command = offheapCommand("run", "--", ...runtimeCommand(counter, signal));
    const { stdout, status } = await runChild(command, { input: "" });
    assert.equal(status, 0);
    assert.equal(stdout, `${signal} 1\n`);
  });
}

test("signals are as a shell leaves them: none ignored or blocked by the launcher", async () => {
  // Signals above 31 are the C library's own affair.
  const pick = (text: string) =>
    [...text.matchAll(/^(Sig(?:Blk|Ign|Cgt)):\t([0-9a-f]+)$/gm)]
      .map(([, name, mask]) => `${name} ${BigInt(`0x${mask}`) & 0x7fff_ffffn}`);
  const direct = await runChild(["cat", "/proc/self/status"]);
  const under = await run(["--", "cat", "/proc/self/status"]);
  assert.deepEqual(pick(under.stdout), pick(direct.stdout));
  assert.equal(pick(under.stdout).length, 3);
});

test("no descriptor of the launcher's is left open in the command", async () => {
  const list = ["sh", "-c", "ls /proc/self/fd"] as const;
  const direct = await runChild([...list]);
  const under = await run(["--", ...list]);
  assert.equal(under.stdout, direct.stdout);
});

test("an existing LD_PRELOAD keeps its place, and the allocator is appended", async () => {
  const first = compileShared("decoy-version.c", "run-existing.so");
  const variables = { LD_PRELOAD: first };
  const { stdout, status } = await run(["--", "printenv", "LD_PRELOAD"], { variables });
  assert.equal(status, 0);
  const entries = stdout.trim().split(":");
  assert.equal(entries[0], first);
  assert.equal(entries[1], builtLibrary("jemalloc", "preload"));
  assert.equal(entries.length, 3);
});

test("libraries at paths with spaces and colons are preloaded", async () => {
  const odd = join(directory, "with space:and colon");
  mkdirSync(odd);
  const library = join(odd, "libjemalloc.so");
  copyFileSync(builtLibrary("jemalloc"), library);
  const variables = { XDG_CACHE_HOME: join(directory, "cache") };
  const args = ["-a", "jemalloc", "--library", library, "--", ...VERIFY];
  const { stdout, stderr, status } = await run(args, { variables });
  assert.equal(status, 0, stderr);
  const found = JSON.parse(stdout) as Verification;
  assert.equal(found.processAllocatorVerified, true);
  const served = found.evidence.find(({ scope, check }) =>
    scope === "process" && check === "serving-object"
  );
  assert.match(String(served?.detail), /with space:and colon/);
});

test("children inherit the allocator, and with --no-inherit they have their former environment", async () => {
  const nested = ["sh", "-c", "env; exec cat /proc/self/maps"] as const;
  const child = (flag: string) =>
    run(["-p", "low-memory", flag, "--", "sh", "-c", 'sh -c "$1"', "sh", nested[2]], {
      variables: { MALLOC_CONF: "abort:false", KEPT: "yes" },
    });
  const inherited = await child("--inherit");
  assert.match(inherited.stdout, /libjemalloc\.so/);
  assert.match(inherited.stdout, /^MALLOC_CONF=.*dirty_decay_ms/m);
  const without = await child("--no-inherit");
  assert.doesNotMatch(without.stdout, /libjemalloc|liboffheap|OFFHEAP_RE/);
  assert.match(without.stdout, /^MALLOC_CONF=abort:false$/m);
  assert.match(without.stdout, /^KEPT=yes$/m);
});

test("with --no-inherit the program itself runs under the allocator, also behind #!/usr/bin/env", async () => {
  const direct = await run(["--no-inherit", "--", ...VERIFY]);
  assert.equal(JSON.parse(direct.stdout).processAllocator, "jemalloc");
  const byEnv = script("by-env", "#!/usr/bin/env -S cat /proc/self/maps /proc/self/environ\n");
  const { stdout, stderr, status } = await run(["--no-inherit", "--", byEnv]);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /libjemalloc\.so/);
});

test("a script runs under the allocator by its interpreter", async () => {
  const path = script("shell-script", "#!/bin/sh\ncat /proc/$$/maps\n");
  const { stdout, status } = await run(["--", path]);
  assert.equal(status, 0);
  assert.match(stdout, /libjemalloc\.so/);
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

test("runCommand lets children inherit unless told otherwise, and refuses what is no answer", async () => {
  const child = join(FIXTURES, "run-command.ts");
  const command = ["sh", "-c", "cat /proc/self/maps"];
  const maps = async (options: object): Promise<string> =>
    (await runChild(runtimeCommand(child, JSON.stringify({ command, ...options })))).stdout;
  assert.match(await maps({}), /libjemalloc\.so/);
  assert.match(await maps({ inherit: true }), /libjemalloc\.so/);
  assert.doesNotMatch(await maps({ inherit: false }), /libjemalloc\.so/);
  assert.throws(
    () => runCommand({ command: ["true"], inherit: "no" as unknown as boolean }),
    new TypeError("Cannot run a command: inherit must be true or false; got 'no'"),
  );
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
    const { calls } = foreign().open(null, {
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

test(
  "the command can be process 1 of a container",
  skipUnless(ROOT_USER, "a process namespace of its own needs root"),
  async () => {
    const command = offheapCommand("run", "--", "sh", "-c", "echo $$; cat /proc/$$/maps");
    const unshare = ["unshare", "--pid", "--fork", "--mount-proc", ...command] as const;
    const { stdout, status, stderr } = await runChild([...unshare]);
    assert.equal(status, 0, stderr);
    assert.equal(stdout.split("\n")[0], "1");
    assert.match(stdout, /libjemalloc\.so/);
  },
);

test("a library that does not tell its version is refused", async () => {
  const nameless = compileShared("decoy-version.c", "run-nameless.so", ["-DDECOY_MALLCTL"]);
  const stderr = await refused(["-a", "jemalloc", "--library", nameless, "--", "echo", "started"]);
  assert.match(stderr, /does not tell its version/);
});

/** Ways in which the launched process becomes another program without the preload or the check. */
const WAYS_AROUND: readonly (readonly [string, readonly string[], string])[] = [
  ["env -i", ["env", "-i", "/bin/echo", "started"], "LD_PRELOAD"],
  ["env -u", ["env", "-u", "LD_PRELOAD", "/bin/echo", "started"], "LD_PRELOAD"],
  ["another preload", ["env", "LD_PRELOAD=/x.so", "/bin/echo", "started"], "LD_PRELOAD"],
  ["env without the requirement", ["env", "OFFHEAP_REQUIRE=", "/bin/echo", "x"], "OFFHEAP_REQUIRE"],
  ["a shell's exec", ["sh", "-c", "unset LD_PRELOAD; exec /bin/echo started"], "LD_PRELOAD"],
];

for (const [what, command, variable] of WAYS_AROUND) {
  test(`what becomes another program without the check ends with 125: ${what}`, async () => {
    const stderr = await refused(["--", ...command]);
    assert.match(
      stderr,
      new RegExp(`/bin/echo" was to take its place without ${variable}: refused`),
    );
    const children = ["sh", "-c", '"$@"; echo $?', "sh", ...command] as const;
    const { stdout } = await run(["--", ...children]);
    assert.match(stdout, /\n0\n$/, "its children are their own masters");
  });
}

test("with --no-inherit the program may become what it likes", async () => {
  const command = ["sh", "-c", "exec env -i /bin/echo started"] as const;
  const { stdout, stderr } = await run(["--no-inherit", "--", ...command]);
  assert.equal(stdout, "started\n", stderr);
});

test("each function that becomes another program is looked at", async () => {
  const program = compileProgram("execute.c", "execute");
  for (
    const name of ["execl", "execle", "execlp", "execv", "execve", "execvp", "execvpe", "fexecve"]
  ) {
    const kept = await run(["--", program, name, "keep"]);
    assert.equal(kept.stdout, "one two\n", `${name}: ${kept.stderr}`);
    const stderr = await refused(["--", program, name, "drop"]);
    assert.match(stderr, /was to take its place without LD_PRELOAD: refused/, name);
    const child = await run(["--", program, name, "child"]);
    assert.equal(child.stdout, "one two\n", `${name} in a child: ${child.stderr}`);
  }
});

test("a second preload variable, which the dynamic linker takes, is looked at as well", async () => {
  const program = compileProgram("execute.c", "execute-twice");
  const stderr = await refused(["--", program, "execve", "twice"]);
  assert.match(stderr, /was to take its place without LD_PRELOAD: refused/);
});

test("a program that cannot be executed ends nothing: the call fails as it does elsewhere", async () => {
  for (const program of ["/nonexistent/program", "offheap-knows-no-such-program"]) {
    const { status, stderr } = await run(["--", "env", "-i", program]);
    assert.equal(status, 127, stderr);
    assert.doesNotMatch(stderr, /offheap: /);
  }
});

test("under the system's allocator there is nothing that a successor could lose", async () => {
  const command = ["sh", "-c", "unset LD_PRELOAD; exec /bin/echo started"] as const;
  const { stdout, stderr } = await run(["-a", "system", "--", ...command]);
  assert.equal(stdout, "started\n", stderr);
});

test("a script whose env would leave the check out is refused, by whatever name env goes", async () => {
  const copy = join(directory, "another-env");
  copyFileSync("/usr/bin/env", copy);
  const lines: readonly (readonly [string, RegExp])[] = [
    ["/usr/bin/env -S LD_PRELOAD= echo started", /makes "env" set LD_PRELOAD/],
    ["/usr/bin/env -S ${NOPE}LD_PRELOAD= echo started", /makes "env" set LD_PRELOAD/],
    ["/usr/bin/env -S OFFHEAP_REQUIRE= echo started", /makes "env" set OFFHEAP_REQUIRE/],
    ["/usr/bin/env -S MALLOC_CONF=narenas:1 echo started", /makes "env" set MALLOC_CONF/],
    ["/usr/bin/env -S /usr/bin/env -u LD_PRELOAD echo started", /start another "env"/],
    [`${copy} -S -u LD_PRELOAD /bin/echo started`, /was to take its place without LD_PRELOAD/],
    [`/usr/bin/env -S ${copy} -i /bin/echo started`, /was to take its place without LD_PRELOAD/],
  ];
  for (const [index, [line, message]] of lines.entries()) {
    const path = script(`around-${index}`, `#!${line}\n`);
    assert.match(await refused(["-a", "jemalloc", "--", path]), message, line);
  }
});

test("what is executed is what was checked: a link that changes meanwhile makes no difference", async () => {
  const [dynamic, fixed] = ["dynamic", "static"].map((name) =>
    compileProgram("hello.c", `flip-${name}`, [
      `-DTEXT="${name}"`,
      ...(name === "static" ? ["-static"] : []),
    ])
  );
  const link = join(directory, "flipping");
  const flip = spawn("sh", [
    "-c",
    'while :; do ln -sfn "$1" "$3"; ln -sfn "$2" "$3"; done',
    "sh",
    String(dynamic),
    String(fixed),
    link,
  ]);
  try {
    await once(flip, "spawn");
    const statuses = new Set<number | null>();
    for (let round = 0; round < 20; round++) {
      const { status, stdout, stderr } = await run(["--", link]);
      assert.ok(stdout === "dynamic\n" || status === 125 || status === 127, `${stdout}${stderr}`);
      statuses.add(status);
    }
    assert.ok(statuses.has(125), "the link was never another while it was looked at");
  } finally {
    flip.kill("SIGKILL");
  }
});

test("a program that is executed as it was checked has its own name, file and arguments", async () => {
  const shell = join(directory, "a-shell");
  symlinkSync("/bin/sh", shell);
  const shown = 'cat /proc/$$/comm; readlink /proc/$$/exe; tr "\\0" " " </proc/$$/cmdline';
  const direct = await runChild([shell, "-c", shown]);
  const under = await run(["--", shell, "-c", shown]);
  assert.equal(under.stdout, direct.stdout, under.stderr);
  assert.match(under.stdout, /^a-shell\n/);
});

test("profiles set the allocator's variables, keep the user's, and say so in one line", async () => {
  const variables = { MALLOC_CONF: "dirty_decay_ms:1234,narenas:3" };
  const command = ["-a", "jemalloc", "-p", "low-memory", "--", "printenv", "MALLOC_CONF"];
  const { stdout, stderr } = await run(command, { variables });
  assert.equal(
    stderr,
    "offheap: kept as it is set: MALLOC_CONF:dirty_decay_ms, MALLOC_CONF:narenas\n",
  );
  assert.match(stdout, /dirty_decay_ms:1234/);
  assert.equal(stdout.match(/dirty_decay_ms/g)?.length, 1);
  assert.match(stdout, /muzzy_decay_ms:0/);
});

/** Whether a runtime has jemalloc's background thread, some time after its start. */
const HAS_THREAD = script(
  "has-thread.mjs",
  `import { readdirSync, readFileSync } from "node:fs";
setTimeout(() => {
  const names = readdirSync("/proc/self/task")
    .map((task) => readFileSync("/proc/self/task/" + task + "/comm", "utf8").trim());
  console.log(names.includes("jemalloc_bg_thd"));
}, 50);
`,
);

test("a runtime has jemalloc's background thread under run, as a child, and by env", async () => {
  const runtime = runtimeCommand(HAS_THREAD);
  const child = ["sh", "-c", '"$@"; exit $?', "sh", ...runtime];
  const byEnv = 'set -eu; V="$("$@")"; eval "$V"; shift $#; exec $RUNTIME';
  const env = ["sh", "-c", byEnv, "sh", ...offheapCommand("env", "-a", "jemalloc")] as const;
  const variables = { RUNTIME: runtime.join(" ") };
  for (
    const { stdout, stderr } of [
      await run(["-a", "jemalloc", "--", ...runtime]),
      await run(["-a", "jemalloc", "--", ...child]),
      await runChild([...env], { variables }),
    ]
  ) {
    assert.equal(stdout, "true\n", stderr);
  }
  const off = { variables: { MALLOC_CONF: "background_thread:false" } };
  assert.equal((await run(["-a", "jemalloc", "--", ...runtime], off)).stdout, "false\n");
});

test("what the allocator will not take of the user's settings is told, and the profile's stays", async () => {
  const told = async (allocator: string, variables: Record<string, string>) => {
    const result = await run(["-a", allocator, "-p", "low-memory", "--", "env"], { variables });
    assert.equal(result.status, 0, result.stderr);
    return result;
  };
  const semicolon = "background_thread:true;dirty_decay_ms:0";
  const conf = await told("jemalloc", { MALLOC_CONF: semicolon });
  assert.match(conf.stderr, /^offheap: MALLOC_CONF: jemalloc 5\.\d\.\d will not take "background_/);
  assert.match(conf.stdout, new RegExp(`^MALLOC_CONF=dirty_decay_ms:5000,.*,${semicolon}$`, "m"));
  assert.match(conf.stdout, /^OFFHEAP_BACKGROUND=/m, "the thread was not asked for after all");
  const misspelt = await told("mimalloc", { MIMALLOC_PRUGE_DELAY: "0" });
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
  assert.ok(stderr.includes(`offheap: kept as it is set: ${wrong}\n`), stderr);
});

test("with --no-inherit the command that env becomes has the allocator", async () => {
  const maps = [
    "sh",
    "-c",
    "grep -c libjemalloc /proc/$$/maps; grep -c libjemalloc /proc/self/maps",
  ];
  const args = ["-a", "jemalloc", "--no-inherit", "--", "env", "A=b", ...maps];
  const { stdout, stderr } = await run(args);
  assert.match(stdout, /^[1-9]\d*\n0\n$/, `the shell has it, and its child does not: ${stderr}`);
});

test("with --no-inherit a wrapper is refused, as the command behind it would go without", async () => {
  for (const name of ["nice", "nohup", "timeout"]) {
    const stderr = await refused(["--no-inherit", "--", name, "5", "true"]);
    assert.ok(stderr.includes(`${name} … offheap run --no-inherit -- COMMAND`), stderr);
    assert.equal((await run(["--", name, ...(name === "timeout" ? ["5"] : []), "true"])).status, 0);
  }
});

test("env as the command is followed, and refused where it would drop what run sets", async () => {
  for (const words of [["-i"], ["-u", "LD_PRELOAD"], ["LD_PRELOAD="], ["env"]]) {
    const stderr = await refused(["--", "env", ...words, "echo", "started"]);
    assert.match(stderr, /Cannot run "env" under an allocator: its arguments make it /);
  }
  assert.equal((await run(["--", "env", "A=b", "printenv", "A"])).stdout, "b\n");
  for (const option of ["--version", "--help"]) {
    assert.match((await run(["--", "env", option])).stdout, /env/);
  }
});

test("an interpreter whose path is not UTF-8 is refused in a sentence", async () => {
  const line = Buffer.concat([Buffer.from("#!/bin/caf"), Buffer.of(0xe9), Buffer.from("\n")]);
  const path = join(directory, "interpreter-not-utf8");
  writeFileSync(path, line, { mode: 0o755 });
  const { status, stderr } = await run(["--", path]);
  assert.equal(status, 126);
  assert.match(stderr, /its path is not UTF-8\. Give the path of a link to it that is\.\n$/);
});

test("LD_AUDIT is told as what the dynamic linker may say of static TLS", async () => {
  const variables = { LD_AUDIT: "/nonexistent/audit.so" };
  const { stderr } = await run(["-a", "jemalloc", "--", "true"], { variables });
  assert.match(
    stderr,
    /^offheap: LD_AUDIT is set: .*"cannot allocate memory in static TLS block"/m,
  );
});

test("an option without effect is refused: the system's allocator has no profiles", async () => {
  const stderr = await refused(["-a", "system", "-p", "throughput", "--", "echo", "started"]);
  assert.match(stderr, /with --profile throughput: profiles are for jemalloc and mimalloc/);
  const variables = { OFFHEAP_LIBRARY: builtLibrary("jemalloc") };
  const told = await run(["-a", "system", "--", "echo", "started"], { variables });
  assert.equal(told.stdout, "started\n");
  assert.match(told.stderr, /^offheap: OFFHEAP_LIBRARY is not used: the system's allocator/);
});

test("--secure takes the guarding variant", async () => {
  const { stdout, stderr } = await run(["--secure", "--", "sh", "-c", "cat /proc/$$/maps"]);
  assert.equal(stderr, "");
  assert.match(stdout, /secure\/libjemalloc\.so/);
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
