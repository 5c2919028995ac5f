import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { onceInBun } from "../support/effort.ts";
import { makeRelease } from "../support/release.ts";
import {
  FIXTURES,
  offheapCommand,
  programOf,
  ROOT,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const RUNTIME = runtimeInfo().name;
const inDeno = () => skipUnless(RUNTIME === "deno", "only Deno has these permissions");
const ONCE = onceInBun("no runtime does anything that offheap does not ask for");
const SCRIPT = join(FIXTURES, "no-network.ts");

/** Modules and names by which a program reaches a network or starts a process. */
const WAYS_OUT =
  /"node:(child_process|cluster|dgram|dns|http|http2|https|inspector|net|tls)(\/\w+)?"|\b(fetch|WebSocket|EventSource)\(|"(zx|undici)"|\bDeno\.(Command|connect)|\bBun\.(spawn|connect|\$)/;

const IMPORT = /(?:^import |^export |^\} )[^;"]*"([^"]+)";$|\bfrom "([^"]+)"/gm;

/** Every module that a module leads to by static imports; `follow` picks dynamic ones as well. */
function modulesFrom(entry: string, dynamic: RegExp | null = null): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (path: string): void => {
    if (found.has(path)) return;
    const text = readFileSync(join(ROOT, path), "utf8");
    found.set(path, text);
    const named = [...text.matchAll(IMPORT)].map(([, bare, from]) => bare ?? from ?? "");
    const later = [...text.matchAll(/\bimport\("([^"]+)"\)/g)].map(([, name]) => name ?? "")
      .filter((name) => dynamic?.test(name) === true);
    for (const name of [...named, ...later]) {
      if (/^\.\.?\/.*\.ts$/.test(name)) visit(normalize(join(dirname(path), name)));
    }
  };
  visit(entry);
  return found;
}

const COMMENT = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;

function waysOut(modules: ReadonlyMap<string, string>): string[] {
  return [...modules].filter(([, text]) => WAYS_OUT.test(text.replace(COMMENT, "")))
    .map(([path]) => path);
}

/** What does so within this machine, when it is asked to, and what for. */
const LOCAL = {
  /** Asks an agent by its socket. */
  library: ["lib/watch/agent/client.ts"],
  /** `doctor --attach`: the inspector that a program opens on loopback. */
  attach: ["lib/watch/doctor/attach/attach.ts", "lib/watch/doctor/attach/inspector.ts"],
  /** The program's own inspector, for V8's sampling of objects: nothing is opened. */
  heap: ["lib/watch/heap/objects.ts"],
  /** `serve`: answers where it was asked to listen; its page asks it. */
  serve: ["access", "connections", "listen", "page/script", "server"].map((name) =>
    `lib/watch/serve/${name}.ts`
  ),
  /** `compare`: starts the user's command and load, and asks the URL that the user named. */
  compare: ["load", "program", "ready"].map((name) => `lib/watch/compare/${name}.ts`),
};

test(
  "no module that mod.ts or the command line reaches knows a way to the network, but those named",
  ONCE,
  () => {
    const library = modulesFrom("mod.ts");
    assert.ok(library.size > 80 && library.has("lib/library/resolve.ts"), String(library.size));
    const { library: agents, attach, compare, heap, serve } = LOCAL;
    assert.deepEqual(waysOut(library).sort(), [...agents, ...attach, ...heap].sort());
    const reports = modulesFrom("lib/cli.ts", /./);
    assert.ok(reports.has("lib/cli/report-integrity.ts") && reports.has("lib/run/run.ts"));
    assert.deepEqual(
      waysOut(reports).sort(),
      [...agents, ...attach, ...compare, ...serve].sort(),
    );
    for (const path of [...library.keys(), ...reports.keys()]) {
      assert.ok(!/^(scripts|packages|tools)\//.test(path), path);
    }
    // That the search sees something: the build is what downloads, and starts compilers.
    const build = waysOut(modulesFrom("packages/build/main.ts", /./));
    assert.ok(build.includes("packages/build/store/download.ts"), String(build));
  },
);

test(
  "importing, opening, verifying and reporting reach no network and start no process",
  ONCE,
  async () => {
    const watched = await runChild(runtimeCommand(SCRIPT, "watch"));
    assert.deepEqual(JSON.parse(watched.stdout), [
      "child_process.spawn",
      "globalThis.fetch",
      "net.connect",
    ]);
    for (const variables of [{}, { XDG_CACHE_HOME: temporaryDirectory() }]) {
      const { stdout, stderr } = await runChild(runtimeCommand(SCRIPT), { variables });
      assert.equal(stdout, "[]\n", stderr);
    }
  },
);

test("where no library is, there is an error and no download", ONCE, async () => {
  const release = makeRelease({});
  await release.use(({ openAllocator, verifyAllocator }) => {
    assert.throws(() => openAllocator(), {
      name: "LibraryLoadError",
      message: /^Cannot find jemalloc\. Build it with "npx @offheap\/build@/,
    });
    assert.equal(verifyAllocator().library, null);
  });
  for (const args of [["run", "--", "echo", "started"], ["env", "-f", "json"]]) {
    const { stdout, stderr } = await release.offheap(...args);
    assert.equal(stdout, "");
    assert.match(
      stderr,
      /^offheap: Cannot find jemalloc( \(preload\))?\. Build it with "npx @offheap\/build@/,
    );
  }
});

test(
  "Deno may forbid network, processes and writing, and verifying works",
  inDeno(),
  async () => {
    const flags = ["--no-prompt", "--no-check", "--quiet"];
    const allowed = ["--allow-ffi", "--allow-read", "--allow-env", "--allow-sys"];
    const denied = ["--deny-net", "--deny-run", "--deny-write"];
    const cli = programOf(join(ROOT, "lib", "cli.ts"));
    for (const args of [["verify"], ["verify", "--integrity"], ["env"]]) {
      const command = [process.execPath, "run", ...flags, ...allowed, ...denied, cli, ...args];
      const { status, stderr } = await runChild([command[0] ?? "", ...command.slice(1)]);
      assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
    }
  },
);

/** Runs a command and gives which sockets of a network it connected, and which programs it ran. */
const CALLS = "trace=connect,sendto,execve,execveat";
// With -y a descriptor has its file's path beside it: a program is executed by one.
const STRACE = ["strace", "-f", "-qq", "-y", "-e", CALLS, "-o"] as const;
const MAY_TRACE = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;

test(
  "the system saw no connection, and no program but the runtime and the command that was asked for",
  MAY_TRACE ? ONCE : skipUnless(false, "needs the program strace, and the right to trace"),
  async () => {
    for (
      const args of [["verify", "--json"], ["info", "--json"], ["run", "--", "/bin/echo", "ok"]]
    ) {
      const log = join(temporaryDirectory(), "log");
      const { status, stderr } = await runChild([...STRACE, log, ...offheapCommand(...args)]);
      assert.equal(status, 0, stderr);
      const lines = readFileSync(log, "utf8").split("\n");
      assert.deepEqual(lines.filter((line) => /AF_INET/.test(line)), []);
      const programs = lines.flatMap((line) =>
        /exec(?:ve\("|veat\(\d+<)([^">]+)/.exec(line)?.[1] ?? []
      );
      const expected = args[0] === "run"
        ? [process.execPath, realpathSync("/bin/echo")]
        : [process.execPath];
      assert.deepEqual(programs, expected);
    }
  },
);
