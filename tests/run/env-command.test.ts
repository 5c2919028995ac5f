import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { parseEnvCommand, splitString } from "../../lib/run/env-command.ts";
import { parseShebang } from "../../lib/run/shebang.ts";
import { skipUnless } from "../support/skip.ts";

const VARIABLES = { HOME: "/home/x", EMPTY: "" };

const STRINGS: readonly string[] = [
  "a b  c",
  "  leading and trailing  ",
  "'single quotes' \"double quotes\"",
  'join"ed to"gether',
  "\"\" ''",
  "not#comment ''#neither",
  "a\tb\u00a0c",
];

/** What the system's env refuses, too. */
const REFUSED: readonly string[] = ["'open", '"open', "a'b\"c", "\\q", "$HOME", "${1}"];

/** What env would follow, and offheap does not. */
const RARE: readonly string[] = [
  "a\\_b",
  "'it\\'s'",
  "${HOME}/bin",
  "a #comment",
  "#comment",
  "stop\\c",
];

/** Whether this `env` is one that splits strings, as that of GNU and FreeBSD do. */
const SPLITS = spawnSync("env", ["-S", "true"]).status === 0;
const hasEnv = () => skipUnless(SPLITS, "needs an env that has -S");

test("the words of env -S are those that the system's env makes", hasEnv(), () => {
  for (const text of STRINGS) {
    const { status, stdout } = spawnSync("env", ["-S", `printf [%s]\\\\n ${text}`], {
      env: { ...VARIABLES, PATH: "/usr/bin:/bin" },
      encoding: "utf8",
    });
    assert.equal(status, 0, text);
    const words = splitString(text);
    assert.equal(words.map((word) => `[${word}]\n`).join(""), stdout, text);
  }
});

test("a string that the system's env refuses is refused here", hasEnv(), () => {
  for (const text of REFUSED) {
    assert.notEqual(spawnSync("env", ["-S", `printf x ${text}`]).status, 0, text);
    assert.throws(() => splitString(text), { code: "ERR_OFFHEAP_LAUNCH", status: 125 });
  }
});

test("escapes, variables and comments in a string are refused by what they are", () => {
  for (const text of RARE) {
    assert.throws(() => splitString(text), {
      status: 125,
      message:
        /its arguments hold "[\\\\$#]" in -S, which offheap does not follow\. Run the program/,
    }, text);
  }
});

test("env's options and assignments are distinguished from the command", () => {
  const cases: readonly [readonly string[], readonly string[]][] = [
    [["tool", "-i", "A=1"], ["tool", "-i", "A=1"]],
    [["-u", "HOME", "-C/", "A=1", "B=2", "tool"], ["tool"]],
    [["--unset", "HOME", "--chdir=/", "tool", "x"], ["tool", "x"]],
    [["-v", "--", "-tool"], ["-tool"]],
    [["-S tool 'a b'", "file"], ["tool", "a b", "file"]],
    [["-vStool a", "file"], ["tool", "a", "file"]],
    [["-S -u HOME A=1 tool", "file"], ["tool", "file"]],
  ];
  for (const [args, words] of cases) {
    const { command, args: rest } = parseEnvCommand(args, {});
    assert.deepEqual([command, ...rest], words, JSON.stringify(args));
  }
  assert.equal(parseEnvCommand(["A=1"], {}).command, null);
});

test("the environment and directory that env hands on are known", () => {
  const changed = parseEnvCommand(["-u", "HOME", "-C", "/srv", "A=1=2", "tool"], VARIABLES);
  assert.deepEqual(changed.environment, { EMPTY: "", A: "1=2" });
  assert.equal(changed.directory, "/srv");
  assert.deepEqual(changed.dropped, ["HOME"]);
  assert.deepEqual(changed.assigned, ["A"]);
  const built = parseEnvCommand(["-S'HO'ME= A=1 tool"], VARIABLES);
  assert.deepEqual(built.assigned, ["HOME", "A"], "a name that is put together counts as well");
  for (const clear of ["-i", "-", "--ignore-environment", "-vi", "-iS tool"]) {
    const cleared = parseEnvCommand([clear, "A=1", "tool"], VARIABLES);
    assert.equal(cleared.dropped, "all", clear);
    assert.equal(cleared.environment.HOME, undefined);
  }
});

test("an option of env that is rare, unknown or lacks its value is refused by name", () => {
  const rare = [["--block-signal=PIPE", "tool"], ["--argv0=x", "tool"], ["--help"]];
  for (const args of [["-x"], ["--null=1"], ["-u"], ["--chdir"], ["-ix", "tool"], ...rare]) {
    assert.throws(() => parseEnvCommand(args, {}), {
      status: 125,
      message: /^Cannot determine what "env" would run: its arguments hold the option "--?\w/,
    });
  }
});

test("a #! line is read as the kernel reads it", () => {
  const encoder = new TextEncoder();
  const parse = (text: string): ReturnType<typeof parseShebang> =>
    parseShebang(encoder.encode(text).subarray(0, 256));
  assert.deepEqual(parse("#!/bin/sh\n"), { interpreter: "/bin/sh", argument: null });
  assert.deepEqual(parse("#! \t/bin/sh \t -e x \t\nrest"), {
    interpreter: "/bin/sh",
    argument: "-e x",
  });
  assert.deepEqual(parse("#!/bin/sh"), { interpreter: "/bin/sh", argument: null });
  assert.deepEqual(parse("#!/bin/sh\0 -x\n"), { interpreter: "/bin/sh", argument: null });
  assert.deepEqual(parse("#!/bin/sh\r\n"), { interpreter: "/bin/sh\r", argument: null });
  const long = "a".repeat(300);
  assert.equal(parse(`#!/${long}\n`), null);
  assert.equal(parse(`#!/bin/sh ${long}\n`)?.argument?.length, 256 - "#!/bin/sh ".length);
  assert.equal(parseShebang(encoder.encode(`#!/${long}\n`)), null);
  for (const none of ["", "#", "#!", "#!\n/bin/sh", "#! \n", " #!/bin/sh\n", "# !/bin/sh\n"]) {
    assert.equal(parse(none), null, JSON.stringify(none));
  }
});
