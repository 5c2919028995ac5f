import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import { layOut } from "../../lib/cli/columns.ts";
import { printable } from "../../lib/cli/output.ts";
import { system } from "../../lib/system/mod.ts";
import { formatAge } from "../../lib/units.ts";
import type { AgentStats } from "../../lib/watch/agent/types.ts";
import { withAgent } from "../../lib/watch/processes/agents.ts";
import { learnFiles } from "../../lib/watch/processes/files.ts";
import { listProcesses } from "../../lib/watch/processes/list.ts";
import { arrangeTree } from "../../lib/watch/processes/tree.ts";
import type { ListedProcess, ProcessList, ServingFacts } from "../../lib/watch/processes/types.ts";
import { during, withChild } from "../support/child.ts";
import { compileProgram, temporaryDirectory } from "../support/compile.ts";
import { builtLibrary, offheapCommand, runChild, sourceCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const IS_LINUX = process.platform === "linux";
const linux = () => skipUnless(IS_LINUX, "processes are listed by /proc as Linux has it");

function find(list: ProcessList, pid: number): ListedProcess {
  const found = list.processes.find((each) => each.pid === pid);
  assert.ok(found !== undefined, `process ${pid} is not among ${list.processes.length}`);
  return found;
}

test(
  "the list has this process, with its runtime, allocator, memory and age",
  linux(),
  async () => {
    const before = process.uptime();
    const own = find(await listProcesses(), process.pid);
    assert.ok(own.ageSeconds > before - 5 && own.ageSeconds < process.uptime() + 5);
    assert.equal(own.runtime, runtimeInfo().name);
    assert.equal(own.allocator, system().libc().name);
    assert.equal(own.parent, process.ppid);
    assert.equal(own.user, process.getuid?.());
    const { rss } = process.memoryUsage();
    assert.ok(own.resident > rss / 2 && own.resident < rss * 2, `${own.resident} and ${rss}`);
    assert.ok(own.command.length > 0);
  },
);

test("what nobody counted is null with its reason, never 0", linux(), async () => {
  for (const { allocated, heldBack, swap, absent } of (await listProcesses()).processes) {
    assert.equal(allocated === null, absent.allocated !== undefined);
    assert.equal(heldBack === null, absent.heldBack !== undefined);
    assert.equal(swap === null, absent.swap !== undefined);
  }
});

test("a preloaded allocator is found by the mapped files", linux(), async () => {
  for (const name of ["jemalloc", "mimalloc"]) {
    const library = builtLibrary(name, "preload");
    await withChild("cat", [], { env: { LD_PRELOAD: library } }, async ({ pid }) => {
      const { allocator, verified, runtime } = find(await listProcesses(), pid);
      const found = { allocator, verified, runtime };
      assert.deepEqual(found, { allocator: name, verified: false, runtime: null });
    });
  }
});

test("it is found where the program has written over its environment", linux(), async () => {
  const program = compileProgram("threads.c", "listed-title", ["-pthread", "-ldl"]);
  const variables = { LD_PRELOAD: builtLibrary("jemalloc", "preload") };
  await during([program, "title", "say", "ready", "sleep", "60000"], async (pid) => {
    assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, "utf8"), /LD_PRELOAD/);
    assert.equal(find(await listProcesses(), pid).allocator, "jemalloc");
  }, { variables });
});

test(
  "an allocator that a program is linked to is found, one opened later is not taken",
  linux(),
  async () => {
    const library = builtLibrary("jemalloc", "preload");
    const linked = compileProgram("doctor-program.c", "linked-to-jemalloc", [
      "-Wl,--no-as-needed",
      library,
      `-Wl,-rpath,${dirname(library)}`,
    ]);
    await withChild(linked, [], {}, async ({ pid }) => {
      assert.equal(find(await listProcesses(), pid).allocator, "jemalloc");
    });
    const plain = compileProgram("doctor-program.c", "opens-jemalloc");
    await withChild(plain, [builtLibrary("jemalloc")], {}, async ({ pid }) => {
      assert.equal(find(await listProcesses(), pid).allocator, system().libc().name);
    });
  },
);

test("a process's agent proves its allocator, and says what it holds back", linux(), async () => {
  const script = join(temporaryDirectory(), "keeps.mjs");
  writeFileSync(
    script,
    "globalThis.kept = Array.from({ length: 32 }, () => new Uint8Array(1 << 20).fill(1));\n" +
      'process.stdin.on("data", (data) => process.stdout.write(data));\n',
  );
  const launched = ["--allocator", "jemalloc", "--memory-limit", "900MiB", "--"];
  const [command, ...args] = offheapCommand("run", ...launched, ...sourceCommand(script));
  await withChild(command, args, {}, async ({ pid }) => {
    const { allocator, verified, allocated, heldBack, limit, absent } = find(
      await listProcesses(),
      pid,
    );
    assert.deepEqual({ allocator, verified, absent }, {
      allocator: "jemalloc",
      verified: true,
      absent: {},
    });
    assert.ok((allocated ?? 0) > 0 && (heldBack ?? -1) >= 0, `${allocated}, ${heldBack}`);
    assert.equal(limit, 900 << 20);
  });
});

test("unused memory is what an agent counts as such, else the difference, else a reason", () => {
  const stats = (counted: AgentStats["counted"], absent: AgentStats["absent"] = {}) =>
    ({ allocator: "glibc", limit: null, counted, absent }) as AgentStats;
  const listed = { limit: null, absent: {} } as ListedProcess;
  const heldBack = (answer: AgentStats): unknown => {
    const { heldBack: bytes, absent } = withAgent(listed, answer);
    return bytes ?? absent.heldBack;
  };
  assert.equal(heldBack(stats({ allocated: 10, mapped: 100, dirty: 7 })), 7);
  assert.equal(heldBack(stats({ allocated: 10, mapped: 100 })), 90);
  assert.equal(heldBack(stats({ allocated: 10 }, { dirty: "a reason" })), "a reason");
});

/** Has this process look for sockets in a directory of its own meanwhile. */
function withSockets(work: (directory: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const before = process.env.XDG_RUNTIME_DIR;
    const directory = join(temporaryDirectory(), "offheap");
    mkdirSync(directory, { mode: 0o700 });
    process.env.XDG_RUNTIME_DIR = dirname(directory);
    try {
      await work(directory);
    } finally {
      if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
      else process.env.XDG_RUNTIME_DIR = before;
    }
  };
}

test(
  "what an agent that was killed has left goes with the next list, and nothing else",
  linux(),
  withSockets(async (directory) => {
    const paths = ["1.sock", "1.1.heap", "2.sock", "3.sock", "4.1.heap", "heap"]
      .map((name) => join(directory, name));
    const [stale = "", dump = "", young = "", listening = "", fetched = "", other = ""] = paths;
    const serve = 'const n = require("net"); for (const p of process.argv.slice(1)) ' +
      "n.createServer().listen(p); process.stdin.pipe(process.stdout);";
    const server = createServer();
    try {
      await withChild("node", ["-e", serve, stale, young], {}, () => {
        assert.ok(existsSync(stale) && existsSync(young));
      });
      await new Promise<void>((resolve) => server.listen(listening, resolve));
      for (const path of [dump, fetched, other]) writeFileSync(path, "");
      const old = new Date(Date.now() - 60_000);
      for (const path of [stale, dump, listening, other]) utimesSync(path, old, old);
      await listProcesses();
      assert.deepEqual(paths.map((path) => existsSync(path)), [
        false,
        false,
        true,
        true,
        true,
        true,
      ]);
    } finally {
      server.close();
    }
  }),
);

test(
  "an agent whose process was stopped, and is asked again and again, fails no list",
  linux(),
  withSockets(async (directory) => {
    const path = join(directory, "1.sock");
    // By another name it is connected to, as one of another network is; Bun then sees no difference.
    const link = join(temporaryDirectory(), "link");
    symlinkSync(dirname(directory), link);
    const names = runtimeInfo().name === "bun" ? [dirname(directory)] : [dirname(directory), link];
    const serve = 'require("net").createServer().listen({ path: process.argv[1], backlog: 2 }); ' +
      "process.stdin.pipe(process.stdout);";
    await withChild("node", ["-e", serve, path], {}, async ({ pid }) => {
      const old = new Date(Date.now() - 60_000);
      utimesSync(path, old, old);
      process.kill(pid, "SIGSTOP");
      try {
        for (const name of names) {
          process.env.XDG_RUNTIME_DIR = name;
          // Connections that nobody takes stay until there is room for no more.
          for (let time = 0; time < 5; time++) find(await listProcesses(), pid);
        }
      } finally {
        process.kill(pid, "SIGCONT");
      }
      assert.ok(existsSync(path), "somebody listens there");
    });
  }),
);

test("a static program is named as one", linux(), async () => {
  const program = compileProgram("doctor-program.c", "listed-static", ["-static"]);
  await withChild(program, [], {}, async ({ pid }) => {
    assert.equal(find(await listProcesses(), pid).allocator, "static");
  });
});

test("what is known of a process is kept once it has settled, as long as it is asked for", () => {
  const knowledge = learnFiles();
  let looks = 0;
  const looksAfter = (isSettled: boolean): number => {
    knowledge.serving("a process", isSettled, () => {
      looks++;
      return {} as ServingFacts;
    });
    knowledge.forgetEnded();
    return looks;
  };
  assert.deepEqual([false, false, true, true].map(looksAfter), [1, 2, 3, 3]);
  knowledge.forgetEnded();
  assert.equal(looksAfter(true), 4);
});

test("the largest process comes first", linux(), async () => {
  const sizes = (await listProcesses()).processes.map(({ resident }) => resident);
  assert.deepEqual(sizes, sizes.toSorted((a, b) => b - a));
});

test("a tree has each process below its parent, and roots where the parent is not listed", () => {
  const listed = [[5, 1], [6, 5], [7, 6], [8, 5], [9, 4]].map(([pid, parent]) =>
    ({ pid, parent }) as ListedProcess
  );
  const rows = arrangeTree(listed).map(({ entry, branch }) => `${branch}${entry.pid}`);
  assert.deepEqual(rows, ["5", "├─ 6", "│  └─ 7", "└─ 8", "9"]);
});

const COLUMNS = [
  { head: "id", right: true, droppable: 0, cell: (row: string) => String(row.length) },
  { head: "optional", droppable: 1, cell: () => "value" },
  { head: "less needed", droppable: 2, cell: () => "another" },
  { head: "text", droppable: 0, cell: (row: string) => row },
];

test("columns are dropped, least needed first, and the last is cut where a terminal is narrow", () => {
  const rows = ["a command that is longer than most terminals are wide", "short"];
  assert.match(layOut(COLUMNS, rows, null)[1] ?? "", /^53 +value +another +a command .* wide$/);
  for (
    const [width, head] of [
      [60, /^id +optional +less needed +text$/],
      [40, /^id +optional +text$/],
      [24, /^id +text$/],
    ] as const
  ) {
    const lines = layOut(COLUMNS, rows, width);
    assert.match(lines[0]?.trim() ?? "", head);
    assert.equal(lines.length, 3);
    for (const line of lines) assert.ok(line.length <= width, `${line.length}: ${line}`);
  }
});

test("another program's text cannot move the cursor or turn the writing around", () => {
  assert.equal(printable("a\u001b[2Jb\nc\u202ed é 漢"), "a\\u{1b}[2Jb\\u{a}c\\u{202e}d é 漢");
});

test("an age is shown in its two largest units", () => {
  const ages = [0, 59.9, 60, 3_725, 90_000].map(formatAge);
  assert.deepEqual(ages, ["0s", "59s", "1m 0s", "1h 2m", "1d 1h"]);
});

test("ps prints a line for each process, as a tree too, and JSON", linux(), async () => {
  await withChild("cat", ["-u", "-"], {}, async ({ pid }) => {
    for (const more of [[], ["--tree"]]) {
      const { status, stdout, stderr } = await runChild(offheapCommand("ps", ...more));
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^ *pid +runtime +allocator +proven +rss +allocated +held back +swap /);
      assert.match(stdout, new RegExp(`^ *${pid} +– .* (└─ |├─ |)(\\S*/)?cat -u -$`, "m"));
    }
    const { stdout } = await runChild(offheapCommand("ps", "--json"));
    const listed = find(JSON.parse(stdout) as ProcessList, pid);
    // Deno starts it by its path.
    assert.match(listed.command.join(" "), /^(\S*\/)?cat -u -$/);
    assert.equal(listed.parent, process.pid);
  });
});
