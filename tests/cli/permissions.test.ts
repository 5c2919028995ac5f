import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { isPermissionRefusal, permissionError } from "../../ffi/errors.ts";
import { ffi, runtimeInfo } from "../../ffi/mod.ts";
import { SHELL_REFUSAL } from "../../lib/cli/shell-refusal.ts";
import type { Verification } from "../../lib/verify/types.ts";
import type { ProcessMemory } from "../../mod.ts";
import { API_CHILD, type ApiCall, type ApiOutcome, callApi } from "../support/api.ts";
import { bundleProgram } from "../support/bundle.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { onceAPush, THOROUGH } from "../support/effort.ts";
import { IS_MUSL } from "../support/libc.ts";
import { builtLibrary, offheapCommand, programOf, ROOT, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const RUNTIME = runtimeInfo().name;
const inDeno = () => skipUnless(RUNTIME === "deno", "only Deno has these permissions");
const inNode = () => skipUnless(RUNTIME === "node", "only Node has this permission model");
/** What does not go by the interface to native libraries, by which Node 22 differs. */
const inOneNode = () => onceAPush("Node's permission model is one", inNode());
const BACKEND = ffi().backend;
const inNodeFfi = () =>
  skipUnless(BACKEND === "node:ffi", "only Node 26 has node:ffi to switch off");

const EVERY_FUNCTION: readonly ApiCall[] = [
  ["verifyAllocator"],
  ["requireAllocator"],
  ["getSystemInfo"],
  ["getAllocatorInfo"],
  ["healthCheck"],
  ["launchEnvironment"],
  ["openAllocator"],
  ["verifyIntegrity"],
];

const FILES_ONLY: readonly string[] = ["launchEnvironment", "verifyIntegrity"];
const READERS = EVERY_FUNCTION.filter(([name]) => !FILES_ONLY.includes(name));

/** Runs the calls with these flags and no others; a question to the user would end them, too. */
function callWith<V>(
  flags: readonly string[],
  calls: readonly ApiCall[],
  child: string = programOf(API_CHILD),
): Promise<ApiOutcome<V>[]> {
  const fixed = RUNTIME === "deno"
    ? ["run", "--no-prompt", "--no-check", "--quiet"]
    : ["--no-warnings"];
  return callApi<V>(calls, {}, [process.execPath, ...fixed, ...flags, child]);
}

/** What reads `/proc`, which Deno permits with everything else only. */
const READS_PROC: readonly unknown[] = ["getSystemInfo", "healthCheck"];

/** Each refusal names these flags; in Deno, `--allow-all` where that is needed. */
function assertRefused(
  calls: readonly ApiCall[],
  outcomes: readonly ApiOutcome<unknown>[],
  flags: string,
  about: RegExp = /./,
): void {
  assert.equal(outcomes.length, calls.length);
  outcomes.forEach(({ error }, index) => {
    const name = String(calls[index]?.[0]);
    assert.equal(error?.name, "PermissionError", `${name}: ${error?.message}`);
    assert.equal(error?.code, "ERR_OFFHEAP_PERMISSION", name);
    const all = RUNTIME === "deno" && READS_PROC.includes(name) ? "--allow-all" : flags;
    assert.equal(error?.flags?.join(" "), all, `${name}: ${error?.message}`);
    assert.equal(error?.flag, error?.flags?.[0], name);
    assert.match(String(error?.message), /^Cannot .*: the runtime does not permit it\. Run /, name);
    assert.ok(error?.message.endsWith(` with ${all}.`), `${name}: ${error?.message}`);
    assert.match(String(error?.message), about, name);
  });
}

const DENO_CASES: readonly {
  readonly without: string;
  readonly flags: readonly string[];
  readonly calls: readonly ApiCall[];
  readonly about: RegExp;
}[] = [
  {
    without: "--allow-ffi",
    flags: ["--allow-read", "--allow-env", "--allow-sys"],
    calls: READERS,
    about: /load "libc\.so\.6":/,
  },
  {
    without: "--allow-read",
    flags: ["--allow-ffi", "--allow-env", "--allow-sys"],
    calls: EVERY_FUNCTION,
    about: /read "\/.*deno"|find the path of this program/,
  },
  {
    without: "--allow-env",
    flags: ["--allow-ffi", "--allow-read", "--allow-sys"],
    calls: EVERY_FUNCTION,
    about: /read the environment/,
  },
  {
    without: "--allow-sys",
    flags: ["--allow-ffi", "--allow-read", "--allow-env"],
    calls: [["getSystemInfo"]],
    about: /kernel's release/,
  },
];

for (const { without, flags, calls, about } of DENO_CASES) {
  test(
    `Deno without ${without}: every function that needs it names that flag`,
    inDeno(),
    async () => {
      assertRefused(calls, await callWith(flags, calls), without, about);
    },
  );
}

test("Deno with a part of a permission names the flag and what is missing", inDeno(), async () => {
  const all = ["--allow-ffi", "--allow-read", "--allow-env"];
  const instead = (flag: string) => all.map((one) => flag.startsWith(one) ? flag : one);
  const calls: ApiCall[] = [["verifyAllocator"]];
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["--allow-env=HOME", "--allow-env", /variable OFFHEAP_ALLOCATOR/],
    ["--allow-env=OFFHEAP_ALLOCATOR", "--allow-env", /variable OFFHEAP_LIBRARY/],
    [`--allow-read=${process.execPath}`, "--allow-read", /look at ".*libjemalloc\.so"/],
    ["--allow-ffi=libc.so.6", "--allow-ffi", /"libc\.so\.6" with --allow-ffi for some paths only/],
    [`--allow-ffi=${builtLibrary("jemalloc")}`, "--allow-ffi", /load "libc\.so\.6"/],
  ];
  for (const [part, flag, about] of cases) {
    assertRefused(calls, await callWith(instead(part), calls), flag, about);
  }
});

test(
  "Deno needs no more than what is used: three variables, the program and the build",
  inDeno(),
  async () => {
    const flags = [
      "--allow-ffi",
      `--allow-read=${process.execPath},${join(ROOT, "build")}`,
      "--allow-env=OFFHEAP_ALLOCATOR,OFFHEAP_LIBRARY,OFFHEAP_LEAKS",
    ];
    const calls: ApiCall[] = [["verifyAllocator"], ["openAllocator"]];
    const [outcome, opened] = await callWith<Verification>(flags, calls);
    assert.equal(outcome?.value?.memoryAllocatorVerified, true, String(outcome?.error?.message));
    assert.equal(opened?.error, undefined);
  },
);

test(
  "Deno opens /proc with all permissions only: mappings are unavailable, and the rest proves it",
  inDeno(),
  async () => {
    const flags = ["--allow-ffi", "--allow-read", "--allow-env", "--allow-sys"];
    const calls: ApiCall[] = [["verifyAllocator"], ["getAllocatorInfo"], ["launchEnvironment"]];
    const outcomes = await callWith(flags, calls);
    for (const { error } of outcomes) assert.equal(error, undefined);
    const found = outcomes[0]?.value as Verification;
    assert.equal(found.processAllocator, "glibc");
    assert.equal(found.processAllocatorVerified, true);
    assert.equal(found.memoryAllocatorVerified, true);
    const open = found.evidence.filter(({ outcome }) => outcome !== "pass");
    assert.deepEqual(open.map(({ scope, check, outcome }) => `${scope} ${check} ${outcome}`), [
      "library mapping unavailable",
      "process mapping unavailable",
    ]);
    for (const { detail } of open) assert.match(detail, /\/proc\/self\/maps.* with --allow-all\.$/);
    const memory: ApiCall[] = [["healthCheck"], ["getSystemInfo"]];
    assertRefused(memory, await callWith(flags, memory), "--allow-all", /\/proc\/meminfo/);
  },
);

test(
  "Deno with nothing allowed refuses every function, names all that is missing, and asks nothing",
  inDeno(),
  async () => {
    // Deno's child processes get every permission when no flag says otherwise.
    const outcomes = await callWith(["--deny-net"], EVERY_FUNCTION);
    const called = (names: readonly string[]) =>
      EVERY_FUNCTION.flatMap(([name], index) => names.includes(name) ? [index] : []);
    const readers = READERS.map(([name]) => name);
    for (
      const [names, flags] of [
        [FILES_ONLY, "--allow-env --allow-read"],
        [readers, "--allow-env --allow-read --allow-ffi"],
      ] as const
    ) {
      const indexes = called(names);
      assertRefused(
        indexes.map((index) => EVERY_FUNCTION[index] ?? [""]),
        indexes.map((index) => outcomes[index] ?? {}),
        flags,
      );
    }
  },
);

const FFI_FLAG = BACKEND === "koffi" ? "--allow-addons" : "--allow-ffi";

test(
  "Node's permission model: the flag for native libraries is the one of the FFI in use",
  inNode(),
  async () => {
    const flags = ["--permission", "--allow-fs-read=*"];
    assertRefused(READERS, await callWith(flags, READERS), FFI_FLAG);
    const calls: ApiCall[] = [["verifyAllocator"]];
    const [outcome] = await callWith<Verification>([...flags, FFI_FLAG], calls);
    assert.equal(outcome?.value?.memoryAllocatorVerified, true, String(outcome?.error?.message));
  },
);

test(
  "Node's permission model: what may not be read is named, with Node's own flag",
  inOneNode(),
  async () => {
    const sources = ["ffi", "lib", "mod.ts", "package.json", "tests", "build/tests/bundles"];
    const koffi = ["node_modules/@koromix", "node_modules/koffi"];
    const readable = [...sources, ...koffi].map((name) => `--allow-fs-read=${join(ROOT, name)}`);
    const flags = ["--permission", FFI_FLAG, ...readable];
    const outcomes = await callWith(flags, EVERY_FUNCTION);
    assertRefused(EVERY_FUNCTION, outcomes, "--allow-fs-read=*", /(look|read) /);
  },
);

test(
  "Node with --no-experimental-ffi uses koffi, and its flag is --allow-addons",
  inNodeFfi(),
  async () => {
    const calls: ApiCall[] = [["backend"], ["verifyAllocator"]];
    const [backend, verified] = await callWith(["--no-experimental-ffi"], calls);
    assert.equal(backend?.value, "koffi");
    assert.equal((verified?.value as Verification).memoryAllocatorVerified, true);
    const flags = ["--no-experimental-ffi", "--permission", "--allow-fs-read=*"];
    assertRefused(READERS, await callWith(flags, READERS), "--allow-addons", /package "koffi"/);
  },
);

/** The program in a directory without packages. */
function childAlone(directory: string): string {
  const child = join(directory, "api-child.mjs");
  bundleProgram(API_CHILD, child, []);
  return child;
}

test("Node with neither node:ffi nor koffi gets the advice what to install", inNode(), async () => {
  const child = childAlone(temporaryDirectory());
  const flags = BACKEND === "node:ffi" ? ["--no-experimental-ffi"] : [];
  const calls = [...READERS, ["backend"] as const];
  for (const { error } of await callWith(flags, calls, child)) {
    assert.equal(error?.name, "UnsupportedRuntimeError", String(error?.message));
    assert.equal(error?.code, "ERR_OFFHEAP_UNSUPPORTED_RUNTIME");
    assert.match(String(error?.message), /^Cannot use native libraries in Node \d+\.\d+\.\d+: /);
    assert.match(
      String(error?.message),
      /"koffi" could not be loaded \(Cannot find module 'koffi'/,
    );
    assert.match(String(error?.message), /"npm install koffi", or use Node 26/);
  }
});

test(
  "a koffi that is there but does not load is distinguished from one that is missing",
  inOneNode(),
  async () => {
    const directory = temporaryDirectory();
    const broken = join(directory, "node_modules", "koffi");
    mkdirSync(broken, { recursive: true });
    writeFileSync(join(broken, "package.json"), '{ "main": "index.cjs" }');
    writeFileSync(join(broken, "index.cjs"), 'throw new Error("wrong machine");');
    const child = childAlone(directory);
    const flags = BACKEND === "node:ffi" ? ["--no-experimental-ffi"] : [];
    const [outcome] = await callWith(flags, [["backend"]], child);
    assert.equal(outcome?.error?.name, "UnsupportedRuntimeError");
    assert.match(String(outcome?.error?.message), /could not be loaded \(wrong machine\)/);
  },
);

test("the flag is the one that the runtime's own message ends with", () => {
  const refusal = (message: string) => Object.assign(new Error(message), { name: "NotCapable" });
  const cases: readonly (readonly [string, string, string])[] = [
    [
      'Requires read access to "/--allow-x", run again with the --allow-read flag',
      "",
      "--allow-read",
    ],
    [
      'Requires all access to "/proc/1/maps", run again with the --allow-all flag',
      "--allow-read",
      "--allow-all",
    ],
    ["Use --allow-fs-read to manage permissions.", "--allow-read", "--allow-fs-read=*"],
    [
      "Requires sys access, run again with the --allow-sys flag",
      "--allow-sys=uid",
      "--allow-sys=uid",
    ],
    ["No.", "--allow-ffi", "--allow-ffi"],
  ];
  for (const [message, fallback, flag] of cases) {
    const cause = refusal(message);
    assert.ok(isPermissionRefusal(cause));
    const error = permissionError("do it", fallback, cause);
    assert.equal(error.flag, flag);
    assert.equal(error.cause, cause);
  }
  assert.equal(isPermissionRefusal(new Error("--allow-read")), false);
});

test(
  "in a checkout, too, Node's permission model ends the command with a sentence",
  inOneNode(),
  async () => {
    const cli = join(ROOT, "lib", "cli.ts");
    const cases = [["verify", 1, ""], ["env", 125, `${SHELL_REFUSAL}\n`], [
      "run",
      125,
      "",
    ]] as const;
    for (const [command, status, stdout] of cases) {
      const ran = await runChild([process.execPath, "--permission", cli, command, "true"]);
      assert.equal(
        ran.stderr,
        "offheap: Cannot load the command: the runtime does not permit it. Run it with " +
          "--allow-fs-read=*, and with the flag for native code that it then asks for.\n",
      );
      assert.equal(ran.stdout, stdout);
      assert.equal(ran.status, status, command);
    }
  },
);

test(
  "what Deno does not permit is left out of a snapshot with the flags, and asked of nobody",
  inDeno(),
  async () => {
    const libraries = ["--allow-ffi", "--allow-read", "--allow-env"];
    const seen = [];
    for (const flags of [["--allow-env"], libraries]) {
      const [outcome] = await callWith<ProcessMemory>(flags, [["processMemory", { full: true }]]);
      const { kernel, group, parts, allocator } = outcome?.value as ProcessMemory;
      assert.ok((kernel.rss ?? 0) > 1e7 && (kernel.minorFaults ?? 0) > 1000);
      assert.match(kernel.absent.pss ?? "", /does not permit it: start it with --allow-all$/);
      assert.match(String(group), /start it with --allow-all$/);
      assert.deepEqual(parts.filter(({ bytes }) => bytes === 0), []);
      seen.push([allocator.name, allocator.figures.absent.allocated ?? ""]);
    }
    assert.deepEqual(seen, [
      [
        "unknown",
        "the runtime does not permit it: start it with --allow-read --allow-ffi",
      ],
      [IS_MUSL ? "musl" : "glibc", IS_MUSL ? "musl's malloc counts nothing" : ""],
    ]);
  },
);

test("what Node's permission model refuses is left out of a snapshot, too", inNode(), async () => {
  const flags = ["--permission", `--allow-fs-read=${ROOT}`, "--allow-fs-read=/tmp"];
  const [outcome] = await callWith<ProcessMemory>(flags, [["processMemory"]]);
  const { kernel, allocator } = outcome?.value as ProcessMemory;
  assert.ok((kernel.rss ?? 0) > 1e7);
  assert.match(kernel.absent.anonymous ?? "", /--allow-fs-read/);
  assert.match(allocator.figures.absent.allocated ?? "", /--allow-(ffi|addons)/);
});

test("a permission that a program gives back is missing from then on", inDeno(), async () => {
  const program = `
    import { missingFlags } from ${JSON.stringify(pathToFileURL(join(ROOT, "ffi", "mod.ts")))};
    const before = missingFlags(["read", "env"]);
    Deno.permissions.revokeSync({ name: "env" });
    console.log(JSON.stringify([before, missingFlags(["read", "env"])]));`;
  const { stdout, stderr } = await runChild([process.execPath, "eval", program]);
  assert.equal(stdout.trim(), JSON.stringify([[], ["--allow-env"]]), stderr);
});

test("Deno's missing flags are all named at once by each command", inDeno(), async () => {
  const cli = join(ROOT, "lib", "cli.ts");
  const libraries = "--allow-env --allow-read --allow-ffi";
  const commands: readonly (readonly [string, string, ...string[]])[] = [
    ["run -- true", "--allow-all"],
    ["run --library x -- true", "--allow-all"],
    ["env", libraries],
    ["verify", libraries],
    ["verify --integrity", libraries],
    ["info", "--allow-all"],
    ["serve --listen 127.0.0.1:0", "--allow-all"],
    ["ps", "--allow-all"],
    ["compare -- true", "--allow-all", "--allow-env", "--allow-read"],
    // They fail where ps does.
    ...(THOROUGH ? [`doctor ${process.pid}`, `heap --pid ${process.pid}`, "compare -- true"] : [])
      .map((command) => [command, "--allow-all"] as const),
  ];
  for (const [command, flags, ...permitted] of commands) {
    // Deno gives a Deno that it starts what it may do itself, unless it does not see which one it is.
    const script = 'exec "$RUNTIME" run --no-prompt --no-check --quiet "$@"';
    const { status, stderr } = await runChild(
      ["sh", "-c", script, "sh", ...permitted, cli, ...command.split(" ")],
      { variables: { RUNTIME: process.execPath } },
    );
    assert.equal(status, /^(run|env)/.test(command) ? 125 : 1, `${command}: ${stderr}`);
    const asked = `: the runtime does not permit it. Run the program with ${flags}.\n`;
    assert.ok(stderr.startsWith("offheap: Cannot ") && stderr.endsWith(asked), stderr);
  }
});

test(
  "Deno with a list of programs starts them by run --no-inherit, and not beside LD_PRELOAD",
  skipUnless(RUNTIME === "deno" && process.platform === "linux", "only Deno has such a list"),
  async () => {
    const script = join(temporaryDirectory(), "start.ts");
    const command = 'new Deno.Command("echo", { args: ["started"], stdout: "inherit" })';
    writeFileSync(script, `${command}.outputSync();\n`);
    const deno = [process.execPath, "run", "--no-prompt", "--no-check", "--quiet"];
    const start = (flag: string, ...options: readonly string[]) =>
      runChild(offheapCommand("run", ...options, "--", ...deno, flag, script));
    const refused = await start("--allow-run=echo");
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      /Requires --allow-run permissions to spawn subprocess with LD_PRE/,
    );
    const ways: readonly [string, ...string[]][] = [
      ["--allow-run"],
      ["--allow-run=echo", "--no-inherit"],
    ];
    for (const words of ways) {
      const { status, stdout, stderr } = await start(...words);
      assert.deepEqual([status, stdout], [0, "started\n"], `${words}: ${stderr}`);
    }
  },
);
