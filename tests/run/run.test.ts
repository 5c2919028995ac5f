import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ffi } from "../../ffi/mod.ts";
import { runCommand } from "../../lib/run/run.ts";
import type { Verification } from "../../lib/verify/types.ts";
import { compileShared } from "../support/compile.ts";
import { effort, IS_QUICKEST, onceInBun, THOROUGH } from "../support/effort.ts";
import { directory, refused, run, script, VERIFY } from "../support/launch.ts";
import {
  builtLibrary,
  FIXTURES,
  offheapCommand,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { NOT_SKIPPED, skipUnless } from "../support/skip.ts";

const ALLOCATORS = ["jemalloc", "mimalloc"] as const;
const ONCE = onceInBun(
  "what is planned and preloaded is alike; others of this file start programs",
);
const ROOT_USER = process.getuid?.() === 0;

for (const allocator of ALLOCATORS) {
  test(`run puts a program under ${allocator}, and it can prove so`, async () => {
    const { status, stdout, stderr } = await run(["-a", allocator, "--", ...VERIFY]);
    assert.equal(status, 0, stderr);
    const found = JSON.parse(stdout) as Verification;
    assert.equal(found.processAllocator, allocator);
    assert.equal(found.processAllocatorVerified, true);
    assert.equal(stderr, "");
  });

  test(`verify --expect ${allocator} ends with 0 under it and 1 without`, ONCE, async () => {
    const expect = offheapCommand("verify", "--json", "--expect", allocator);
    const under = await run(["-a", allocator, "--", ...expect]);
    assert.equal(under.status, 0, under.stderr);
    assert.equal(JSON.parse(under.stdout).processAllocator, allocator);
    const plain = await runChild(expect);
    assert.equal(plain.status, 1);
    assert.equal(JSON.parse(plain.stdout).processAllocator, "glibc");
    assert.match(plain.stderr, /must be served by .*; it is served by glibc .*offheap run/s);
  });

  test(
    `a decoy that calls itself ${allocator} ends the program before it starts`,
    ONCE,
    async () => {
      const flags = allocator === "jemalloc" ? ["-DDECOY_MALLCTL", "-DDECOY_COUNTS"] : [];
      const decoy = compileShared("decoy-malloc.c", `run-decoy-${allocator}.so`, flags);
      const stderr = await refused(["-a", allocator, "--library", decoy, "--", "echo", "started"]);
      assert.match(stderr, /claims memory that no allocator owns/);
    },
  );
}

test(
  "a command is started without koffi, which takes longer to load than the rest of a launch",
  skipUnless(ffi().backend === "koffi", "only Node without node:ffi uses koffi"),
  async () => {
    const refusal = script(
      "no-koffi.cjs",
      'const Module = require("node:module");\n' +
        "const resolve = Module._resolveFilename;\n" +
        "Module._resolveFilename = function (name, ...more) {\n" +
        '  if (name.includes("koffi")) { console.error("koffi is loaded"); process.exit(9); }\n' +
        "  return resolve.call(this, name, ...more);\n};\n",
    );
    const [node, ...launcher] = offheapCommand("run", "--", "echo", "started");
    const started = await runChild([node, "--require", refusal, ...launcher]);
    assert.deepEqual([started.stdout, started.stderr, started.status], ["started\n", "", 0]);
    const [, ...verify] = offheapCommand("verify");
    const { status } = await runChild([node, "--require", refusal, ...verify]);
    assert.equal(status, 9, "verify needs koffi, so the refusal works");
  },
);

test(
  "the policy's allocator is taken without an option, and OFFHEAP_ALLOCATOR overrides it",
  ONCE,
  async () => {
    const byPolicy = await run(["--", ...VERIFY]);
    assert.equal(JSON.parse(byPolicy.stdout).processAllocator, "jemalloc");
    const variables = { OFFHEAP_ALLOCATOR: "mimalloc" };
    const byVariable = await run(["--", ...VERIFY], { variables });
    assert.equal(JSON.parse(byVariable.stdout).processAllocator, "mimalloc");
  },
);

test(
  "--allocator system proves the C library's own, and refuses another that is preloaded",
  ONCE,
  async () => {
    const plain = await run(["-a", "system", "--", ...VERIFY]);
    assert.equal(JSON.parse(plain.stdout).processAllocator, "glibc");
    const variables = { LD_PRELOAD: builtLibrary("mimalloc") };
    const stderr = await refused(["-a", "system", "--", "true"], { variables });
    assert.match(
      stderr,
      /under the system's allocator: LD_PRELOAD names ".*libmimalloc\.so", which/,
    );
  },
);

test("a run within a run is the same library, and starts", ONCE, async () => {
  const { stdout, stderr } = await run(["--", ...offheapCommand("run", "--", "echo", "inner")]);
  assert.equal(stdout, "inner\n", stderr);
});

test(
  "a run within a run has its own settings, and keeps the user's: what an outer one set goes",
  ONCE,
  async () => {
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
  },
);

test("the exit status is the command's own", ONCE, async () => {
  for (const status of [125, 0, 1, 7, 255].slice(0, effort(2, 5))) {
    assert.equal((await run(["--", "sh", "-c", `exit ${status}`])).status, status);
  }
});

test(
  "a signal that ends the command is seen by whoever started it, as 128+n in a shell",
  ONCE,
  async () => {
    assert.equal((await run(["--", "sh", "-c", "kill -TERM $$"])).signal, "SIGTERM");
    const command = offheapCommand("run", "--", "sh", "-c", "kill -KILL $$");
    const shell = await runChild(["sh", "-c", '"$@"; echo $?', "sh", ...command]);
    assert.equal(shell.stdout.trim(), "137");
  },
);

test("127 when the command is not found", async () => {
  const missing = await run(["--", "no-such-command-anywhere"]);
  assert.equal(missing.status, 127);
  assert.match(missing.stderr, /^offheap: .*"?no-such-command-anywhere"?/);
});

test("127 when its file is not there, 126 when it cannot be executed", ONCE, async () => {
  const gone = await run(["--", join(directory, "nothing")]);
  assert.equal(gone.status, 127);
  const plain = await run(["--", script("plain", "#!/bin/sh\n", 0o644)]);
  assert.equal(plain.status, 126);
  assert.match(plain.stderr, /plain/);
  assert.equal((await run(["--", directory])).status, 126);
});

test("a home that is not there, and cannot be made, is no hindrance", async () => {
  for (const HOME of ["/proc/none", "/nonexistent/home"].slice(0, effort(1, 2))) {
    const variables = { HOME, XDG_CACHE_HOME: undefined, DENO_DIR: directory };
    const { stdout, stderr, status } = await run(["--", "echo", "started"], { variables });
    assert.deepEqual([stdout, stderr, status], ["started\n", "", 0], HOME);
  }
});

/** What a command has: first what differs from process to process, or above bit 31. */
const SHOWN = "echo $$ $PPID; grep ^Sig /proc/self/status; echo; " +
  "ls /proc/self/fd; cat /proc/$$/cmdline; cat; echo done >&2; exit 7";

test("the command is as a shell starts it: number, parent, signals, descriptors, arguments, streams", async () => {
  const words = ["sh", "-c", SHOWN, "", "--allocator", "a b", "$HOME", "--", "-x", "ü"];
  const input = "ünïcödé\n".repeat(20_000);
  const shell = ["sh", "-c", 'echo $$; exec "$@"', "sh"] as const;
  const ended = async (...before: readonly string[]) => {
    const { stdout, stderr, status } = await runChild([...shell, ...before, ...words], { input });
    const [head = "", tail = ""] = stdout.split("\n\n");
    const [own, numbers] = head.split("\n");
    assert.equal(numbers, `${own} ${process.pid}`, "no process is left in between");
    // Signals above 31 are the C library's own affair.
    const masks = [...head.matchAll(/^(Sig(?:Blk|Ign|Cgt)):\t([0-9a-f]+)$/gm)]
      .map(([, name, mask]) => `${name} ${BigInt(`0x${mask}`) & 0x7fff_ffffn}`);
    return { status, stderr, masks, tail };
  };
  const direct = await ended();
  assert.deepEqual(await ended(...offheapCommand("run", "--")), direct);
  assert.deepEqual([direct.status, direct.stderr, direct.masks.length], [7, "done\n", 3]);
  assert.ok(direct.tail.endsWith(`${words.join("\0")}\0${input}`), direct.tail);
});

test("options after the command are the command's", ONCE, async () => {
  const { stdout } = await run(["printf", "%s.", "--profile", "-h"]);
  assert.equal(stdout, "--profile.-h.");
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  const where = signal === "SIGTERM" ? NOT_SKIPPED : ONCE;
  test(`${signal} reaches the program exactly once`, where, async () => {
    const counter = join(FIXTURES, "count-signals.ts");
    const command = offheapCommand("run", "--", ...runtimeCommand(counter, signal));
    const { stdout, status } = await runChild(command, { input: "" });
    assert.equal(status, 0);
    assert.equal(stdout, `${signal} 1\n`);
  });
}

test("an existing LD_PRELOAD keeps its place, and the allocator is appended", ONCE, async () => {
  const first = compileShared("decoy-version.c", "run-existing.so");
  const variables = { LD_PRELOAD: first };
  const { stdout, status } = await run(["--", "printenv", "LD_PRELOAD"], { variables });
  assert.equal(status, 0);
  const entries = stdout.trim().split(":");
  assert.equal(entries[0], first);
  assert.equal(entries[1], builtLibrary("jemalloc", "preload"));
  assert.equal(entries.length, 3);
});

test("libraries at paths with spaces and colons are preloaded", ONCE, async () => {
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

// bash has a setenv of its own.
for (const shell of ["sh", "bash"] as const) {
  test(
    `${shell}'s children inherit the allocator, and with --no-inherit they have their former environment`,
    ONCE,
    async () => {
      const nested = ["sh", "-c", "env; exec cat /proc/self/maps"] as const;
      const child = (flag: string) =>
        run(["-p", "low-memory", flag, "--", shell, "-c", 'sh -c "$1"; true', "sh", nested[2]], {
          variables: { MALLOC_CONF: "abort:false", KEPT: "yes" },
        });
      const inherited = await child("--inherit");
      assert.match(inherited.stdout, /libjemalloc\.so/);
      assert.match(inherited.stdout, /^MALLOC_CONF=.*dirty_decay_ms/m);
      const without = await child("--no-inherit");
      assert.doesNotMatch(without.stdout, /libjemalloc|liboffheap|OFFHEAP_(RE|SET|AGENT|BACK)/);
      assert.match(without.stdout, /^MALLOC_CONF=abort:false$/m);
      assert.match(without.stdout, /^KEPT=yes$/m);
    },
  );
}

test(
  "with --no-inherit the program itself runs under the allocator, also when it is started by #!/usr/bin/env",
  ONCE,
  async () => {
    const direct = await run(["--no-inherit", "--", ...VERIFY]);
    assert.equal(JSON.parse(direct.stdout).processAllocator, "jemalloc");
    const byEnv = script("by-env", "#!/usr/bin/env -S cat /proc/self/maps /proc/self/environ\n");
    const { stdout, stderr, status } = await run(["--no-inherit", "--", byEnv]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /libjemalloc\.so/);
  },
);

test("a script runs under the allocator by its interpreter", ONCE, async () => {
  const path = script("shell-script", "#!/bin/sh\ncat /proc/$$/maps\n");
  const { stdout, status } = await run(["--", path]);
  assert.equal(status, 0);
  assert.match(stdout, /libjemalloc\.so/);
});

test(
  "runCommand lets children inherit by default, and refuses what is no answer",
  ONCE,
  async () => {
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
  },
);

test(
  "the command can be process 1 of a container",
  onceInBun(
    "it has its process ID before the launcher's runtime starts",
    skipUnless(ROOT_USER, "a process namespace of its own needs root"),
  ),
  async () => {
    const command = offheapCommand("run", "--", "sh", "-c", "echo $$; cat /proc/$$/maps");
    const unshare = ["unshare", "--pid", "--fork", "--mount-proc", ...command] as const;
    const { stdout, status, stderr } = await runChild([...unshare]);
    assert.equal(status, 0, stderr);
    assert.equal(stdout.split("\n")[0], "1");
    assert.match(stdout, /libjemalloc\.so/);
  },
);

test(
  "a program that is executed as it was checked has its own name, file and arguments",
  ONCE,
  async () => {
    const shell = join(directory, "a-shell");
    symlinkSync("/bin/sh", shell);
    const shown = 'cat /proc/$$/comm; readlink /proc/$$/exe; tr "\\0" " " </proc/$$/cmdline';
    const direct = await runChild([shell, "-c", shown]);
    const under = await run(["--", shell, "-c", shown]);
    assert.equal(under.stdout, direct.stdout, under.stderr);
    assert.match(under.stdout, /^a-shell\n/);
  },
);

test(
  "profiles set the allocator's variables, keep the user's, and say so in one line",
  ONCE,
  async () => {
    const variables = { MALLOC_CONF: "dirty_decay_ms:1234,narenas:3" };
    const command = ["-a", "jemalloc", "-p", "low-memory", "--", "printenv", "MALLOC_CONF"];
    const { stdout, stderr } = await run(command, { variables });
    assert.equal(
      stderr,
      "offheap: your own settings are kept: MALLOC_CONF:dirty_decay_ms, MALLOC_CONF:narenas\n",
    );
    assert.match(stdout, /dirty_decay_ms:1234/);
    assert.equal(stdout.match(/dirty_decay_ms/g)?.length, 1);
    assert.match(stdout, /muzzy_decay_ms:0/);
  },
);

/** Which threads of offheap's and of jemalloc's a runtime has, some time after its start. */
const OTHER_THREADS = script(
  "other-threads.mjs",
  `import { readdirSync, readFileSync } from "node:fs";
setTimeout(() => {
  const names = readdirSync("/proc/self/task")
    .map((task) => readFileSync("/proc/self/task/" + task + "/comm", "utf8").trim());
  const others = names.filter((name) => name === "offheap" || name === "jemalloc_bg_thd");
  console.log([...new Set(others)].join());
}, 50);
`,
);

test("a runtime has the agent, or jemalloc's thread, under run, as a child, and by env", async () => {
  const runtime = runtimeCommand(OTHER_THREADS);
  const child = ["sh", "-c", '"$@"; exit $?', "sh", ...runtime];
  const byEnv = 'set -eu; V="$("$@")"; eval "$V"; shift $#; exec $RUNTIME';
  const variables = { RUNTIME: runtime.join(" ") };
  const all = [
    { options: ["-a", "jemalloc"], threads: "offheap" },
    { options: ["-a", "jemalloc", "--no-agent"], threads: "jemalloc_bg_thd" },
    { options: ["-a", "system"], threads: "offheap" },
    { options: ["-a", "system", "--no-agent"], threads: "" },
    // Memory is not given back at rest by this agent: jemalloc's own thread does it.
    { options: ["-a", "jemalloc", "--idle-trim", "0"], threads: "jemalloc_bg_thd,offheap" },
  ];
  // On a push all in Bun, and the first two, which are two threads, elsewhere.
  for (const [index, { options, threads }] of all.slice(0, IS_QUICKEST ? undefined : 2).entries()) {
    const env = ["sh", "-c", byEnv, "sh", ...offheapCommand("env", ...options)] as const;
    const ways = [
      () => run([...options, "--", ...runtime]),
      () => run([...options, "--", ...child]),
      () => runChild([...env], { variables }),
    ];
    // On a push the ways in turn.
    for (const [at, way] of ways.entries()) {
      if (!THOROUGH && at !== index % ways.length) continue;
      const { stdout, stderr } = await way();
      assert.equal(stdout.trim().split(",").sort().join(), threads, options.join(" ") + stderr);
    }
  }
  if (!IS_QUICKEST) return;
  const off = { variables: { MALLOC_CONF: "background_thread:false" } };
  const { stdout } = await run(["-a", "jemalloc", "--no-agent", "--", ...runtime], off);
  assert.equal(stdout, "\n");
});

test("--secure takes the guarding variant", ONCE, async () => {
  const { stdout, stderr } = await run(["--secure", "--", "sh", "-c", "cat /proc/$$/maps"]);
  assert.equal(stderr, "");
  assert.match(stdout, /secure\/libjemalloc\.so/);
});
