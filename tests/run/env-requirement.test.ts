import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ENVIRONMENT_FORMATS } from "../../lib/cli/environment-formats.ts";
import { isForShell } from "../../lib/cli/shell-refusal.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { IS_MUSL } from "../support/libc.ts";
import { builtLibrary, type ChildResult, offheapCommand, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const ENDED = /^offheap: this program was to run under jemalloc, and was ended before/m;

const hasFlock = spawnSync("flock", ["--version"]).status === 0;

/** A library of its own, so that it can go missing when the variables are set. */
function ownLibrary(): { readonly library: string; readonly lose: () => void } {
  const library = join(temporaryDirectory(), "libjemalloc.so");
  const source = builtLibrary("jemalloc", "preload");
  copyFileSync(source, library);
  copyFileSync(`${source}.json`, `${library}.json`);
  return { library, lose: () => renameSync(library, `${library}.gone`) };
}

/** A script that gets the command `offheap env …` as its arguments. */
function shell(script: string, args: readonly string[], name = "sh"): Promise<ChildResult> {
  return runChild([name, "-c", script, name, ...offheapCommand("env", ...args)]);
}

for (const name of ["sh", "bash"]) {
  test(`${name}: what becomes the program after eval is under the allocator, or ends with 125`, async () => {
    const { library } = ownLibrary();
    const args = ["-a", "jemalloc", "--library", library];
    const good = await shell(
      'eval "$("$@")"; exec grep -c libjemalloc /proc/self/maps',
      args,
      name,
    );
    assert.equal(good.status, 0, good.stderr);
    const script = 'seen=$("$@"); mv "$LIBRARY" "$LIBRARY.gone"; eval "$seen"; exec echo started';
    const command = offheapCommand("env", ...args);
    const lost = await runChild([name, "-euc", script, name, ...command], {
      variables: { LIBRARY: library },
    });
    assert.deepEqual([lost.status, lost.stdout], [125, ""], lost.stderr);
    assert.match(lost.stderr, ENDED);
    assert.match(lost.stderr, /malloc is served by .*libc/);
  });
}

/** What a shell that is about to become a program has done to its own process. */
const TOUCHED = 'trap "" HUP USR2 PIPE; ulimit -S -n 300; umask 027; exec 9>"$LOCK"; flock -n 9; ' +
  "exec 0<&- 7</; ";

/**
 * Shows all that it has done, and the options that are for the program's runtime. Without starting
 * anything where signals are shown: dash unblocks them at its start, and for as long as it starts
 * something, it has all of them blocked.
 */
const SHOWN = 'exec bash -c \'while read -r line; do case $line in Sig[IB]*) echo "$line"; esac; ' +
  'done < /proc/$$/status; ulimit -Sn; ulimit -Hn; umask; cut -d " " -f 4,7,19 /proc/$$/stat; ' +
  "readlink /proc/$$/cwd; printenv NODE_OPTIONS; " +
  'cd /proc/$$/fd; for n in *; do test $n -lt 3 || echo "$n $(readlink $n)"; done; ' +
  'test -e 0 || echo closed; flock -n "$LOCK" true || echo held; exec grep -c libjemalloc /proc/$$/maps\'';

test(
  "sh: nothing of the process is touched, and what is for the program's runtime reaches it alone",
  skipUnless(hasFlock, "needs the program flock"),
  async () => {
    const variables = {
      LOCK: join(temporaryDirectory(), "lock"),
      // With which a launcher in Node would wait for a debugger.
      NODE_OPTIONS: "--inspect-brk=0",
    };
    const become = async (evaluated: string): Promise<string[]> => {
      const words = ["env", "--block-signal=USR1", "bash", "-c", `${TOUCHED}${evaluated}${SHOWN}`];
      const command = [...words, "bash", ...offheapCommand("env")] as [string, ...string[]];
      const { stdout, stderr } = await runChild(command, { variables });
      assert.equal(stderr, "");
      return stdout.trim().split("\n");
    };
    const plain = await become("");
    const under = await become('eval "$(NODE_OPTIONS= "$@")"; ');
    assert.equal(plain.pop(), "0");
    assert.match(String(under.pop()), /^[1-9]/);
    assert.deepEqual(under, plain);
    const wanted = /^(SigBlk|300|0027|closed|held|--insp|7 |9 )/;
    assert.deepEqual(under.filter((line) => wanted.test(line)), [
      `SigBlk:\t${"200".padStart(16, "0")}`,
      "300",
      "0027",
      variables.NODE_OPTIONS,
      "7 /",
      `9 ${variables.LOCK}`,
      "closed",
      "held",
    ]);
  },
);

test("sh: it is for the shell that evaluates it, a subshell too, and not for what that starts", async () => {
  const { library, lose } = ownLibrary();
  const { stdout } = await shell('"$@"', ["-a", "jemalloc", "--library", library]);
  lose();
  const evaluate = async (script: string): Promise<ChildResult> =>
    await runChild(["sh", "-c", script, "sh", stdout]);
  const child = await evaluate('eval "$1"; sh -c "echo child"; exec echo started');
  assert.deepEqual([child.status, child.stdout], [125, "child\n"], child.stderr);
  const inner = await evaluate('(eval "$1"; exec echo started); echo "$?"');
  assert.equal(inner.stdout, "125\n", "in a subshell $$ is the number of the shell around it");
  const chained = await evaluate('eval "$1"; exec nice sh -c "exec echo started"');
  assert.equal(chained.status, 125);
});

test("sh: a chain of programs in one process is checked at each, and its children are others", async () => {
  const { library } = ownLibrary();
  const script = 'eval "$("$@")"; exec sh -c \'mv "$0" "$0.gone"; echo one; sh -c "echo two"; ' +
    'exec echo three\' "$LIBRARY"';
  const command = offheapCommand("env", "-a", "jemalloc", "--library", library);
  const { stdout, stderr, status } = await runChild(["sh", "-c", script, "sh", ...command], {
    variables: { LIBRARY: library },
  });
  assert.deepEqual([status, stdout], [125, "one\ntwo\n"], stderr);
  assert.match(stderr, ENDED);
});

test("sh: without LD_PRELOAD nothing of offheap is in the program, and nothing checks it", async () => {
  const { library } = ownLibrary();
  const script = 'eval "$("$@")"; unset LD_PRELOAD; exec grep -c libjemalloc /proc/self/maps';
  const { stdout } = await shell(script, ["-a", "jemalloc", "--library", library]);
  assert.equal(stdout, "0\n", "as the guide says");
});

test("sh: when offheap env refuses, the script ends with its status and a terminal's shell stays", async () => {
  for (const args of [["--library", "/nonexistent/x.so"], ["--no-such-option"], ["-p", "none"]]) {
    const ended = await shell('eval "$("$@")"; exec echo started', args);
    assert.deepEqual([ended.status, ended.stdout], [125, ""], ended.stderr);
    assert.match(ended.stderr, /^(offheap: Cannot|error: )/);
    const typed = 'case $- in *i*) ;; *) echo "not interactive" ;; esac; eval "$("$@")"; echo $?';
    const stayed = await runChild([
      "bash",
      "--norc",
      "-ic",
      typed,
      "bash",
      ...offheapCommand("env", ...args),
    ]);
    assert.equal(stayed.stdout, "125\n", stayed.stderr);
  }
  const json = await runChild(
    offheapCommand("env", "-f", "json", "--library", "/nonexistent/x.so"),
  );
  assert.deepEqual([json.status, json.stdout], [125, ""]);
});

/** The variables of a format's lines, whose values need no quotes here. */
function readLines(text: string, pattern: RegExp): Record<string, string> {
  const found = [...text.matchAll(pattern)].map(([, name = "", value = ""]) => [name, value]);
  return Object.fromEntries(found);
}

const FILES: Readonly<Record<string, RegExp>> = {
  docker: /^ENV (\w+)="(.*)"$/gm,
  systemd: /^Environment="(\w+)=(.*)"$/gm,
};

for (const [format, pattern] of Object.entries(FILES)) {
  test(`${format}: the first program that has the variables is checked, and no child of its`, async () => {
    const { library } = ownLibrary();
    const command = offheapCommand("env", "-f", format, "-a", "jemalloc", "--library", library);
    const variables = readLines((await runChild(command)).stdout, pattern);
    assert.equal(variables.OFFHEAP_REQUIRE, `*:jemalloc:${library}`);
    const maps = await runChild(["grep", "-c", "libjemalloc", "/proc/self/maps"], { variables });
    assert.equal(maps.status, 0, maps.stderr);
    // What was checked has the variable for itself; the library is gone for its child.
    const script = 'mv "$0" "$0.gone"; sh -c "echo child; printenv OFFHEAP_REQUIRE"; exec echo x';
    const { stdout, stderr, status } = await runChild(["sh", "-c", script, library], { variables });
    const [child, required] = stdout.trim().split("\n");
    assert.equal(child, "child", stderr);
    assert.match(String(required), /^\d+\.\d+:jemalloc:\//);
    assert.equal(status, 125, "what the checked process becomes is checked again");
    assert.match(stderr, ENDED);
    const first = await runChild(["echo", "started"], { variables });
    assert.deepEqual([first.status, first.stdout], [125, ""]);
    assert.match(first.stderr, ENDED);
  });
}

test(
  "docker: process 1 of a container is checked",
  skipUnless(process.getuid?.() === 0, "a process namespace of its own needs root"),
  async () => {
    const { library, lose } = ownLibrary();
    const command = offheapCommand("env", "-f", "docker", "-a", "jemalloc", "--library", library);
    const variables = readLines((await runChild(command)).stdout, FILES.docker ?? /$/);
    const words = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const container = (...program: string[]): Promise<ChildResult> =>
      runChild(["unshare", "--pid", "--fork", "--mount-proc", "env", ...words, ...program]);
    const good = await container("sh", "-c", "echo $$; printenv OFFHEAP_REQUIRE");
    assert.match(good.stdout, /^1\n1\.\d+:jemalloc:/, good.stderr);
    lose();
    const lost = await container("echo", "started");
    assert.deepEqual([lost.status, lost.stdout], [125, ""], lost.stderr);
    assert.match(lost.stderr, ENDED);
  },
);

test("formats that a program reads leave the requirement to it", async () => {
  for (const format of ["json", "dotenv"]) {
    const { stdout } = await runChild(offheapCommand("env", "-f", format));
    assert.doesNotMatch(stdout, /OFFHEAP_REQUIRE/);
  }
  const { stdout } = await runChild(offheapCommand("env", "-a", "system", "--no-agent"));
  assert.equal(stdout.trim(), "");
});

test("which format is asked for is seen in every way of writing it", () => {
  const shell = [[], ["-f", "sh"], ["-fsh"], ["--format", "sh"], ["--format=sh"], ["-p", "x"]];
  for (const options of shell) assert.ok(isForShell(options), options.join(" "));
  for (const options of [["-f", "hs"], ["--format="]]) assert.ok(isForShell(options), "misspelt");
  const formats = Object.keys(ENVIRONMENT_FORMATS).filter((format) => format !== "sh");
  const others = [["-a", "system", "-fjson"], ...formats.map((format) => ["--format", format])];
  for (const options of others) assert.ok(!isForShell(options), options.join(" "));
});

test(
  "with too little memory for the allocator the program ends with 125, and the limit is named",
  skipUnless(process.platform === "linux" && !IS_MUSL, "needs glibc, and ulimit -v"),
  async () => {
    const script = 'ulimit -v "$1"; OFFHEAP_REQUIRE="$$:$2" LD_PRELOAD="$3" exec true';
    for (const allocator of ["jemalloc", "mimalloc"] as const) {
      const preload = `${builtLibrary(allocator, "preload")}:${builtLibrary("offheap")}`;
      const said: string[] = [];
      for (let kilobytes = 4000; kilobytes <= 40_000; kilobytes += 2000) {
        const command = ["sh", "-c", script, "sh", String(kilobytes), allocator, preload] as const;
        const { status, stderr } = await runChild([...command]);
        // 127 is the dynamic linker's, which had no memory for the libraries themselves.
        assert.ok([0, 125, 127].includes(status ?? -1), `${kilobytes}: ${status}: ${stderr}`);
        if (status === 125) said.push(stderr);
      }
      assert.match(said.join(""), /ended before its main: there is no memory for it .* ulimit -v,/);
    }
  },
);
