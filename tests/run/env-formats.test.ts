import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ENVIRONMENT_FORMATS } from "../../lib/cli/environment-formats.ts";
import type { Verification } from "../../lib/verify/types.ts";
import { launchEnvironment, type LaunchOptions } from "../../mod.ts";
import { callApiOnce } from "../support/api.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import {
  builtLibrary,
  childEnvironment,
  FIXTURES,
  offheapCommand,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const VERIFY = runtimeCommand(join(FIXTURES, "verify-child.ts"));

/** Values with everything that some format gives a meaning of its own. */
const LINES: Readonly<Record<string, string>> = {
  LD_PRELOAD: "/usr/lib/a.so:/opt/offheap/libjemalloc.so",
  MALLOC_CONF: "narenas:2,dirty_decay_ms:500",
  EMPTY: "",
  SPACES: "  two  words ",
  QUOTES: `it's "quoted"`,
  DOUBLE: `"double"`,
  SINGLE: "'single'",
  DOLLAR: "$HOME ${HOME} $(id) `id`",
  BACKSLASH: "a\\b\\\\c \\n \\",
  PERCENT: "100% %h %%",
  COMMENT: "a #b",
  UNICODE: "grün 木",
  GLOB: "* ? [a] ~ ! ; & | < >",
};

const ALL: Readonly<Record<string, string>> = { ...LINES, NEWLINE: "one\ntwo\n" };

function format(name: keyof typeof ENVIRONMENT_FORMATS, variables = ALL): string {
  return ENVIRONMENT_FORMATS[name](variables);
}

function lines(text: string): string[] {
  return text.split("\n");
}

test("sh: a real shell that evaluates it has exactly these variables", () => {
  const script = `${format("sh")}\nexec env -0`;
  const env = { PATH: String(process.env.PATH) };
  const output = execFileSync("sh", ["-euc", script], { encoding: "utf8", env });
  const found = new Map(
    output.split("\0").filter(Boolean).map((entry) => {
      const at = entry.indexOf("=");
      return [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
  for (const [name, value] of Object.entries(ALL)) assert.equal(found.get(name), value, name);
});

test("json: it is an object of these variables", () => {
  assert.deepEqual(JSON.parse(format("json")), ALL);
});

/** Python's dotenv, which undoes the most: `\\` and the quote itself within either quotes. */
function readDotenv(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  const pattern = /^([A-Z_]+)=(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|([^\n'"]*))$/gms;
  for (const [, name = "", single, double, bare = ""] of text.matchAll(pattern)) {
    found[name] = single?.replace(/\\([\\'])/g, "$1") ??
      double?.replace(/\\([\\"$`])/g, "$1") ?? bare;
  }
  return found;
}

test("dotenv: what undoes quotes and backslashes gets these variables", () => {
  assert.deepEqual(readDotenv(format("dotenv")), ALL);
});

test("dotenv: plain values stand without quotes, which docker's --env-file would keep", () => {
  const { LD_PRELOAD, MALLOC_CONF } = LINES;
  assert.equal(
    format("dotenv", { LD_PRELOAD: `${LD_PRELOAD}`, MALLOC_CONF: `${MALLOC_CONF}` }),
    `LD_PRELOAD=${LD_PRELOAD}\nMALLOC_CONF=${MALLOC_CONF}`,
  );
});

const util: { parseEnv?: (text: string) => NodeJS.Dict<string> } | undefined = process
  .getBuiltinModule("node:util");

test(
  "dotenv: the runtime's own reader agrees, where quotes and backslashes do not meet",
  skipUnless(util?.parseEnv !== undefined, "this runtime has no util.parseEnv"),
  () => {
    const { QUOTES: _quotes, BACKSLASH: _backslash, SINGLE: _single, ...agreed } = LINES;
    assert.deepEqual({ ...util?.parseEnv?.(format("dotenv", agreed)) }, agreed);
  },
);

/**
 * A line of a Dockerfile, by the rules of its reference: a backslash before a quote, a backslash
 * or a dollar sign takes its meaning away; a dollar sign without one expands.
 */
function readDockerLine(line: string): [string, string] {
  const match = /^ENV ([A-Z_]+)="((?:\\.|[^"\\])*)"$/.exec(line);
  assert.ok(match, line);
  const [, name = "", quoted = ""] = match;
  assert.doesNotMatch(quoted.replace(/\\./g, ""), /\$/, "an unprotected dollar sign expands");
  return [name, quoted.replace(/\\(["\\$])/g, "$1")];
}

test("docker: each line is an ENV instruction whose value is taken as it is", () => {
  const found = Object.fromEntries(lines(format("docker", LINES)).map(readDockerLine));
  assert.deepEqual(found, LINES);
});

test("docker: a value of several lines is refused, as no Dockerfile can hold it", () => {
  assert.throws(() => format("docker"), {
    name: "RangeError",
    message: /^Cannot write NEWLINE for a Dockerfile: its value must be a single line; got "one\\n/,
  });
});

/** An assignment as systemd.exec(5) and systemd.syntax(7) have it: C escapes, and %% for %. */
function readSystemdLine(line: string): [string, string] {
  const match = /^Environment="((?:\\.|[^"\\])*)"$/.exec(line);
  assert.ok(match, line);
  const escapes: Readonly<Record<string, string>> = { n: "\n", '"': '"', "\\": "\\" };
  const text = (match[1] ?? "").replace(/\\(.)/g, (whole, letter) => escapes[letter] ?? whole);
  assert.doesNotMatch(text.replaceAll("%%", ""), /%/, "a single % is a specifier");
  const value = text.replaceAll("%%", "%");
  const at = value.indexOf("=");
  return [value.slice(0, at), value.slice(at + 1)];
}

test("systemd: each line is an Environment= assignment without specifiers or loose quotes", () => {
  const found = Object.fromEntries(lines(format("systemd")).map(readSystemdLine));
  assert.deepEqual(found, ALL);
});

test("offheap env: a shell that evaluates it starts programs under the allocator", async () => {
  const script = 'set -eu; export SEEN="$("$@")"; eval "$SEEN"; shift $#; exec $VERIFY';
  const command = offheapCommand("env", "-a", "mimalloc", "-p", "low-memory");
  const { stdout, stderr } = await runChild(["sh", "-c", script, "sh", ...command], {
    variables: { VERIFY: VERIFY.join(" ") },
  });
  assert.notEqual(stdout, "", stderr);
  const found = JSON.parse(stdout) as Verification;
  assert.deepEqual([found.processAllocator, found.processAllocatorVerified], ["mimalloc", true]);
});

test("a path that the dynamic linker would expand is printed by no command: a link to it is", async () => {
  const place = join(temporaryDirectory(), "$LIB", "${PLATFORM}");
  mkdirSync(place, { recursive: true });
  const library = join(place, "libjemalloc.so");
  const source = builtLibrary("jemalloc", "preload");
  for (const end of ["", ".json"]) copyFileSync(`${source}${end}`, `${library}${end}`);
  const options = { variables: { XDG_CACHE_HOME: temporaryDirectory() } };
  const words = ["-a", "jemalloc", "--library", library, "-f", "json"];
  const { stdout, stderr } = await runChild(offheapCommand("env", ...words), options);
  const launch = ["launchEnvironment", { allocator: "jemalloc", library }] as const;
  const given = await callApiOnce<Readonly<Record<string, string>>>(launch, options);
  for (const { LD_PRELOAD = "$" } of [JSON.parse(stdout), given]) {
    assert.doesNotMatch(LD_PRELOAD, /\$/, stderr);
    const maps = await runChild(["cat", "/proc/self/maps"], { variables: { LD_PRELOAD } });
    assert.ok(maps.stdout.includes(library), maps.stderr);
  }
});

test("offheap env keeps what is set, says so apart, and appends to an existing preload", async () => {
  const other = compileShared("decoy-version.c", "env-other.so");
  const command = offheapCommand("env", "-a", "jemalloc", "-f", "json");
  const variables = { MALLOC_CONF: "dirty_decay_ms:77", LD_PRELOAD: other };
  const { stdout, stderr, status } = await runChild(command, { variables });
  assert.equal(status, 0, stderr);
  const found = JSON.parse(stdout);
  const preloaded = [other, builtLibrary("jemalloc", "preload"), builtLibrary("offheap")];
  assert.equal(found.LD_PRELOAD, preloaded.join(":"));
  assert.match(found.MALLOC_CONF, /(^|,)muzzy_decay_ms:30000,.*,dirty_decay_ms:77$/);
  assert.equal(found.OFFHEAP_BACKGROUND, "runtimes");
  assert.equal(stderr, "offheap: your own settings are kept: MALLOC_CONF:dirty_decay_ms\n");
});

test("offheap env --allocator system asks for the agent, and without it prints nothing to set", async () => {
  const system = offheapCommand("env", "-a", "system", "-f", "json");
  const { stdout, status } = await runChild(system);
  const { OFFHEAP_SET: _, ...variables } = JSON.parse(stdout);
  const agent = { LD_PRELOAD: builtLibrary("offheap"), OFFHEAP_AGENT: "runtimes:idle=1000" };
  assert.deepEqual([status, variables], [0, agent]);
  const without = await runChild([...system, "--no-agent"]);
  assert.deepEqual([without.status, JSON.parse(without.stdout)], [0, {}]);
});

test("the agent's options are in its variable, and what it cannot take is refused", async () => {
  const agent = (options: LaunchOptions): unknown => launchEnvironment(options).OFFHEAP_AGENT;
  assert.equal(agent({ idleTrim: 0 }), "runtimes:idle=0");
  assert.equal(agent({ memoryLimit: "80%" }), "runtimes:idle=1000,limit=80%");
  assert.equal(agent({ agent: false }), undefined);
  const words = ["--idle-trim", "2.5s", "--memory-limit", "400MiB"];
  const { stdout } = await runChild(offheapCommand("env", ...words, "-f", "json"));
  assert.equal(JSON.parse(stdout).OFFHEAP_AGENT, "runtimes:idle=2500,limit=419430400");
  for (const idleTrim of [-1, 0.5, 2 ** 31, NaN]) {
    assert.throws(() => agent({ idleTrim }), RangeError, `${idleTrim}`);
  }
  for (const memoryLimit of ["0%", "101%", "8e1%", 0, 1.5] as (number | `${number}%`)[]) {
    assert.throws(() => agent({ memoryLimit }), RangeError, `${memoryLimit}`);
  }
  assert.throws(
    () => agent({ agent: false, idleTrim: 5 }),
    /idleTrim .* is for the agent, which is left out/,
  );
  for (const word of ["1500", "-1s", "1 s", "1d", ""]) {
    const wrong = await runChild(offheapCommand("env", `--idle-trim=${word}`));
    assert.equal(wrong.status, 2, word);
    assert.match(wrong.stderr, /It must be like 500ms, 2s, 5m or 0\./);
  }
  const wrong = await runChild(offheapCommand("run", "--memory-limit", "400", "--", "true"));
  assert.equal(wrong.status, 125);
  assert.match(wrong.stderr, /It must be like 400MiB, 1\.5GiB or 80%\./);
});

for (const allocator of ["jemalloc", "mimalloc"] as const) {
  test(`launchEnvironment: a process that is started with it runs under ${allocator}`, async () => {
    const before = { ...process.env };
    const variables = launchEnvironment({ allocator, profile: "low-memory" });
    assert.deepEqual({ ...process.env }, before, "this process's own environment stays");
    const preloaded = [builtLibrary(allocator, "preload"), builtLibrary("offheap")];
    assert.equal(variables.LD_PRELOAD, preloaded.join(":"));
    const { stdout, stderr } = await runChild(VERIFY, { variables });
    assert.notEqual(stdout, "", stderr);
    const found = JSON.parse(stdout) as Verification;
    assert.equal(found.processAllocator, allocator);
    assert.equal(found.processAllocatorVerified, true);
  });
}

test("launchEnvironment: secure takes the guarding library, with the options that go with it", () => {
  for (const allocator of ["jemalloc", "mimalloc"] as const) {
    const variables = launchEnvironment({ allocator, secure: true });
    const preloaded = [builtLibrary(allocator, "secure"), builtLibrary("offheap")];
    assert.equal(variables.LD_PRELOAD, preloaded.join(":"));
    assert.equal(variables.MIMALLOC_SHOW_ERRORS, allocator === "mimalloc" ? "1" : undefined);
  }
  assert.deepEqual(launchEnvironment({ allocator: "system", agent: false }), {});
});

test("launchEnvironment: profiles differ, and balanced is the one without a choice", () => {
  const conf = (profile?: "balanced" | "throughput" | "low-memory") =>
    launchEnvironment({ allocator: "jemalloc", profile }).MALLOC_CONF;
  assert.equal(conf(), conf("balanced"));
  assert.equal(new Set([conf("balanced"), conf("throughput"), conf("low-memory")]).size, 3);
  assert.equal(childEnvironment().MALLOC_CONF, undefined);
});
