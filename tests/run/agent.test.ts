/**
 * The agent in launched programs: which of them have it, what it gives back, and what it survives.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { askAgent } from "../../lib/watch/agent/client.ts";
import { agentPlaces, agentProcess } from "../../lib/watch/agent/sockets.ts";
import { during } from "../support/child.ts";
import { compileProgram, compileShared, temporaryDirectory } from "../support/compile.ts";
import { effort } from "../support/effort.ts";
import {
  builtLibrary,
  childEnvironment,
  type ChildOptions,
  offheapCommand,
  runChild,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

let made: string | undefined;
/** A program that does what its arguments say, see `threads.c`. */
function program(): string {
  if (made === undefined) {
    made = compileProgram("threads.c", "threads-agent", ["-pthread", "-ldl"]);
    chmodSync(dirname(made), 0o755); // for the test with another user
  }
  return made;
}

/** What the program prints under `offheap run`, a line each. */
async function printed(
  options: readonly string[],
  words: readonly string[],
  more: ChildOptions = {},
): Promise<string[]> {
  const command = offheapCommand("run", ...options, "--", program(), ...words);
  const { status, signal, stdout, stderr } = await runChild(command, more);
  assert.deepEqual([status, signal, stderr], [0, null, ""]);
  return stdout.trim().split("\n");
}

const SYSTEM = ["-a", "system"];

test("it starts with the program's first thread, and never before", async () => {
  const words = ["ask", "thread", "ask", "thread", "ask"];
  assert.deepEqual(await printed(SYSTEM, words), ["off 1", "off 2", "off 2"]);
  const jemalloc = await printed(["-a", "jemalloc"], words);
  assert.deepEqual(jemalloc, ["off 1", "off 2", "off 2"], "jemalloc's own thread is not needed");
  assert.deepEqual(await printed(["-a", "mimalloc"], words), ["off 1", "off 2", "off 2"]);
});

test("children that are no runtimes have none, and what the launched process becomes has one", async () => {
  const forked = await printed(SYSTEM, ["thread", "fork", "ask", "thread", "ask"]);
  assert.deepEqual(forked, ["off 1", "off 1"]);
  const child = ["fork", "exec", program(), "ask", "thread", "ask"];
  assert.deepEqual(await printed(SYSTEM, child), ["off 1", "off 1"]);
  const became = ["thread", "exec", program(), "ask", "thread", "ask"];
  assert.deepEqual(await printed(SYSTEM, became), ["off 1", "off 2"]);
});

test("--no-agent leaves it out, and --no-inherit keeps it from children", async () => {
  assert.deepEqual(await printed([...SYSTEM, "--no-agent"], ["thread", "ask"]), ["off 1"]);
  const command = offheapCommand("run", ...SYSTEM, "--no-inherit", "--", "sh", "-c", "env; true");
  assert.doesNotMatch((await runChild(command)).stdout, /OFFHEAP_AGENT|liboffheap/);
});

test("a program at rest gives its memory back, once", async () => {
  const words = ["thread", "burst", "80", "resident", "sleep", "3000", "resident"];
  for (const allocator of ["system", "jemalloc"]) {
    const [before = 0, after = 0] = (await printed(["-a", allocator], words)).map(Number);
    assert.ok(after < before / 2, `${allocator}: ${before} MiB came to ${after}`);
  }
  const [kept = 0, still = 0] = (await printed([...SYSTEM, "--idle-trim", "0"], words)).map(Number);
  assert.ok(kept > 60 && still > kept * 0.9, `--idle-trim 0: ${kept} MiB came to ${still}`);
});

/** The program under `offheap run`. */
function launched(options: readonly string[], words: readonly string[]): string[] {
  return offheapCommand("run", ...options, "--", program(), ...words);
}

const WAIT = ["thread", "sleep", "300", "say", "ready", "sleep", "60000"];

test("it says who it is, counts, purges, changes the decay, and refuses what it does not know", async () => {
  await during(
    launched(["-a", "jemalloc", "--idle-trim", "0", "--memory-limit", "400MiB"], [
      "burst",
      "100",
      ...WAIT,
    ]),
    async (pid) => {
      const hello = await askAgent(pid, "hello");
      const { version, ...known } = hello;
      const limit = 400 * 2 ** 20;
      const expected = { offheap: 1, pid, allocator: "jemalloc", idleMilliseconds: 0, limit };
      assert.deepEqual(known, { ...expected, stopped: null });
      assert.match(version ?? "", /^5\.3\.\d$/);
      const stats = await askAgent(pid, "stats");
      assert.ok((stats.counted.allocated ?? 0) > 50_000, JSON.stringify(stats));
      assert.ok(stats.resident >= (stats.counted.allocated ?? 0));
      for (const name of ["allocated", "committed", "arenas", "muzzy"] as const) {
        assert.notEqual(name in stats.counted, name in stats.absent, name);
      }
      assert.equal((await askAgent(pid, "decay 10000")).refused, null);
      const purge = await askAgent(pid, "purge");
      assert.equal(purge.refused, null);
      assert.ok(purge.residentAfter <= purge.residentBefore);
      await assert.rejects(askAgent(pid, "bogus" as "hello"), /unknown question; there are hello/);
      const wrong = await askAgent(pid, "decay x" as "decay 1");
      assert.match(wrong.refused ?? "", /a number of milliseconds/);
    },
  );
});

test("a question that comes too late, from a process that was busy, is put again", async () => {
  await during(launched(SYSTEM, WAIT), async (pid) => {
    const answer = askAgent(pid, "hello");
    // It is connected, and writes when this has ended: the agent waits for a fifth of a second.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
    assert.equal((await answer).pid, pid);
  });
});

test("who gives nothing back says why, and is not asked again at rest", async () => {
  await during(launched(["-a", "mimalloc", "--idle-trim", "10ms"], WAIT), async (pid) => {
    const { refused, allocator, version } = await askAgent(pid, "purge");
    assert.equal(allocator, "mimalloc");
    if (version?.startsWith("2.") !== true) return;
    assert.match(refused ?? "", /^mimalloc 2 gives pages back only in the thread that has them/);
    await setTimeout(1000);
    assert.equal((await askAgent(pid, "hello")).stopped, refused);
  });
  await during(launched(SYSTEM, WAIT), async (pid) => {
    const { refused } = await askAgent(pid, "decay 10");
    assert.match(refused ?? "", /has no decay$/);
  });
});

test("purges that bring nothing stop, until the program has grown", async () => {
  // It works for a moment after each rest, and frees nothing.
  const work = ["work", "50", "sleep", "1000"];
  const words = [
    "thread",
    "sleep",
    "300",
    "say",
    "ready",
    ...Array(20).fill(work).flat(),
    "sleep",
    "60000",
  ];
  await during(launched([...SYSTEM, "--idle-trim", "100ms"], words), async (pid) => {
    let stats = await askAgent(pid, "stats");
    while (stats.stopped === null && stats.purges < 8) {
      await setTimeout(500);
      stats = await askAgent(pid, "stats");
    }
    assert.match(stats.stopped ?? "", /gave back less than a hundredth/);
    assert.ok(stats.purges >= 3, `${stats.purges} purges`);
  });
});

test("near the user's limit memory is given back at once, and the decay is shortened", async () => {
  const words = ["thread", "burst", "60", "sleep", "300", "say", "ready", "sleep", "60000"];
  const options = ["-a", "jemalloc", "--idle-trim", "0", "--memory-limit", "30MiB"];
  await during(launched(options, words), async (pid) => {
    let stats = await askAgent(pid, "stats");
    while (stats.purges < 1) {
      await setTimeout(200);
      stats = await askAgent(pid, "stats");
    }
    assert.equal(stats.limit, 30 * 2 ** 20);
    assert.ok(stats.pressures >= 1, `${stats.pressures} times`);
  }, { variables: { MALLOC_CONF: "dirty_decay_ms:100000" } });
});

test("systemd's way of saying that memory is short is listened to", async () => {
  const pipe = join(temporaryDirectory(), "pressure");
  execFileSync("mkfifo", [pipe]);
  const variables = { MEMORY_PRESSURE_WATCH: pipe };
  await during(launched([...SYSTEM, "--idle-trim", "0"], WAIT), async (pid) => {
    assert.equal((await askAgent(pid, "stats")).purges, 0);
    // Opened so, it waits for no reader.
    const writer = openSync(pipe, "r+");
    writeSync(writer, "short");
    let stats = await askAgent(pid, "stats");
    for (let i = 0; i < 50 && stats.purges === 0; i++) {
      await setTimeout(100);
      stats = await askAgent(pid, "stats");
    }
    closeSync(writer);
    assert.equal(stats.purges, 1);
  }, { variables });
});

test("a program that closes all descriptors neither disturbs it nor is disturbed", async () => {
  const words = ["thread", "sleep", "300", "close", "say", "ready", "sleep", "60000"];
  await during(launched(SYSTEM, words), async (pid) => {
    assert.equal((await askAgent(pid, "hello")).pid, pid);
  });
  // Where it could not have descriptors of its own, its socket is gone, and it goes on.
  const rest = ["thread", "sleep", "300", "close", "burst", "80", "sleep", "3000", "resident"];
  const [after] = (await printed(SYSTEM, ["old", ...rest])).map(Number);
  assert.ok((after ?? 999) < 40, `${after} MiB`);
});

test("forks in the middle of purges and questions lose nothing", async () => {
  for (const allocator of ["system", "jemalloc", "mimalloc"]) {
    const words = ["thread", "sleep", "300", "say", "ready", "forks", String(effort(12, 100)), "5"];
    await during(launched(["-a", allocator], words), async (pid, child) => {
      let output = "";
      child.stdout?.on("data", (part) => output += part);
      const ended = new Promise((resolve) => child.once("close", resolve));
      while (child.exitCode === null && output === "") {
        await askAgent(pid, "purge").catch((error) => assert.equal(error.name, "AgentError"));
        await askAgent(pid, "stats").catch((error) => assert.equal(error.name, "AgentError"));
        // A process that has ended is refused at once: its end has to be heard of, too.
        await new Promise((resolve) => setImmediate(resolve));
      }
      await ended;
      assert.match(output, /^0 of \d+ failed\n$/, allocator);
    });
  }
});

/** Whether it was not in time, or not all of it was read. */
function isReset({ code }: { readonly code?: string }): boolean {
  return code === "EPIPE" || code === "ECONNRESET";
}

/** What comes back for bytes that are sent to a socket. */
function sent(path: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path }, () => socket.write(bytes));
    let text = "";
    socket.setEncoding("utf8").on("data", (part: string) => text += part).on("error", reject);
    socket.on("end", () => resolve(text));
  });
}

/** The same, again where a busy machine was too late with it. */
async function sentInTime(path: string, bytes: string): Promise<string> {
  for (let time = 1;; time++) {
    try {
      return await sent(path, bytes);
    } catch (error) {
      if (time === 5 || !isReset(error as { code?: string })) throw error;
    }
  }
}

/** The only place at which an agent listens, as it is called. */
function placeOf(pid: number): string {
  const known = agentProcess(pid);
  assert.ok(known !== null);
  const [place, ...more] = agentPlaces(pid, known).map(({ called }) => called);
  assert.deepEqual(more, []);
  return place?.replace(/^\/proc\/\d+\/root/, "") ?? "";
}

test("a question has a bound and a time, and the answer says its version", async () => {
  await during(launched(SYSTEM, WAIT), async (pid) => {
    const path = placeOf(pid);
    const text = await sentInTime(path, "hello\n");
    assert.match(text, /^\{"offheap":1,"pid":\d+,"allocator":"glibc",.*\}\n$/);
    const refused = '{"offheap":1,"error":"a question is one line"}\n';
    assert.equal(await sentInTime(path, "h".repeat(255)), refused);
    // What is longer is not read to its end: its sender is reset, when it has the answer or before.
    const long = sent(path, `${"h".repeat(300)}\n`);
    assert.equal(await long.catch((error) => isReset(error) && refused), refused);
    // Who says nothing is left after a while, and holds up nobody for longer.
    const silent = sent(path, "hel");
    assert.equal((await askAgent(pid, "hello")).pid, pid);
    assert.equal(await silent, refused);
  });
});

const IS_ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;
/** Whom no other test is: their directory is not there. */
const [SOMEBODY, STRANGER] = [65_532, 65_533] as const;

test("its socket is in a directory that is this user's alone, and in no other", async () => {
  const others: Readonly<Record<string, (directory: string) => void>> = {
    "one that others may look into": (directory) => {
      mkdirSync(directory);
      chmodSync(directory, 0o750);
    },
    "a link to one": (directory) => symlinkSync(temporaryDirectory(), directory),
    "a file": (directory) => writeFileSync(directory, ""),
    ...(IS_ROOT
      ? {
        "another user's": (directory: string) => {
          mkdirSync(directory, { mode: 0o700 });
          chownSync(directory, NOBODY, NOBODY);
        },
      }
      : {}),
  };
  const runtime = temporaryDirectory();
  await during(launched(SYSTEM, ["title", ...WAIT]), (pid) => {
    const directory = join(runtime, "offheap");
    assert.equal(placeOf(pid), join(directory, `${pid}.sock`));
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    return Promise.resolve();
  }, { variables: { XDG_RUNTIME_DIR: runtime } });
  for (const [what, make] of Object.entries(others)) {
    const bad = temporaryDirectory();
    make(join(bad, "offheap"));
    await during(launched(SYSTEM, WAIT), async (pid) => {
      assert.equal(placeOf(pid), `/tmp/offheap-${process.getuid?.()}/${pid}.sock`, what);
      assert.equal((await askAgent(pid, "hello")).pid, pid);
    }, { variables: { XDG_RUNTIME_DIR: bad } });
  }
});

test("all signals are blocked in its thread, and none in the program's", async () => {
  await during(launched(SYSTEM, WAIT), (pid) => {
    const masks = readdirSync(`/proc/${pid}/task`).map((task) => {
      const status = readFileSync(`/proc/${pid}/task/${task}/status`, "utf8");
      return [/^Name:\t(.*)$/m.exec(status)?.[1], /^SigBlk:\t(.*)$/m.exec(status)?.[1]] as const;
    });
    // But those that cannot be blocked, and the C library's own two.
    const blocked = masks.find(([name]) => name === "offheap")?.[1] ?? "";
    assert.equal(BigInt(`0x${blocked}`) | 0x1_8004_0100n, 0xffff_ffff_ffff_ffffn, blocked);
    assert.deepEqual(masks.filter(([name]) => name !== "offheap").map(([, mask]) => mask), [
      "0000000000000000",
    ]);
    return Promise.resolve();
  });
});

test(
  "another user is refused, and so is whoever has taken its name",
  skipUnless(IS_ROOT, "needs root"),
  async () => {
    // A directory that is not the user's own: the socket then has an abstract name, which all may connect to.
    const directory = `/tmp/offheap-${SOMEBODY}`;
    mkdirSync(directory, { mode: 0o755, recursive: true });
    try {
      await during(launched(SYSTEM, WAIT), async (pid) => {
        assert.equal((await askAgent(pid, "hello")).pid, pid, "root may ask");
        const code =
          `require("net").connect("\\0offheap-${SOMEBODY}-${pid}").on("connect", function () {
        this.end("hello\\n"); }).on("data", (text) => console.log(String(text)))`;
        const ask = async (uid: number, again = 20): Promise<string> => {
          const child = spawn("node", ["-e", code], { uid, gid: uid, env: childEnvironment() });
          let text = "";
          child.stdout.on("data", (part) => text += part);
          await new Promise((resolve) => child.once("close", resolve));
          return text === "" && again > 0 ? await ask(uid, again - 1) : text; // it came too late
        };
        assert.match(await ask(SOMEBODY), /"allocator"/);
        assert.match(await ask(STRANGER), /"error":"only the same user and root are answered"/);
      }, { uid: SOMEBODY });
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
);

const CONTAINER = ["unshare", "-rmpf", "--mount-proc"] as const;
const hasContainers = spawnSync(CONTAINER[0], [...CONTAINER.slice(1), "true"]).status === 0;

test(
  "it is asked from the host in a container, whose files and numbers are others",
  skipUnless(hasContainers, "unshare makes no namespaces here"),
  async () => {
    // What is mounted in the container is not seen here.
    const directory = temporaryDirectory();
    const script = 'mount -t tmpfs none "$0" && XDG_RUNTIME_DIR="$0" exec "$@"';
    const command = [...CONTAINER, "sh", "-c", script, directory, ...launched(SYSTEM, WAIT)];
    await during(command, async (unshare) => {
      const children = readFileSync(`/proc/${unshare}/task/${unshare}/children`, "utf8");
      const pid = parseInt(children, 10);
      const place = `/proc/${pid}/root${directory}/offheap/1.sock`;
      try {
        assert.ok(existsSync(place) && !existsSync(join(directory, "offheap")), place);
        const { pid: inside, allocator } = await askAgent(pid, "hello");
        assert.deepEqual([inside, allocator], [1, "glibc"]);
        assert.equal((await askAgent(pid, "purge")).refused, null);
        const doctor = await runChild(offheapCommand("doctor", `${pid}`));
        assert.match(doctor.stdout, /^agent: runs, and gives memory back after 1 s of rest$/m);
      } finally {
        process.kill(pid, "SIGKILL");
      }
    });
  },
);

test(
  "a process of the same number in another container that shares the directory keeps its socket",
  skipUnless(hasContainers, "unshare makes no namespaces here"),
  async () => {
    const options = { variables: { XDG_RUNTIME_DIR: temporaryDirectory() } };
    const inside = (...words: string[]): string[] => [...CONTAINER, ...launched(words, WAIT)];
    await during(inside(...SYSTEM), async (first) => {
      await during(inside("-a", "jemalloc"), async (second) => {
        const pids = [first, second].map((unshare) =>
          parseInt(readFileSync(`/proc/${unshare}/task/${unshare}/children`, "utf8"), 10)
        );
        try {
          const answers = await Promise.all(pids.map((pid) => askAgent(pid, "hello")));
          const found = answers.map(({ pid, allocator }) => [pid, allocator]);
          assert.deepEqual(found, [[1, "glibc"], [1, "jemalloc"]]);
        } finally {
          for (const pid of pids) process.kill(pid, "SIGKILL");
        }
      }, options);
    }, options);
  },
);

/** Waits for what another process does. */
async function until(holds: () => boolean): Promise<void> {
  for (let round = 0; round < 500 && !holds(); round++) await setTimeout(10);
  assert.ok(holds());
}

test("its failure to start is told, and never fails the program", async () => {
  const decoy = compileShared("no-agent.c", "no-agent.so", ["-pthread"]);
  const variables = {
    LD_PRELOAD: `${builtLibrary("offheap")}:${decoy}`,
    OFFHEAP_AGENT: "*:idle=1000",
  };
  const { status, stdout } = await runChild([program(), "thread", "ask"], { variables });
  assert.deepEqual([status, stdout], [0, "off 1\n"]);
  await during([program(), ...WAIT], async (pid) => {
    const message = /it was asked for, and has not started/;
    await assert.rejects(askAgent(pid, "hello"), { name: "AgentError", message });
    const doctor = await runChild(offheapCommand("doctor", `${pid}`));
    assert.match(doctor.stdout, /^agent: does not answer\. .*has not started/m);
  }, { variables });
  const verify = await runChild(offheapCommand("verify"), { variables });
  assert.match(verify.stdout, /^agent: does not run: its thread could not be made$/m);
});

test("of a child that gets none, nobody waits for its answer", async () => {
  const threads = ["thread", "say", "ready", "sleep", "60000"];
  for (const words of [["fork", ...threads], ["fork", "exec", program(), ...threads]]) {
    await during(launched(SYSTEM, ["thread", ...words]), async (pid) => {
      const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"));
      try {
        const message = /: it has none, or none that this user may see\. .*Node, Deno or Bun/;
        await assert.rejects(askAgent(child, "hello"), { name: "AgentError", message });
        const { stdout } = await runChild(offheapCommand("doctor", `${child}`));
        assert.match(stdout, /^malloc: /m);
        assert.doesNotMatch(stdout, /^agent: |when its agent answers/m);
      } finally {
        process.kill(child, "SIGKILL");
      }
    });
  }
});

test("of a process that is stopped so much is said, and what is seen from outside", async () => {
  await during(launched(["-a", "jemalloc"], WAIT), async (pid) => {
    process.kill(pid, "SIGSTOP");
    await until(() => agentProcess(pid)?.stopped === true);
    const stopped = `the process is stopped, by a signal or a debugger\\. \`kill -CONT ${pid}\``;
    await assert.rejects(askAgent(pid, "hello"), {
      name: "AgentError",
      message: new RegExp(stopped),
    });
    const { stdout, status } = await runChild(offheapCommand("doctor", `${pid}`));
    assert.equal(status, 0);
    assert.match(stdout, /^malloc: jemalloc verified$/m);
    assert.match(stdout, new RegExp(`^agent: does not answer\\. .*${stopped}`, "m"));
    assert.match(stdout, new RegExp(`^not seen: what jemalloc has given out: .*${stopped}`, "m"));
    process.kill(pid, "SIGCONT"); // Deno's child.kill() sends a child one signal only
    await until(() => agentProcess(pid)?.stopped === false);
    assert.equal((await askAgent(pid, "hello")).pid, pid);
  });
});

test("verify says in its process, and doctor of another, whether the agent runs", async () => {
  const verify = offheapCommand("run", "-a", "jemalloc", "--", ...offheapCommand("verify"));
  assert.match((await runChild(verify)).stdout, /^agent: gives memory back at rest$/m);
  const never = offheapCommand("run", "--idle-trim", "0", "--", ...offheapCommand("verify"));
  assert.match((await runChild(never)).stdout, /^agent: gives memory back near a limit only$/m);
  const mimalloc = offheapCommand("run", "-a", "mimalloc", "--", ...offheapCommand("verify"));
  assert.match(
    (await runChild(mimalloc)).stdout,
    /^process's malloc: mimalloc (?:2[^]*^agent: runs, and gives nothing back at rest: mimalloc 2 gives|[^2][^]*^agent: gives memory back at rest$)/m,
  );
  const plain = await runChild(offheapCommand("verify"));
  assert.doesNotMatch(plain.stdout, /^agent:/m);
  await during(launched(["-a", "jemalloc", "--idle-trim", "3s"], WAIT), async (pid) => {
    const { stdout } = await runChild(offheapCommand("doctor", `${pid}`));
    assert.match(stdout, /^agent: runs, and gives memory back after 3 s of rest$/m);
  });
});
