// Programs of Debian's that work only where they are installed: man, which runs its helpers in a
// sandbox, firejail, which is set-user-ID, and supervisord, which starts services.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { launchEnvironment } from "../../mod.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { installedProgram } from "../support/debian-programs.ts";
import { childEnvironment, offheapCommand, runChild } from "../support/runtime.ts";
import { type Skipping, skipUnless } from "../support/skip.ts";

const directory = temporaryDirectory();
const man = installedProgram("man-db", "usr/bin/man");
const firejail = installedProgram("firejail", "usr/bin/firejail");
const supervisord = installedProgram("supervisor", "usr/bin/supervisord");

function there(program: typeof man): Skipping {
  return typeof program === "string" ? skipUnless(false, program) : skipUnless(true, "");
}

const PAGE = ".TH PAGE 1\n.SH NAME\npage \\- what is read\n";

test("man shows a page as without offheap, launched and as a child", there(man), async () => {
  assert.ok(typeof man !== "string");
  const page = join(directory, "page.1");
  writeFileSync(page, PAGE);
  const words = [man.path, "--local-file", page] as const;
  const plain = await runChild(words);
  assert.match(plain.stdout, /page - what is read/, plain.stderr);
  for (const allocator of ["jemalloc", "mimalloc"]) {
    const run = offheapCommand("run", "-a", allocator, "--");
    assert.deepEqual(await runChild([...run, ...words]), plain, allocator);
    const inShell = ["sh", "-c", '"$@"; exit $?', "sh", ...words];
    assert.deepEqual(await runChild([...run, ...inShell]), plain, `${allocator}, as a child`);
  }
});

/** firejail in front of a command; a reason where it makes no sandbox here. */
async function jail(): Promise<readonly [string, ...string[]] | string> {
  if (typeof firejail === "string") return firejail;
  const words = [firejail.path, "--noprofile", "--quiet"] as const;
  const { status, stderr } = await runChild([...words, "echo"]);
  return status === 0 ? words : `firejail does not start here: ${stderr}`;
}

const jailed = await jail();

test(
  "firejail starts run, which checks what it finds inside",
  skipUnless(typeof jailed !== "string", String(jailed)),
  async () => {
    assert.ok(typeof jailed !== "string");
    const words = [...offheapCommand("run", "-a", "jemalloc", "--"), ...offheapCommand("verify")];
    const { status, stdout, stderr } = await runChild([...jailed, ...words]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^process's malloc: jemalloc .* verified$/m);
    const refused = await runChild([...jailed, ...offheapCommand("run", "--", "no-such-program")]);
    assert.equal(refused.status, 127, refused.stderr);
    const drops = await runChild([
      ...jailed,
      ...offheapCommand("run", "--", "sh", "-c", "unset LD_PRELOAD; exec echo"),
    ]);
    assert.equal(drops.status, 125, drops.stderr);
  },
);

/** A service writes down what serves it, once it can be asked to end, and that it was. */
const SERVICE = `trap 'echo ended >> "$1"; exit 0' TERM
grep -o "lib[a-z]*malloc" /proc/self/maps | sort -u > "$1"
while :; do sleep 0.1; done`;

function fileOf(name: string): string {
  return join(directory, name);
}

/** A program's section: words are quoted as a shell's, and a "%" is Python's. */
function section(
  name: string,
  words: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): string {
  const pairs = Object.entries(variables).map(([key, value]) => `${key}="${value}"`);
  return [
    `[program:${name}]`,
    `command=${words.map((each) => `'${each}'`).join(" ")}`,
    `environment=${pairs.join(",")}`,
    "autorestart=false",
    "startretries=0",
    `stderr_logfile=${fileOf(`${name}.err`)}`,
    "",
  ].join("\n").replaceAll("%", "%%");
}

function service(name: string): string[] {
  return ["sh", fileOf("service.sh"), fileOf(`${name}.txt`)];
}

const SECTIONS = [
  "[supervisord]",
  "nodaemon=true",
  `logfile=${fileOf("log")}`,
  `pidfile=${fileOf("pid")}`,
  "",
  section("run", offheapCommand("run", "-a", "jemalloc", "--", ...service("run"))),
  section("variables", service("variables"), launchEnvironment({ allocator: "mimalloc" })),
  section("refused", offheapCommand("run", "-a", "system", "-p", "balanced", "--", "true")),
];
/** What supervisord says once it has seen how each of them starts. */
const STARTED = [
  "run entered RUNNING",
  "variables entered RUNNING",
  "exited: refused (exit status 125",
];
const LIMIT_MS = 60_000;

/** What a service has written down; nothing before it has. */
function written(name: string): string {
  return existsSync(fileOf(`${name}.txt`)) ? readFileSync(fileOf(`${name}.txt`), "utf8") : "";
}

/** For supervisord a service runs after a second, also where the shell has not begun with it. */
function allStarted(said: string): boolean {
  return STARTED.every((each) => said.includes(each)) &&
    written("run") !== "" && written("variables") !== "";
}

test(
  "supervisord starts services by run and by variables, and sees a refusal",
  there(supervisord),
  async () => {
    assert.ok(typeof supervisord !== "string");
    writeFileSync(fileOf("service.sh"), SERVICE);
    writeFileSync(fileOf("supervisord.conf"), SECTIONS.join("\n"));
    const words = ["--configuration", fileOf("supervisord.conf")];
    const daemon = spawn(supervisord.path, words, { env: childEnvironment() });
    let said = "";
    daemon.stdout.on("data", (text) => said += text);
    const ended = once(daemon, "close");
    const end = performance.now() + LIMIT_MS;
    while (!allStarted(said) && performance.now() < end) await setTimeout(50);
    daemon.kill("SIGTERM");
    await ended;
    for (const each of STARTED) assert.ok(said.includes(each), said);
    assert.equal(written("run"), "libjemalloc\nended\n");
    assert.equal(written("variables"), "libmimalloc\nended\n");
    assert.match(readFileSync(fileOf("refused.err"), "utf8"), /^offheap: /);
  },
);
