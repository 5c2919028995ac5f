/**
 * Programs that change who they are or where they live, and browsers: each must end under
 * `offheap run`, and as the child of a program under it, as it does without offheap.
 */
import assert from "node:assert/strict";
import { chmodSync, chownSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { launchEnvironment } from "../../mod.ts";
import type { ChildCommand, ChildOutcome } from "../fixtures/start-children.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { debianProgram, installedProgram } from "../support/debian-programs.ts";
import {
  builtLibrary,
  childEnvironment,
  type ChildResult,
  FIXTURES,
  offheapCommand,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { effort, THOROUGH } from "../support/effort.ts";
import { skipUnless } from "../support/skip.ts";

const IS_ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;
const ALLOCATORS = ["jemalloc", "mimalloc"] as const;
const PROFILES = ["balanced", "throughput", "low-memory"] as const;

type Command = readonly [string, ...string[]];
type Variables = Readonly<Record<string, string>>;

/** A way to run a command as somebody else or somewhere else. */
interface Way {
  readonly name: string;
  /** What comes before the command; the last word takes all of it when `joins` is set. */
  readonly prefix: Command;
  /** Whether the command is one word, which a shell reads. */
  readonly joins: boolean;
  readonly variables: Variables;
}

const ways: Way[] = [];
const skips: string[] = [];

/** Adds a way, if its program is there. */
function addWay(
  name: string,
  program: ReturnType<typeof debianProgram>,
  args: readonly string[],
  joins = false,
): void {
  if (typeof program === "string") skips.push(`${name}: ${program}`);
  else ways.push({ name, prefix: [program.path, ...args], joins, variables: program.variables });
}

/** Adds a way of a program that every Debian has. */
function addSystemWay(name: string, args: readonly string[], joins = false): void {
  const [file = name] = name.split(" ");
  const found = ["usr/bin", "usr/sbin", "bin", "sbin"].map((directory) => `/${directory}/${file}`)
    .find((path) => spawnSync("test", ["-x", path]).status === 0);
  const program = found === undefined ? `there is no ${file}` : { path: found, variables: {} };
  addWay(name, program, args, joins);
}

const BOX = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all"];

addSystemWay("unshare -U --map-root-user", ["-U", "--map-root-user"]);
addSystemWay("unshare -Ur with processes of its own", ["-Urpf", "--mount-proc"]);
addWay("bwrap", debianProgram("usr/bin/bwrap"), BOX);
if (IS_ROOT) {
  addSystemWay("setpriv", [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"]);
  addSystemWay("setpriv without privileges", ["--no-new-privs", "--bounding-set=-all"]);
  addSystemWay("su", ["nobody", "-s", "/bin/sh", "-c"], true);
  addSystemWay("runuser", ["-u", "nobody", "--"]);
  addSystemWay("chroot", [`--userspec=${NOBODY}:${NOBODY}`, "/"]);
  addWay("sudo", installedProgram("sudo", "usr/bin/sudo"), ["-u", "nobody"]);
  addWay("gosu", debianProgram("usr/sbin/gosu"), ["nobody"]);
  const capsh = installedProgram("libcap2-bin", "usr/sbin/capsh");
  addWay("capsh --user", capsh, ["--user=nobody", "--", "-c"], true);
  addWay("capsh --drop", capsh, ["--drop=all", "--", "-c"], true);
} else skips.push("what changes the user: this user is not root");
for (const skip of skips) skipUnless(false, skip);

function by({ prefix, joins }: Way, command: readonly string[]): Command {
  if (!joins) return [...prefix, ...command];
  return [...prefix, command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ")];
}

/** What each way runs: it prints the user, the group and the process's capabilities. */
const SHOW = ["sh", "-c", "id -u; id -g; grep Cap /proc/self/status; exit 7"] as const;

const chromium = debianProgram("usr/lib/chromium/chromium");
const PAGE = "data:text/html,<p id=a></p><script>a.textContent=6*7</script>";

/** A browser that prints what a page has become; `uid` also owns its files. */
function browser(flags: readonly string[], uid?: number): ChildCommand {
  if (typeof chromium === "string") throw new Error(chromium);
  const home = temporaryDirectory();
  if (uid !== undefined) chownSync(home, uid, uid);
  chmodSync(home, 0o700);
  return {
    command: [
      chromium.path,
      "--headless",
      "--disable-gpu",
      "--disable-background-networking",
      "--no-first-run",
      `--user-data-dir=${home}`,
      ...flags,
      "--dump-dom",
      PAGE,
    ],
    uid,
    variables: { ...chromium.variables, HOME: home },
  };
}

/** Whether others may read the checkout: else nothing is preloaded into what they run. */
const othersMayRead = !IS_ROOT || spawnSync(
      process.execPath,
      ["-e", `require("fs").accessSync(${JSON.stringify(builtLibrary("offheap"))})`],
      { uid: NOBODY, gid: NOBODY, env: childEnvironment() },
    ).status === 0;
const ONE_BROWSER =
  "on a push one browser is enough, by the variables of env; each night all are tried";
const CLOSED = "the checkout is where other users may not read it";

const SANDBOX_USER = IS_ROOT ? NOBODY : undefined;
const hasChromium = typeof chromium !== "string";

/** As root Chromium refuses its sandbox; as another user it has one, where the kernel lets it. */
const sandboxed = hasChromium && othersMayRead ? [browser([], SANDBOX_USER)] : [];
const open = hasChromium ? [browser(["--no-sandbox"])] : [];

const START = runtimeCommand(join(FIXTURES, "start-children.ts"));

/** How commands end that a runtime starts, which is itself started by what comes before it. */
async function started(
  before: readonly string[],
  commands: readonly ChildCommand[],
): Promise<ChildOutcome[]> {
  const [file = "", ...args] = [...before, ...START, JSON.stringify(commands)];
  const { stdout, stderr } = await runChild([file, ...args]);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

/** What is compared: what Chromium writes has times and numbers of processes. */
function ended(command: readonly string[], outcome: ChildOutcome): unknown {
  const { status, signal, stdout, stderr } = outcome;
  return { status, signal, stdout, stderr: command.includes("--headless") ? "" : stderr };
}

const wayCommands: readonly ChildCommand[] = ways.map((way) => ({
  command: by(way, SHOW),
  variables: way.variables,
}));

/** Says by its status whether the shim was preloaded into it. */
const PROOF: readonly ChildCommand[] = [
  { command: ["grep", "-q", "liboffheap", "/proc/self/maps"] },
  ...(IS_ROOT && othersMayRead
    ? [{ command: ["grep", "-q", "liboffheap", "/proc/self/maps"] as const, uid: NOBODY }]
    : []),
];

let plain: Promise<ChildOutcome[]> | undefined;
/** A browser takes as long as all ways together: on a push one is enough, which comes below. */
const everything = [...wayCommands, ...(THOROUGH ? [...open, ...sandboxed] : [])];
/** How everything ends without offheap. */
function baseline(): Promise<ChildOutcome[]> {
  return plain ??= started([], everything);
}

test("without offheap all of it works here, or there is nothing to compare with", async () => {
  for (const [index, outcome] of (await baseline()).entries()) {
    const words = everything[index]?.command.join(" ");
    const works = outcome.status === (index < ways.length ? 7 : 0);
    if (!works) console.log(`# fails without offheap, too: ${words}: ${outcome.stderr}`);
    if (works && index >= ways.length) assert.match(outcome.stdout, /<p id="a">42<\/p>/);
  }
});

for (const allocator of ALLOCATORS) {
  for (const profile of PROFILES.slice(0, effort(1, PROFILES.length))) {
    test(`children of a program under ${allocator}, ${profile}, end as without offheap`, async () => {
      const before = offheapCommand("run", "-a", allocator, "-p", profile, "--");
      const expected = await baseline();
      const found = await started(before, [...everything, ...PROOF]);
      assert.equal(found.length, everything.length + PROOF.length);
      for (const [index, { command }] of everything.entries()) {
        const [result, outcome] = [found[index], expected[index]];
        assert.ok(result !== undefined && outcome !== undefined);
        assert.deepEqual(ended(command, result), ended(command, outcome), command.join(" "));
      }
      for (const { status } of found.slice(everything.length)) {
        assert.equal(status, 0, "nothing was preloaded");
      }
    });
  }
}

for (const [index, way] of ways.entries()) {
  test(`${way.name} under run, and run under it, end as without offheap`, async () => {
    const expected = (await baseline())[index];
    assert.ok(expected);
    const { variables } = way;
    const endsAsExpected = async (words: Command, what: string): Promise<void> =>
      assert.deepEqual(ended(words, await runChild(words, { variables })), expected, what);
    // Allocators and profiles have their turns; children above are tried with all of them.
    const run = (turn: number): Command => {
      const allocator = ALLOCATORS[turn % ALLOCATORS.length] ?? "jemalloc";
      const profile = PROFILES[turn % PROFILES.length] ?? "balanced";
      return offheapCommand("run", "-a", allocator, "-p", profile, "--");
    };
    for (const turn of [index, index + 1].slice(0, effort(1, 2))) {
      await endsAsExpected([...run(turn), ...by(way, SHOW)], "under offheap run");
    }
    if (!othersMayRead) return;
    await endsAsExpected(by(way, [...run(index), ...SHOW]), "before offheap run");
  });
}

const IN_SHELL = ["sh", "-c", '"$@"; exit $?', "sh"] as const;

test(
  "a browser with the variables of env shows its page, and one that run is to become is refused",
  skipUnless(hasChromium, typeof chromium === "string" ? chromium : ""),
  async () => {
    const { command, variables = {} } = browser(["--no-sandbox"]);
    for (const allocator of ALLOCATORS.slice(effort(1, 0))) {
      const options = { variables: { ...launchEnvironment({ allocator }), ...variables } };
      const shown = await runChild(command, options);
      assert.match(shown.stdout, /<p id="a">42<\/p>/, shown.stderr);
      assert.equal(shown.status, 0);
      const run = offheapCommand("run", "-a", allocator, "--");
      const { status, stderr }: ChildResult = await runChild([...run, ...command], { variables });
      assert.equal(status, 125);
      assert.match(stderr, /malloc is served by .*\/chromium;/);
    }
  },
);

test(
  "a sandboxed browser shows its page in a container, where the launched program is process 1 too",
  skipUnless(
    THOROUGH && IS_ROOT && hasChromium && othersMayRead,
    !THOROUGH
      ? ONE_BROWSER
      : typeof chromium === "string"
      ? chromium
      : IS_ROOT
      ? CLOSED
      : "needs root",
  ),
  async () => {
    const container = ["unshare", "--pid", "--fork", "--mount-proc"];
    for (const allocator of ALLOCATORS) {
      const before = [...container, ...offheapCommand("run", "-a", allocator, "--")];
      const [outcome] = await started(before, [browser([], NOBODY)]);
      assert.match(outcome?.stdout ?? "", /<p id="a">42<\/p>/, `${outcome?.stderr}`);
    }
  },
);

const ANOTHER_USER = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];

test(
  "su and sudo are refused to a user whom they would make another, with the way out, and work as children",
  skipUnless(IS_ROOT && othersMayRead, IS_ROOT ? CLOSED : "needs root"),
  async () => {
    const asks = [["su", "nobody", "-c", "true"], ["sudo", "-n", "true"]] as const;
    for (const ask of asks) {
      if (!ways.some(({ name }) => name === ask[0])) continue;
      const [file = "", ...args] = [...ANOTHER_USER, ...offheapCommand("run", "--")];
      const direct = await runChild([file, ...args, ...ask]);
      assert.equal(direct.status, 125, direct.stderr);
      const way = new RegExp(`put offheap after it: "${ask[0]} … offheap run -- COMMAND"`);
      assert.match(direct.stderr, way);
      const child = await runChild([file, ...args, ...IN_SHELL, ...ask]);
      const [first = "", ...words] = [...ANOTHER_USER, ...ask];
      assert.deepEqual(child, await runChild([first, ...words]));
    }
  },
);
