// File systems as containers and hardened machines have them: mounted with noexec, or without /proc.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { examineProcess } from "../../lib/watch/doctor/doctor.ts";
import { mountOf, parseMounts } from "../../lib/system/linux-mounts.ts";
import { withChild } from "../support/child.ts";
import { temporaryDirectory } from "../support/compile.ts";
import {
  builtLibrary,
  type ChildResult,
  FIXTURES,
  offheapCommand,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const canMount = spawnSync("unshare", ["-rm", "true"]).status === 0;
const namespaces = () => skipUnless(canMount, "needs the right to make a mount namespace");

/** A shell's script in a mount namespace of its own, with these words. */
function mounting(script: string, words: readonly string[]): [string, ...string[]] {
  return ["unshare", "-rm", "sh", "-c", script, "sh", ...words];
}

/** Copies the allocator and its manifest to a file system that is mounted with noexec. */
const NOEXEC = 'mount -t tmpfs -o noexec none "$1" && cp "$2" "$2.json" "$1" && ';

test("a mount is found by a path, and the last one of several at one place", () => {
  const line = (point: string, options: string, device = "0:1"): string =>
    `1 1 ${device} / ${point} ${options} shared:1 - tmpfs none rw`;
  const mounts = parseMounts(
    [
      line("/", "rw"),
      line("/a", "rw"),
      line("/a", "rw,noexec"),
      line("/a\\040b", "ro"),
      line("/other", "nodev", "259:1048577"),
      "",
    ].join("\n"),
  );
  const options = (path: string, device = 1n) => mountOf(mounts, path, device)?.options.join(",");
  assert.deepEqual(["/", "/x", "/a", "/a/x", "/ab", "/a b/x"].map((path) => options(path)), [
    "rw",
    "rw",
    "rw,noexec",
    "rw,noexec",
    "rw",
    "ro",
  ]);
  assert.equal(mountOf([], "/", 1n), null);
  const large = 0x1_0001_0301n; // as stat() gives 259:1048577
  assert.equal(options("/a/link", large), "nodev", "a link leads elsewhere than its path says");
  assert.equal(options("/a/x", 77n), "rw,noexec", "no mount has the device");
});

test(
  "run refuses to preload from a file system with noexec, and doctor names it",
  namespaces(),
  async () => {
    const directory = join(temporaryDirectory(), "mount point");
    mkdirSync(directory);
    const source = builtLibrary("mimalloc", "preload");
    const library = join(directory, "libmimalloc.so");
    const run = offheapCommand("run", "--library", library, "-a", "mimalloc", "--", "echo", "ran");
    const words = [directory, source];
    const refused = await runChild(mounting(`${NOEXEC} shift 2 && exec "$@"`, [...words, ...run]));
    assert.deepEqual([refused.status, refused.stdout], [125, ""], refused.stderr);
    assert.equal(
      refused.stderr,
      `offheap: Cannot preload "${library}": nothing can be loaded from there, as "${directory}" ` +
        "is mounted with noexec. Put offheap on another file system, or have that one mounted with " +
        "exec.\n",
    );

    const short = join(temporaryDirectory(), "mounted");
    mkdirSync(short);
    const [command, ...args] = mounting(
      `${NOEXEC} LD_PRELOAD="$1/libmimalloc.so" exec cat`,
      [short, source],
    );
    await withChild(command, args, {}, ({ pid }) => {
      const { advice, evidence } = examineProcess(pid);
      const reason = `nothing can be loaded from there, as "${short}" is mounted with noexec`;
      assert.ok(advice.join("\n").includes(reason), advice.join("\n"));
      assert.ok(evidence.some(({ detail }) => detail.endsWith(`did not take: ${reason}`)));
    });
  },
);

/** Runs a command where there is no `/proc`. */
function withoutProc(command: readonly string[]): Promise<ChildResult> {
  return runChild(mounting('mount -t tmpfs none /proc && exec "$@"', command));
}

const starts = canMount && spawnSync("unshare", [
      ...mounting('mount -t tmpfs none /proc && exec "$@"', [
        ...runtimeCommand(join(FIXTURES, "print-version.ts")),
      ]).slice(1),
    ]).status === 0;

test(
  "without /proc everything that needs it is refused in a sentence, and the rest works",
  skipUnless(starts, "this runtime does not start without /proc, or nothing can be mounted"),
  async () => {
    const ran = await withoutProc(offheapCommand("run", "--", "echo", "ran"));
    assert.deepEqual([ran.status, ran.stdout], [125, ""]);
    assert.match(
      ran.stderr,
      /^offheap: Cannot determine what this process was started with: .*Mount \/proc/,
    );
    const verified = await withoutProc(offheapCommand("verify"));
    assert.equal(verified.stderr, "");
    assert.match(verified.stdout, /^process's malloc: \w+ [\d.]+ verified$/m);
    assert.match(verified.stdout, /^process +mapping +unavailable +.*there is no \/proc here/m);
    const serve = ["serve", "--listen", "127.0.0.1:0"];
    for (const args of [["info"], ["doctor", "1"], ["ps"], ["heap", "--pid", "1"], serve]) {
      const { status, stderr } = await withoutProc(offheapCommand(...args));
      assert.doesNotMatch(stderr, /^\s+at /m);
      if (status !== 0) assert.match(stderr, /^offheap: Cannot .*there is no \/proc here\. /);
    }
  },
);

/** What gives up root for a user that nobody has. */
const STRANGER = ["setpriv", "--reuid=65531", "--regid=65531", "--clear-groups"] as const;

const canHide = canMount && process.getuid?.() === 0 &&
  spawnSync(STRANGER[0], [...STRANGER.slice(1), ...offheapCommand("--version")]).status === 0;

test(
  "a process that /proc hides is not said to have ended",
  skipUnless(canHide, "needs root, and another user who may read offheap"),
  async () => {
    const script = `mount -t proc -o hidepid=2 proc /proc && exec ${STRANGER.join(" ")} "$@"`;
    for (const args of [["doctor"], ["heap", "--pid"]]) {
      const look = (pid: number) => {
        const command = offheapCommand(...args, `${pid}`);
        return runChild(["unshare", "-m", "sh", "-c", script, "sh", ...command]);
      };
      const { status, stderr } = await look(process.pid);
      assert.equal(status, 1);
      assert.match(stderr, /^offheap: Cannot .*: \/proc hides it from this user \(hidepid\)\. /);
      assert.match((await look(4_194_300)).stderr, /^offheap: Cannot .*: there is no such process/);
    }
  },
);
