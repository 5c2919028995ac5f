import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import type { Verification } from "../../lib/verify/types.ts";
import { callApi } from "../support/api.ts";
import { compileProgram, temporaryDirectory } from "../support/compile.ts";
import { effort, IS_QUICKEST, onceAPush, onceInBun, THOROUGH } from "../support/effort.ts";
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

const RUNTIME = runtimeInfo().name;
const directory = temporaryDirectory();
const RUN = offheapCommand("run", "--");

const has = (program: string) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
const needs = (program: string) => skipUnless(has(program), `needs the program ${program}`);
/** For what is the kernel's, or is the same text in each runtime; what a runtime changes is tried in each. */
const once = (options?: ReturnType<typeof needs>) => onceInBun("it goes the same way", options);

/** A script of bash's, whose arguments are a command; it is run as it is and under offheap. */
async function compare(
  script: string,
  command: readonly string[],
  options: ChildOptions = {},
  seen = (text: string): string => text,
): Promise<string> {
  const direct = await runChild(["bash", "-c", script, "bash", ...command], options);
  const under = await runChild(["bash", "-c", script, "bash", ...RUN, ...command], options);
  assert.equal(seen(under.stdout), seen(direct.stdout), under.stderr);
  assert.equal(under.status, direct.status);
  return seen(direct.stdout);
}

/** Of what ls shows of its descriptors, those after the standard streams and before its own. */
function behindStreams(listing: string): string {
  return listing.split("\n").flatMap((line) => /\d+ -> .*$/.exec(line) ?? [])
    .filter((line) => !/^[012] |-> \/proc\//.test(line)).join("\n");
}

function bash(script: string, ...args: string[]): Promise<ChildResult> {
  return runChild(["bash", "-c", script, "bash", ...args]);
}

const HELD = join(directory, "held");
writeFileSync(HELD, "12345");

test(
  "descriptors that came in go on, wherever they are, and no others",
  needs("bash"),
  async () => {
    const list = ["ls", "-l", "/proc/self/fd"];
    // The runtimes' own take the lowest free numbers, and /dev/null is one that they open, too.
    const redirections: readonly string[] = [
      `5<${HELD} 16</dev/null 17<${HELD} 40</dev/null 63<${HELD}`,
      Array.from({ length: 30 }, (_, index) => `${index + 3}</dev/null`).join(" "),
      "3</dev/null",
      "",
      `3<${HELD}`,
      `4<${HELD} 9</dev/null 15</dev/null`,
      Array.from({ length: 14 }, (_, index) => `${index + 3}<${HELD}`).join(" "),
    ].slice(0, effort(3, 7));
    for (const redirection of redirections) {
      const seen = await compare(`"$@" ${redirection}`, list, {}, behindStreams);
      const opened = seen.split("\n").filter((line) => / -> (\/dev\/null|.*held)$/.test(line));
      assert.ok(opened.length >= redirection.split("<").length - 1, seen);
    }
    if (!THOROUGH) return;
    assert.equal(await compare(`"$@" 3<${HELD}`, ["sh", "-c", "wc -c <&3"]), "5\n");
  },
);

test("the directory of the runtime's compile cache does not go on", needs("bash"), async () => {
  const cache = temporaryDirectory();
  const list = ["ls", "-l", "/proc/self/fd"];
  const options = { variables: { NODE_COMPILE_CACHE: cache } };
  const seen = await compare(`"$@" 3<${cache}`, list, options, behindStreams);
  assert.deepEqual(seen.split("\n").filter((line) => line.endsWith(cache)), [`3 -> ${cache}`]);
});

test("descriptors of sockets, directories, FIFOs and pipes go on", needs("bash"), async () => {
  const fifo = `${directory}/fifo.$$`;
  const opened = `3</ 4<>${fifo} 8< <(echo a) 60< <(echo b) sh <(echo c)`;
  const kinds = 'readlink /proc/self/fd/3; test -p "/proc/self/fd/4" && cat <&8 && cat "$1"';
  assert.equal(await compare(`mkfifo ${fifo}; "$@" ${opened}`, ["sh", "-c", kinds]), "/\na\nc\n");
});

test(
  "a lock that is held by a descriptor stays held by the command",
  once(needs("flock")),
  async () => {
    const lock = join(directory, "lock");
    const script = `exec 9>${lock}; flock -n 9 || exit 9; exec "$@"`;
    const held = ["sh", "-c", `flock -n ${lock} true && echo free || echo held`];
    assert.equal(await compare(script, held), "held\n");
  },
);

test(
  "the pipe by which make hands out jobs reaches a make under run",
  once(needs("make")),
  async () => {
    const place = temporaryDirectory();
    writeFileSync(join(place, "Makefile"), `all:\n\t+@${RUN.join(" ")} make -f inner.mk\n`);
    writeFileSync(join(place, "inner.mk"), "all: a b\na b:\n\t@echo $@\n");
    const { stdout, stderr, status } = await runChild(["make", "--no-print-directory", "-j2"], {
      cwd: place,
      variables: { MAKEFLAGS: undefined, MAKELEVEL: undefined },
    });
    assert.equal(status, 0, stderr);
    assert.deepEqual(stdout.trim().split("\n").sort(), ["a", "b"]);
    assert.doesNotMatch(stderr, /jobserver/);
  },
);

const NODE = join(ROOT, "node_modules", `node-${process.platform}-${process.arch}`, "bin", "node");
const channel = () => skipUnless(existsSync(NODE), "needs the Node of node_modules as the parent");

function fork(when: "at-once" | "when-ready"): Promise<ChildResult> {
  const child = [NODE, join(FIXTURES, "ipc-child.mjs"), when] as const;
  return runChild([NODE, join(FIXTURES, "ipc-parent.mjs"), when, ...RUN, ...child]);
}

for (const when of ["at-once", "when-ready"] as const) {
  const title = `the channel of child_process.fork() works through run, its message sent ${when}`;
  test(title, when === "at-once" ? channel() : once(channel()), async () => {
    const { stdout, stderr, status } = await fork(when);
    if (RUNTIME === "deno") {
      // It has read from the channel by then: nothing is lost without a word.
      assert.equal(status, 125, stderr);
      assert.match(
        stderr,
        /^offheap: Cannot hand the channel of child_process\.fork\(\) on .* deno/,
      );
      assert.match(stderr, /Start offheap with Node or Bun/);
      return;
    }
    const answer = JSON.parse(stdout || "{}");
    assert.equal(answer.hello, "child", stderr);
    assert.match(answer.preload, /libjemalloc\.so/);
  });
}

/** Bytes that no text has, in the shell's words and as od shows them. */
const BYTES: readonly (readonly [string, string])[] = [
  ["a\\377b", "61 ff 62"],
  ["\\303\\244\\344", "c3 a4 e4"],
  ["\\355\\240\\200", "ed a0 80"],
  ["\\342\\202", "e2 82"],
  ["\\360\\237\\220\\213\\200", "f0 9f 90 8b 80"],
];

test("arguments that are not UTF-8 arrive byte for byte", async () => {
  const show = 'for arg; do printf %s "$arg" | od -An -tx1; done';
  const words = BYTES.map(([bytes]) => `"$(printf '${bytes}')"`).join(" ");
  const under = await bash(`exec "$@" ${words} "" grün`, ...RUN, "sh", "-c", show, "sh");
  if (RUNTIME === "deno") {
    // Deno itself ends before it runs anything.
    assert.notEqual(under.status, 0);
    assert.equal(under.stdout, "");
    return;
  }
  const expected = [...BYTES.map(([, hex]) => hex), "67 72 c3 bc 6e"];
  assert.equal(under.stdout, expected.map((hex) => ` ${hex}\n`).join(""), under.stderr);
});

test(
  "a command or a directory of PATH whose name is not UTF-8 is refused, not passed over",
  once(),
  async () => {
    const exec = async (script: string, ...args: string[]): Promise<ChildResult> =>
      await bash(script, ...RUN, ...args);
    const inPath = await exec('PATH="$(printf "/opt/caf\\351"):$PATH" exec "$@"', "true");
    assert.equal(inPath.status, 126, inPath.stderr);
    assert.match(
      inPath.stderr,
      /^offheap: Cannot check ".*" before it is run: its path is not UTF-8/,
    );
    if (RUNTIME === "deno") return;
    const named = await exec('exec "$@" "$(printf "/tmp/caf\\351")"');
    assert.equal(named.status, 126, named.stderr);
    assert.match(named.stderr, /its path is not UTF-8\. Give the path of a link/);
  },
);

test("the environment goes on byte for byte, entries without a name included", async () => {
  const raw = compileProgram("raw-environment.c", "raw-environment");
  const command = ["cat", "/proc/self/environ"];
  const { stdout: direct } = await runChild([raw, "/bin/cat", "/proc/self/environ"]);
  const script = '"$@" | od -v -An -tx1';
  const [before, after] = [
    (await bash(script, raw, "/bin/cat", "/proc/self/environ")).stdout,
    (await bash(script, raw, ...RUN, ...command)).stdout,
  ];
  const entries = (dump: string): string[] => dump.replace(/\s+/g, " ").trim().split(" 00");
  const ours = /^ ?(4c 44 5f 50 52 45|4d 41 4c 4c 4f 43|4f 46 46 48 45 41 50)/; // LD_PRE, MALLOC, OFFHEAP
  assert.deepEqual(entries(after).filter((entry) => !ours.test(entry)), entries(before));
  assert.match(direct, /noequals\0=nameless\0TWICE=first\0\0TWICE=second\0/);
  assert.match(after.replace(/\s+/g, " "), /4c 44 5f 50 52 45 4c 4f 41 44 3d/);
});

test("env prints the bytes of what it keeps", once(), async () => {
  const script = 'export LD_PRELOAD="$(printf "/nonexistent/caf\\351.so")"; "$@" | head -1';
  const { stdout, stderr } = await bash(
    `${script} | cut -c 1-40 | od -An -c`,
    ...offheapCommand("env"),
  );
  assert.match(stdout.replace(/\s+/g, ""), /^exportLD_PRELOAD='\/nonexistent\/caf351\.so:/, stderr);
});

test("--no-inherit gives children the former bytes back", once(), async () => {
  const conf = 'MALLOC_CONF="$(printf "narenas:1\\377")"';
  const show = "printenv MALLOC_CONF | od -An -tx1";
  const command = offheapCommand("run", "-a", "mimalloc", "--no-inherit", "--", "sh", "-c", show);
  const { stdout, stderr } = await bash(`export ${conf}; exec "$@"`, ...command);
  assert.equal(stdout, " 6e 61 72 65 6e 61 73 3a 31 ff 0a\n", stderr);
});

const FROM_FILE: Readonly<Record<string, string>> = {
  OFFHEAP_ALLOCATOR: "mimalloc",
  OFFHEAP_LIBRARY: "/nonexistent/library.so",
  LD_PRELOAD: "/nonexistent/preload.so",
  LD_LIBRARY_PATH: "/nonexistent",
  MALLOC_CONF: "narenas:1",
  XDG_CACHE_HOME: "/nonexistent/cache",
  FROM_FILE: "yes",
};

/** That what files and hooks have put into a launcher's environment counts in none of its commands. */
async function assertNothingTaken(options: ChildOptions): Promise<string> {
  const under = await runChild([...RUN, "env"], options);
  assert.equal(under.status, 0, under.stderr);
  assert.doesNotMatch(under.stdout, /nonexistent|FROM_FILE|narenas/);
  assert.match(under.stdout, /^LD_PRELOAD=.*libjemalloc\.so/m);
  if (!IS_QUICKEST) return under.stderr;
  const env = await runChild(offheapCommand("env", "-f", "json"), options);
  assert.doesNotMatch(env.stdout, /nonexistent|narenas/, env.stderr);
  assert.match(env.stdout, /libjemalloc\.so/);
  const verify = await runChild(offheapCommand("verify", "--json"), options);
  const found = JSON.parse(verify.stdout) as Verification;
  assert.equal(found.library?.path, builtLibrary("jemalloc"), verify.stderr);
  assert.equal(found.memoryAllocator, "jemalloc");
  assert.equal(found.memoryAllocatorVerified, true);
  return under.stderr;
}

test(
  "what .env in the working directory says takes no effect in run, env and verify",
  once(),
  async () => {
    const place = temporaryDirectory();
    const lines = Object.entries(FROM_FILE).map(([name, value]) => `${name}=${value}\n`);
    for (const name of [".env", ".env.local", ".env.development", ".env.production"]) {
      writeFileSync(join(place, name), lines.join(""));
    }
    await assertNothingTaken({ cwd: place, variables: { XDG_CACHE_HOME: undefined } });
  },
);

test(
  "what runs before offheap sets no variables for it: bunfig.toml, --require and --import",
  skipUnless(RUNTIME !== "deno", "Deno runs nothing before a program"),
  async () => {
    const place = temporaryDirectory();
    const [required = "", imported = ""] = ["required.cjs", "imported.cjs"].map((name) => {
      const set = `Object.assign(process.env, ${JSON.stringify(FROM_FILE)});`;
      writeFileSync(join(place, name), `${set} require("node:fs").writeSync(2, "${name}\\n");\n`);
      return join(place, name);
    });
    writeFileSync(join(place, "bunfig.toml"), 'preload = ["./required.cjs"]\n');
    const NODE_OPTIONS = `--require ${required} --import ${imported}`;
    const variables = { NODE_OPTIONS, XDG_CACHE_HOME: undefined };
    const said = await assertNothingTaken({ cwd: place, variables });
    assert.equal(said, RUNTIME === "bun" ? "required.cjs\n" : "required.cjs\nimported.cjs\n");
  },
);

test(
  "what .env says takes no effect in a program's own calls, what the program sets does",
  once(),
  async () => {
    const place = temporaryDirectory();
    writeFileSync(join(place, ".env"), "export OFFHEAP_LIBRARY = /nonexistent/library.so\n");
    const [opened] = await callApi([["openAllocator"]], { cwd: place });
    assert.equal(opened?.error, undefined);
    const program = join(place, "program.ts");
    const module = JSON.stringify(join(ROOT, "mod.ts"));
    writeFileSync(
      program,
      `import process from "node:process";\nimport { verifyAllocator } from ${module};\n` +
        'process.env.OFFHEAP_ALLOCATOR = "mimalloc";\nconsole.log(verifyAllocator().memoryAllocator);\n',
    );
    const { stdout, stderr } = await runChild(runtimeCommand(program), { cwd: place });
    assert.equal(stdout, "mimalloc\n", stderr);
  },
);

test(
  "the environment that the process was started with counts, beside such a file",
  once(),
  async () => {
    const place = temporaryDirectory();
    writeFileSync(join(place, ".env"), "OFFHEAP_ALLOCATOR=jemalloc\nSHARED=file\n");
    const variables = { OFFHEAP_ALLOCATOR: "mimalloc", SHARED: "shell" };
    const { stdout, stderr } = await runChild([...RUN, "env"], { cwd: place, variables });
    assert.match(stdout, /^SHARED=shell$/m, stderr);
    assert.match(stdout, /^LD_PRELOAD=.*libmimalloc\.so/m);
  },
);

test(
  "options for the program's runtime in NODE_OPTIONS reach it as they came",
  onceAPush("Node reads it"),
  async () => {
    const hook = join(directory, "hook.cjs");
    writeFileSync(hook, "require('node:fs').openSync('/dev/null'); globalThis.hooked = true;\n");
    const NODE_OPTIONS = `--require ${hook} --no-warnings`;
    const list = "printenv NODE_OPTIONS; ls /proc/self/fd";
    const { stdout, stderr } = await runChild([...RUN, "sh", "-c", list], {
      variables: { NODE_OPTIONS },
    });
    const direct = await runChild(["sh", "-c", list], { variables: { NODE_OPTIONS } });
    assert.equal(stdout, direct.stdout, stderr);
  },
);

const MASKS = ["cat", "/proc/self/status"];

/** The signals that are ignored and blocked, as masks; those above 31 are the C library's own affair. */
function masksOf(status: string): string {
  return ["SigIgn", "SigBlk"].map((name) => {
    const mask = new RegExp(`^${name}:\\t([0-9a-f]+)$`, "m").exec(status)?.[1];
    return `${name} ${(BigInt(`0x${mask}`) & 0x7fff_ffffn).toString(16)}`;
  }).join(", ");
}

test("nohup under run does what nohup does", once(needs("nohup")), async () => {
  const { stdout, stderr } = await runChild([...RUN, "nohup", ...MASKS]);
  assert.equal(masksOf(stdout), "SigIgn 1, SigBlk 0", stderr);
});

test("a runtime that leaves signals as they were leaves them to the command", async () => {
  const script = 'exec env --ignore-signal=HUP --ignore-signal=INT --block-signal=USR2 "$@"';
  const { stdout, stderr } = await bash(script, ...RUN, ...MASKS);
  // Node sets both back at its start, and nothing says what they were: the guide has other ways.
  const wanted = RUNTIME === "node" ? "SigIgn 0, SigBlk 0" : "SigIgn 3, SigBlk 800";
  assert.equal(masksOf(stdout), wanted, stderr);
});

test(
  "what the shell has set is the command's: ignored signals, limits, umask, niceness, directory, name",
  needs("nice"),
  async () => {
    const place = join(directory, "working directory");
    mkdirSync(place);
    const set =
      'trap "" HUP USR1; umask 0027; ulimit -S -n 256; cd "$PLACE"; ln -sf /bin/sh ./kitten';
    const show = "cat /proc/self/status; echo; umask; nice; ulimit -Sn; ulimit -Hn; pwd -P; " +
      "cat /proc/$$/cmdline";
    const seen = await compare(
      `${set}; nice -n 7 "$@"; :`,
      ["./kitten", "-c", show],
      { variables: { PLACE: place } },
      (text) => `${masksOf(text)}${text.slice(text.indexOf("\n\n") + 1)}`,
    );
    const [masks, ...lines] = seen.split("\n");
    assert.equal(masks, "SigIgn 201, SigBlk 0");
    assert.deepEqual(lines.slice(0, 3), ["0027", `${Math.min(getPriority() + 7, 19)}`, "256"]);
    assert.deepEqual(lines.slice(4), [place, ["./kitten", "-c", show, ""].join("\0")]);
  },
);

test("both limits of open files are kept where they were set in the process itself", async () => {
  const limits = ["sh", "-c", "ulimit -Sn; ulimit -Hn"];
  assert.match(await compare('ulimit -n 200; exec "$@"', limits), /^200\n200\n/);
  if (!IS_QUICKEST) return;
  assert.match(await compare('ulimit -n 256; "$@"; :', limits), /^256\n256\n/);
  const behind = 'ulimit -S -n 256; bash -c \'ulimit -n 1000; exec "$@"\' bash "$@"; :';
  assert.match(await compare(behind, limits), /^1000\n1000\n/);
});

test("a standard stream that was closed is /dev/null, and none is another's file", async () => {
  const seen = join(directory, "streams");
  const list = `(for n in 0 1 2; do readlink /proc/$$/fd/$n; done) > ${seen}`;
  await bash('"$@" 0<&- 1>&- 2>&-', ...RUN, "sh", "-c", list);
  assert.equal(readFileSync(seen, "utf8"), "/dev/null\n".repeat(3));
});

test("the working directory is the shell's when its name is not UTF-8", async () => {
  const odd = `${directory}/$(printf 'caf\\351')`;
  const script = `mkdir -p "${odd}"; cd "${odd}"; cp /bin/pwd ./mine; "$@"`;
  const seen = await bash(`${script} | od -An -c | tail -1`, ...RUN, "./mine", "-P");
  if (RUNTIME !== "deno") assert.match(seen.stdout, /351 +\\n$/m, seen.stderr);
  else {assert.match(
      seen.stderr,
      /^offheap: Cannot check "\.\/mine" .*Start offheap in Node or Bun\.$/m,
    );}
});

test(
  "a path with .. leads where the system says: after a link, and from such a directory",
  once(),
  async () => {
    const script = (words: string): string =>
      `mkdir -p "${directory}/far/away" && cd "${directory}" && ln -sfn far/away near && ` +
      `cp /bin/echo far/said && cp /bin/false said && ${words}`;
    assert.equal(await compare(script('"$@"'), ["near/../said", "far"]), "far\n");
    assert.equal(await compare(script('"$@"'), ["env", "-C", "near/..", "./said", "far"]), "far\n");
    const odd = 'odd=$(printf \'caf\\351\'); mkdir -p "$odd"; cd "$odd"';
    assert.equal(await compare(script(`${odd}; "$@"`), ["../far/said", "up"]), "up\n");
  },
);

test("the process group, the session and the number are the shell's", once(), async () => {
  // Fields 1 and 5 to 8: the number, the group, the session, the terminal, its foreground group.
  const fields = 'cut -d " " -f 1,5-7 /proc/$$/stat';
  const { stdout, stderr } = await bash(
    `sh -c '${fields}; exec "$@"' sh "$@"`,
    ...RUN,
    "sh",
    "-c",
    fields,
  );
  const [before, after] = stdout.trim().split("\n");
  assert.equal(after, before, stderr);
});

test("the controlling terminal and its settings are the shell's", needs("script"), async () => {
  // The shell itself lists them: in a pipe it would have the pipe's ends for a moment.
  const show = 'stty -g; tty; cut -d " " -f 5-8 /proc/$$/stat; echo /proc/$$/fd/*';
  const inner = join(directory, "inner.sh");
  writeFileSync(inner, `${show}\n`);
  const outer = join(directory, "outer.sh");
  writeFileSync(outer, `${show}\nexec "$@"\n`);
  const words = ["sh", outer, ...RUN, "sh", inner].map((word) => `'${word}'`).join(" ");
  const { stdout } = await runChild(["script", "-qec", words, "/dev/null"]);
  const lines = stdout.trim().split(/\r?\n/);
  assert.equal(lines.length, 8, stdout);
  assert.deepEqual(
    lines.slice(4).map((line) => line.trim()),
    lines.slice(0, 4).map((line) => line.trim()),
  );
});

test("a changed word that is not among the process's arguments is refused", once(), async () => {
  const options = JSON.stringify({ command: ["printf", "%s", "\uFFFDgiven"] });
  const child = join(FIXTURES, "run-command.ts");
  const { status, stderr } = await runChild(runtimeCommand(child, options));
  assert.equal(status, 1);
  assert.match(stderr, /Cannot determine the arguments that this process was started with/);
});
