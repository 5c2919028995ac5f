import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import * as ffiErrors from "../../ffi/errors.ts";
import { ffi } from "../../ffi/mod.ts";
import { JEMALLOC_SYMBOLS } from "../../ffi/symbols/jemalloc.ts";
import { ElfError } from "../../lib/binary/elf.ts";
import { MachOError } from "../../lib/binary/macho.ts";
import { PeError } from "../../lib/binary/pe.ts";
import { SHELL_REFUSAL } from "../../lib/cli/shell-refusal.ts";
import { main } from "../../lib/cli/main.ts";
import * as libErrors from "../../lib/errors.ts";
import { RunError } from "../../lib/watch/compare/program.ts";
import * as offheap from "../../mod.ts";
import { compileProgram, compileShared, temporaryDirectory } from "../support/compile.ts";
import { onceAPush, THOROUGH } from "../support/effort.ts";
import { builtLibrary, offheapCommand, ROOT, runChild } from "../support/runtime.ts";

const directory = temporaryDirectory();

type Refusal = readonly [bad: unknown, kind: "TypeError" | "RangeError", message: RegExp];

/** The form of every refusal of a bad argument. */
const FORM = /^Cannot .+ must .+; got .+$/s;

/** What no options object is. */
const NO_OPTIONS: readonly Refusal[] = [5, NaN, -1, Infinity, 5n, "", "jemalloc", true, null]
  .map((bad): Refusal => [bad, "TypeError", /the (options|thresholds) must be an object; got /])
  .concat([
    [[], "TypeError", /must be an object; got \[\]$/],
    [["jemalloc"], "TypeError", /must be an object; got \[ 'jemalloc' \]/],
    [() => {}, "TypeError", /must be an object; got /],
    [Symbol("s"), "TypeError", /must be an object; got Symbol\(s\)/],
  ]);

const BAD_ALLOCATORS: readonly Refusal[] = [
  ...[5, NaN, null, true, {}, ["jemalloc"]].map((allocator): Refusal => [
    { allocator },
    "TypeError",
    /the allocator option must be a string; got /,
  ]),
  ...["", "hoard", "Jemalloc", "jemalloc ", "glibc", "__proto__"].map((allocator): Refusal => [
    { allocator },
    "RangeError",
    /must be one of auto, jemalloc, mimalloc, tcmalloc, system; got '/,
  ]),
];

const BAD_LIBRARIES: readonly Refusal[] = ["", "a\0b", 5, NaN, null, false, {}, ["/x.so"]]
  .map((library): Refusal => [
    { library },
    "TypeError",
    /the library must be a path that is not empty; got /,
  ]);

function unknownNames(known: string, ...names: string[]): Refusal[] {
  return names.map((name): Refusal => [
    Object.fromEntries([[name, undefined]]),
    "TypeError",
    new RegExp(`must be one of ${known}.*; got '${name}'$`),
  ]);
}

function badValues(
  name: string,
  wrong: readonly unknown[],
  unknown: readonly string[],
  message: RegExp,
): Refusal[] {
  return [
    ...wrong.map((value): Refusal => [{ [name]: value }, "TypeError", message]),
    ...unknown.map((value): Refusal => [{ [name]: value }, "RangeError", message]),
  ];
}

const VERIFY: readonly Refusal[] = [
  ...NO_OPTIONS,
  ...BAD_ALLOCATORS,
  ...BAD_LIBRARIES,
  ...unknownNames("allocator, library, variant", "alocator", "Allocator", "profile", "toString"),
  ...badValues(
    "variant",
    [5, null, true, {}],
    ["", "x", "Release", "constructor"],
    /the variant must be one of release, debug, secure, preload; got /,
  ),
  [{ allocator: "system", library: "/x.so" }, "TypeError", /library must be left out/],
  [{ allocator: "system", variant: "x" }, "RangeError", /the variant must be one of/],
];

const OPEN: readonly Refusal[] = [
  ...NO_OPTIONS,
  ...BAD_ALLOCATORS,
  ...BAD_LIBRARIES,
  ...unknownNames(
    "allocator, library, variant, leaks, onLeak, debug",
    "alocator",
    "Leaks",
    "profile",
    "toString",
  ),
  ...badValues(
    "variant",
    [5, null, true, {}],
    ["", "x", "Release", "constructor"],
    /the variant must be one of release, debug, secure, preload; got /,
  ),
  ...badValues(
    "leaks",
    [5, null, true, {}],
    ["", "x", "All", "constructor"],
    /leaks must be one of off, sampled, all; got /,
  ),
  ...badValues("onLeak", [5, null, "x", true], [], /onLeak must be a function; got /),
  ...badValues("onLeak", [{}], [], /onLeak must be a function; got \{\}$/),
  ...badValues("onLeak", [[]], [], /onLeak must be a function; got \[\]$/),
  ...badValues("debug", [0, 1, "", "yes", null, {}], [], /debug must be true or false; got /),
  [{ allocator: "system", library: "/x.so" }, "TypeError", /library must be left out/],
];

const INTEGRITY: readonly Refusal[] = [
  ...NO_OPTIONS,
  ...BAD_LIBRARIES,
  ...unknownNames("library", "allocator", "Library", "toString"),
];

const ADDRESS = /the address must be a whole number from [01] to 4503599627370496; got /;
const POINTER: readonly Refusal[] = [
  ...[-1, 0.5, NaN, Infinity, 2 ** 53].map((bad): Refusal => [bad, "RangeError", ADDRESS]),
  ...[5n, "5", null, undefined, {}, true].map((bad): Refusal => [bad, "TypeError", ADDRESS]),
];

/** What no address of memory is. */
const PLACE: readonly Refusal[] = [
  ...[-1, 0, 1.5, NaN, 2 ** 53].map((bad): Refusal => [bad, "RangeError", ADDRESS]),
  ...[undefined, null, "x", {}, [], 10n].map((bad): Refusal => [bad, "TypeError", ADDRESS]),
];

/** What no pointer of a runtime is; null is one. */
const FOREIGN_POINTER: readonly Refusal[] = [
  ...[-1, 1.5, NaN, 2 ** 53, -1n].map((
    bad,
  ): Refusal => [bad, "RangeError", /the pointer must be /]),
  ...[undefined, "x", {}, []].map((bad): Refusal => [bad, "TypeError", /the pointer must be /]),
];

const LIBRARY_PATH: readonly Refusal[] = [undefined, -1, {}, [], "", "a\0b", 5n]
  .map((bad): Refusal => [bad, "TypeError", /the path must be a path that is not empty, or null/]);

const LAUNCH: readonly Refusal[] = [
  ...NO_OPTIONS,
  ...BAD_ALLOCATORS,
  ...BAD_LIBRARIES,
  ...unknownNames("allocator, profile, secure, library", "variant", "command", "inherit", "Secure"),
  ...badValues(
    "profile",
    [5, null, true, {}],
    ["", "fast", "Balanced", "constructor"],
    /the profile must be one of balanced, throughput, low-memory; got /,
  ),
  ...badValues("secure", [0, 1, "", "yes", "false", null, {}], [], /secure must be true or false/),
  [{ allocator: "system", profile: "fast" }, "RangeError", /the profile must be one of/],
];

const NUMBERS = [
  "availableShareDegraded",
  "availableShareUnhealthy",
  "availableBytesDegraded",
  "availableBytesUnhealthy",
  "processShareDegraded",
  "processShareUnhealthy",
];

const HEALTH: readonly Refusal[] = [
  ...NO_OPTIONS,
  ...unknownNames(NUMBERS.join(", "), "availableShare", "allocator", "toString"),
  ...NUMBERS.flatMap((name): Refusal[] => [
    ...[NaN, -1, -Infinity, Infinity, 1e300].map((value): Refusal => [
      { [name]: value },
      "RangeError",
      new RegExp(`${name} must be a (share|number of bytes).*; got `),
    ]),
    ...["", "0.5", null, true, {}, [0.5], 1n].map((value): Refusal => [
      { [name]: value },
      "TypeError",
      new RegExp(`${name} must be a (share|number of bytes).*; got `),
    ]),
  ]),
  ...badValues(
    "allocatorUnverified",
    [5, null, true],
    ["", "sick"],
    /allocatorUnverified must be one of healthy, degraded, unhealthy; got /,
  ),
];

const REQUIRE: readonly Refusal[] = [
  ...[5, NaN, null, true, {}, ["jemalloc"]].map((bad): Refusal => [
    bad,
    "TypeError",
    /the allocator option must be a string; got /,
  ]),
  ...["", "hoard", "glibc", "constructor"].map((bad): Refusal => [
    bad,
    "RangeError",
    /must be one of auto, jemalloc, mimalloc, tcmalloc, system; got '/,
  ]),
];

const SELECT: readonly Refusal[] = [
  ...NO_OPTIONS,
  [undefined, "TypeError", /the options must be an object; got undefined/],
  [{}, "TypeError", /the platform must be a string; got undefined/],
  [{ platform: "plan9" }, "RangeError", /must be one of .*linux.*; got 'plan9'/],
  [{ platform: "linux", option: "" }, "RangeError", /must be one of auto, .*; got ''/],
  [{ platform: "linux", allocator: "jemalloc" }, "TypeError", /platform, option, environment;/],
  [{ platform: "linux", environment: 5 }, "TypeError", /the environment must be an object; got 5/],
];

const DECAY: readonly Refusal[] = [
  ...[-1, 0.5, NaN, 2 ** 31].map((bad): Refusal => [
    bad,
    "RangeError",
    /must be a whole number of milliseconds from 0 to 2147483647, or null .*; got /,
  ]),
  ...[undefined, "5", true, {}, 5n].map((bad): Refusal => [
    bad,
    "TypeError",
    /must be a whole number of milliseconds from 0 to 2147483647, or null .*; got /,
  ]),
];

const MEMORY: readonly Refusal[] = [
  ...NO_OPTIONS,
  ...unknownNames("full", "Full", "allocator", "toString"),
  ...badValues("full", [0, 1, "", "yes", null, {}], [], /full must be true or false; got /),
];

const MALLCTL: readonly Refusal[] = [
  ...NO_OPTIONS,
  ...BAD_LIBRARIES,
  ...unknownNames("library, variant", "Library", "allocator", "toString"),
];

const CALLBACK: readonly Refusal[] = [undefined, null, 5, "x", {}, []]
  .map((bad): Refusal => [bad, "TypeError", /the callback must be a function; got /]);

const DIAGNOSE: readonly Refusal[] = [
  ...NO_OPTIONS,
  [
    new AbortController().signal,
    "TypeError",
    /the signal must be in an object, \{ signal \}; got /,
  ],
  ...badValues("signal", [5, null, {}, "abort"], [], /the signal must be an AbortSignal; got /),
  ...unknownNames("watch, try, signal", "pid", "Watch", "toString"),
  ...[-1, NaN, Infinity].map((watch): Refusal => [
    { watch },
    "RangeError",
    /watch must be a number of milliseconds from 0 to \d+; got /,
  ]),
  ...["5", null, {}].map((watch): Refusal => [
    { watch },
    "TypeError",
    /watch must be a number of milliseconds from 0 to \d+; got /,
  ]),
  ...[5, "trim", null].map((bad): Refusal => [
    { try: bad },
    "RangeError",
    /try must be "purge"; got /,
  ]),
];

/** What takes no argument. */
const METRICS: readonly Refusal[] = [undefined, null, 5, "x", {}, [], () => {}]
  .map((
    bad,
  ): Refusal => [bad, "TypeError", /the registry must be a Registry .* or a Meter .*; got /]);

const REQUEST: readonly Refusal[] = [undefined, null, 5, "x", {}, { method: "GET" }]
  .map((bad): Refusal => [bad, "TypeError", /the request must have a method and a url; got /]);

const KEEP: readonly Refusal[] = [
  ...NO_OPTIONS,
  ...unknownNames("directory, keep, atGrowth, atSignal, interval", "path", "Keep", "toString"),
  [{ atGrowth: 1 }, "TypeError", /directory must be a path; got undefined/],
  [{ directory: "/tmp" }, "TypeError", /atGrowth or atSignal must be given; got neither/],
  ...["", 5, null, "a\0b"].map((directory): Refusal => [
    { directory, atGrowth: 1 },
    "TypeError",
    /directory must be a path that is not empty; got /,
  ]),
  ...[0, -1, 1.5, NaN, Infinity].flatMap((bad) =>
    ["keep", "atGrowth", "interval"].map((name): Refusal => [
      { directory: "/tmp", atGrowth: 1, [name]: bad },
      "RangeError",
      new RegExp(`${name} must be a whole number above 0; got `),
    ])
  ),
  ...["SIGUSR1", "USR2", "SIGFOO", ""].map((atSignal): Refusal => [
    { directory: "/tmp", atSignal },
    "RangeError",
    /atSignal must be a signal's name other than SIGUSR1, such as SIGUSR2; got /,
  ]),
];

const WITHOUT_ARGUMENTS = ["collectProcess", "purgeProcess"];

const TABLE: Readonly<Record<string, readonly Refusal[]>> = {
  verifyAllocator: VERIFY,
  getSystemInfo: VERIFY,
  getAllocatorInfo: VERIFY,
  launchEnvironment: LAUNCH,
  healthCheck: HEALTH,
  requireAllocator: REQUIRE,
  selectAllocator: SELECT,
  openAllocator: OPEN,
  nativePointer: POINTER,
  nativeAddress: FOREIGN_POINTER,
  borrow: PLACE,
  cStringLength: PLACE,
  openLibrary: LIBRARY_PATH,
  verifyIntegrity: INTEGRITY,
  decayProcess: DECAY,
  processMemory: MEMORY,
  openMallctl: MALLCTL,
  onMemoryPressure: CALLBACK,
  diagnoseMemory: DIAGNOSE,
  registerMetrics: METRICS,
  heapProfileHandler: REQUEST,
  heapProfileListener: REQUEST,
  keepHeapProfiles: KEEP,
};

for (const [name, refusals] of Object.entries(TABLE)) {
  test(`${name} refuses every bad argument by name and value`, async () => {
    for (const [bad, kind, message] of refusals) {
      // One of them answers by a promise.
      const call = async () => await Reflect.apply(Reflect.get(offheap, name), undefined, [bad]);
      await assert.rejects(
        call,
        (error: unknown) => {
          assert.ok(error instanceof Error);
          assert.equal(error.name, kind, error.message);
          assert.match(error.message, FORM);
          assert.match(error.message, message);
          return true;
        },
        `${name} took ${JSON.stringify(bad, (_, value) => typeof value === "bigint" ? "" : value)}`,
      );
    }
  });
}

test("every exported function is in that table", () => {
  const functions = Object.entries(offheap)
    .filter(([name, value]) => typeof value === "function" && !/Error$/.test(name));
  const known = [...Object.keys(TABLE), ...WITHOUT_ARGUMENTS];
  assert.deepEqual(known.sort(), functions.map(([name]) => name).sort());
});

test("options that are left out, undefined or auto are no bad input", () => {
  const none = { allocator: undefined, library: undefined, variant: undefined };
  assert.equal(offheap.verifyAllocator(none).memoryAllocator, "jemalloc");
  assert.equal(offheap.getAllocatorInfo({ allocator: "auto" }).name, "jemalloc");
  const launch = {
    allocator: undefined,
    profile: undefined,
    secure: undefined,
    library: undefined,
  };
  assert.deepEqual(offheap.launchEnvironment(launch), offheap.launchEnvironment());
  assert.equal(offheap.healthCheck({}).checks.length, 4);
});

/** Runs the command line in this process; nothing of what is tried here gets to start a command. */
async function commandLine(args: readonly string[]): Promise<{ status: number; stderr: string }> {
  const write = process.stderr.write;
  let stderr = "";
  process.stderr.write = (text: string | Uint8Array) => {
    stderr += typeof text === "string" ? text : new TextDecoder().decode(text);
    return true;
  };
  try {
    return { status: await main(args), stderr };
  } finally {
    process.stderr.write = write;
  }
}

const COMMAND_LINES:
  readonly (readonly [line: readonly string[], status: number, message: RegExp])[] = [
    [["doctor"], 2, /name the process, as in "offheap doctor 123"/],
    ...["0", "-1", "abc", "", "1.5", "1e3", "0x10", " 1", "9".repeat(30), "NaN"].map((pid) =>
      [["doctor", `--pid=${pid}`], 2, /It must be a process ID, such as 123/] as const
    ),
    [["doctor", "--pid", "99999999"], 1, /^offheap: Cannot examine process 99999999: there is no/],
    [["verify", "--expect", "x"], 2, /choices are jemalloc, mimalloc, tcmalloc, glibc/i],
    [["verify", "--expect", ""], 2, /choices are jemalloc, mimalloc, tcmalloc, glibc/i],
    [["verify", "--expect"], 2, /argument missing/],
    [["verify", "--integrity", "--expect", "glibc"], 2, /'--integrity' cannot be used with/],
    [["verify", "surplus"], 2, /too many arguments/],
    [["info", "--jason"], 2, /unknown option '--jason'/],
    [["env", "--format", "xml"], 2, /choices are sh, dotenv, docker, systemd, json/i],
    [["env", "--format", ""], 2, /choices are sh/i],
    [["env", "--profile", ""], 2, /choices are balanced, throughput, low-memory/i],
    [["env", "--allocator", ""], 2, /choices are auto, jemalloc, mimalloc, tcmalloc, system/i],
    [["env", "--library", ""], 2, /It must be the path of a file/],
    [["env", "--library", "/nonexistent.so"], 125, /^offheap: Cannot find jemalloc.*nonexistent/s],
    [["env", "--library", "/tmp"], 125, /^offheap: Cannot load "\/tmp": it is not a regular file/],
    [["env", "-a", "system", "--library", "/x.so"], 125, /^offheap: Cannot preload "\/x\.so"/],
    [["env", "-a", "system", "--secure"], 125, /^offheap: Cannot run the system's allocator/],
    [["run", "--library", "", "--", "true"], 125, /It must be the path of a file/],
    [["run", "--library", "/tmp", "--", "true"], 125, /^offheap: Cannot load "\/tmp"/],
    [["run", "--profile", "fast", "--", "true"], 125, /choices are balanced/i],
    [["run", "--allocator", "", "--", "true"], 125, /choices are auto/i],
    [["run", "--", ""], 127, /^offheap: Cannot run a command: its name is empty/],
    [["run", "--"], 125, /missing required argument 'command'/],
    [[""], 2, /unknown command ''/],
    [["--nothing"], 2, /unknown option '--nothing'/],
  ];

test("the command line refuses bad options with one sentence and its own status", async () => {
  for (const [line, status, message] of COMMAND_LINES) {
    const result = await commandLine(line);
    assert.equal(result.status, status, `offheap ${line.join(" ")}: ${result.stderr}`);
    assert.match(result.stderr, message, line.join(" "));
    assert.doesNotMatch(result.stderr, /\n\s+at /, "a refusal is a sentence, not a stack");
  }
});

const ONCE = onceAPush("bad options are refused in this process in each runtime");

test("bad variables are refused like options, and the process's status says so", ONCE, async () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["OFFHEAP_ALLOCATOR", "hoard", /OFFHEAP_ALLOCATOR must be one of auto, .*; got 'hoard'/],
    ["OFFHEAP_LIBRARY", directory, /is not a regular file/],
  ];
  for (const [name, value, message] of cases) {
    const command = offheapCommand("env");
    const { status, stdout, stderr } = await runChild(command, { variables: { [name]: value } });
    assert.deepEqual([status, stdout], [125, `${SHELL_REFUSAL}\n`]);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n\s+at /);
  }
});

function written(name: string, bytes: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}

function altered(name: string, change: (bytes: Uint8Array) => Uint8Array): string {
  return written(name, change(new Uint8Array(readFileSync(builtLibrary("jemalloc")))));
}

function namedPipe(): string {
  const path = join(directory, "pipe.so");
  execFileSync("mkfifo", [path]);
  return path;
}

/** Files that are no library to load, and what is said of each. */
const NO_LIBRARIES: readonly {
  readonly what: string;
  readonly path: () => string;
  readonly refusal: RegExp;
  /** Some program may run with it: that shows only when it is known which. */
  readonly mayFit?: true;
}[] = [
  {
    what: "a text",
    path: () => written("text.so", "This is no library.\n"),
    refusal: /^Cannot load ".*text\.so": it is not an ELF file/,
  },
  {
    what: "an empty file",
    path: () => written("empty.so", ""),
    refusal: /^Cannot load ".*empty\.so": it is not an ELF file/,
  },
  {
    what: "half a library",
    path: () => altered("half.so", (bytes) => bytes.slice(0, bytes.length >> 1)),
    refusal: /^Cannot load ".*half\.so": its ELF file is truncated or damaged/,
  },
  {
    what: "a library for another processor",
    path: () => altered("arm.so", (bytes) => bytes.with(18, 183)),
    refusal: /^Cannot load ".*arm\.so": .* If the file is there, it is made for another machine/,
    mayFit: true,
  },
  {
    what: "a directory",
    path: () => {
      mkdirSync(join(directory, "directory.so"));
      return join(directory, "directory.so");
    },
    refusal: /^Cannot load ".*directory\.so": it is not a regular file/,
  },
  {
    what: "a named pipe",
    path: namedPipe,
    refusal: /^Cannot load ".*pipe\.so": it is not a regular file/,
  },
  {
    what: "a program",
    // Each night one of a hundred megabytes, all of which is read.
    path: () => THOROUGH ? process.execPath : compileProgram("hello.c", "bad-input-hello"),
    refusal: /^Cannot (load|use|preload|run a command under) "/,
  },
];

for (const { what, path, refusal, mayFit } of NO_LIBRARIES) {
  test(`${what} as a library is a finding for verification, and refused for a launch`, () => {
    const library = path();
    const found = offheap.verifyAllocator({ library });
    assert.equal(found.memoryAllocatorVerified, false);
    assert.equal(found.memoryAllocatorVersion, null);
    assert.deepEqual([found.processAllocator, found.processAllocatorVerified], ["glibc", true]);
    const [item, ...more] = found.evidence.filter(({ scope }) => scope === "library");
    assert.deepEqual([item?.check, item?.outcome, more], ["symbol", "fail", []]);
    assert.match(String(item?.detail), refusal);
    if (mayFit === true) return;
    assert.throws(() => offheap.launchEnvironment({ library }), (error: unknown) => {
      assert.ok(error instanceof offheap.OffheapError, String(error));
      assert.match(error.message, refusal);
      return true;
    });
  });
}

test("a library whose static TLS finds no room says to preload it or to build one", () => {
  const path = compileShared("static-tls.c", "static-tls.so");
  assert.throws(() => ffi().open(path, { mallctl: JEMALLOC_SYMBOLS.mallctl }), (error) => {
    assert.ok(error instanceof offheap.LibraryLoadError, String(error));
    assert.match(error.message, /^Cannot load ".*static-tls\.so": .*static TLS/);
    assert.match(
      error.message,
      /preload it with "offheap run", or build one .*"npx @offheap\/build"\.$/,
    );
    assert.deepEqual(error.attempts.map((attempt) => attempt.path), [path]);
    assert.match(String(error.attempts[0]?.outcome), /static TLS/);
    return true;
  });
  const found = offheap.verifyAllocator({ library: path });
  assert.match(String(found.evidence[0]?.detail), /static TLS.*preload it/);
  assert.equal(found.library, null);
  assert.equal(offheap.getAllocatorInfo({ library: path }).library, null);
});

/** The files that are open or mapped; pipes and sockets come and go with the runtime. */
function heldFiles(): Set<string> {
  const held = new Set(readFileSync("/proc/self/maps", "utf8").match(/\/\S+$/gm));
  for (const descriptor of readdirSync("/proc/self/fd")) {
    try {
      const target = readlinkSync(`/proc/self/fd/${descriptor}`);
      if (target.startsWith("/") && !target.startsWith("/proc/")) held.add(target);
    } catch {
      // The descriptor of the listing itself is closed by now.
    }
  }
  return held;
}

function assertNothingMore(before: ReadonlySet<string>): void {
  assert.deepEqual([...heldFiles()].filter((file) => !before.has(file)), []);
}

test("after a hundred failures nothing is left open or mapped", () => {
  const decoy = compileShared("decoy-version.c", "bad-input-decoy.so");
  const broken = written("broken.so", "no library");
  const missing = { offheap_no_such_function: JEMALLOC_SYMBOLS.mallctl };
  const copies = Array.from({ length: 20 }, (_, index) => join(directory, `copy-${index}.so`));
  for (const copy of copies) copyFileSync(decoy, copy);
  const fail = (path: string) => {
    // One symbol is there, the other is not: the library is opened, and then refused.
    assert.throws(
      () => ffi().open(path, { mi_version: { parameters: [], result: "i32" }, ...missing }),
      { name: "SymbolError", message: /does not export offheap_no_such_function\./ },
    );
    assert.throws(() => ffi().open(path, missing), { name: "SymbolError" });
    assert.throws(() => ffi().open(broken, missing), { name: "LibraryLoadError" });
    assert.throws(() => ffi().open(`${path}.gone`, missing), { name: "LibraryLoadError" });
    assert.throws(() => ffi().open(null, missing), { name: "SymbolError" });
  };
  fail(decoy);
  const before = heldFiles();
  for (const copy of copies) fail(copy);
  assertNothingMore(before);
});

test("a failed verification or launch leaves no library open either", () => {
  const decoys = [
    compileShared("decoy-version.c", "bad-input-mimalloc.so"),
    compileShared("decoy-version.c", "bad-input-jemalloc.so", ["-DDECOY_MALLCTL"]),
    compileShared("decoy-names.c", "bad-input-names.so"),
  ];
  const before = heldFiles();
  decoys.forEach((decoy, index) => {
    const library = join(directory, `held-${index}.so`);
    copyFileSync(decoy, library);
    for (const allocator of ["jemalloc", "mimalloc"] as const) {
      assert.equal(offheap.getAllocatorInfo({ allocator, library }).verified, false);
      const launch = () => offheap.launchEnvironment({ allocator, library });
      // Those with mi_version report a version: that they are decoys shows only in the process.
      if (allocator === "mimalloc" && index !== 1) {
        assert.equal(launch().LD_PRELOAD, `${library}:${builtLibrary("offheap")}`);
      } else assert.throws(launch, { name: "LaunchError", message: /does not report its version/ });
    }
  });
  assertNothingMore(before);
});

const CAUSE = new Error("cause");

/** Every kind of error, made as it is thrown, with its code and its own fields. */
const ERRORS:
  readonly (readonly [Error, code: string, fields: Readonly<Record<string, unknown>>])[] = [
    [
      new offheap.OffheapError("ERR_OFFHEAP_X", "x", { cause: CAUSE }),
      "ERR_OFFHEAP_X",
      { message: "x", cause: CAUSE },
    ],
    [
      new offheap.LibraryLoadError("x", [{ origin: "o", path: "p", outcome: "q" }], {
        cause: CAUSE,
      }),
      "ERR_OFFHEAP_LIBRARY_LOAD",
      { attempts: [{ origin: "o", path: "p", outcome: "q" }], cause: CAUSE },
    ],
    [
      new offheap.SymbolError("/x.so", ["a", "b"]),
      "ERR_OFFHEAP_SYMBOL",
      { path: "/x.so", symbols: ["a", "b"] },
    ],
    [
      new offheap.PermissionError("do it", "--allow-ffi"),
      "ERR_OFFHEAP_PERMISSION",
      { flag: "--allow-ffi" },
    ],
    [new offheap.UnsupportedRuntimeError("x"), "ERR_OFFHEAP_UNSUPPORTED_RUNTIME", {}],
    [new ffiErrors.LibraryClosedError("/x.so", "f"), "ERR_OFFHEAP_LIBRARY_CLOSED", {}],
    [new offheap.VerificationError("x"), "ERR_OFFHEAP_VERIFICATION", {}],
    [new offheap.MallctlError("opt.x", 2), "ERR_OFFHEAP_MALLCTL", { key: "opt.x", errno: 2 }],
    [new offheap.LaunchError("x"), "ERR_OFFHEAP_LAUNCH", { status: 125 }],
    [new offheap.BuildError("x"), "ERR_OFFHEAP_BUILD", {}],
    [new libErrors.AgentError("x"), "ERR_OFFHEAP_AGENT", {}],
    [new libErrors.CompareError("x"), "ERR_OFFHEAP_COMPARE", {}],
    [new libErrors.HeapProfileError("x"), "ERR_OFFHEAP_HEAP_PROFILE", {}],
    [new RunError("x"), "ERR_OFFHEAP_RUN", {}],
    [new libErrors.DoctorError("x"), "ERR_OFFHEAP_DOCTOR", {}],
    [new offheap.SystemInfoError("x"), "ERR_OFFHEAP_SYSTEM_INFO", {}],
    [new ElfError("x"), "ERR_OFFHEAP_ELF", {}],
    [new MachOError("x"), "ERR_OFFHEAP_MACHO", {}],
    [new PeError("x"), "ERR_OFFHEAP_PE", {}],
    [
      new offheap.OutOfMemoryError("a block", 5, 16),
      "ERR_OFFHEAP_OUT_OF_MEMORY",
      { size: 5, alignment: 16 },
    ],
    [new offheap.BlockError("freed", "x"), "ERR_OFFHEAP_BLOCK", { reason: "freed" }],
    [
      new offheap.ClosedError("do it", "it was closed"),
      "ERR_OFFHEAP_CLOSED",
      { message: "Cannot do it: it was closed." },
    ],
    [new offheap.PoolExhaustedError(2), "ERR_OFFHEAP_POOL_EXHAUSTED", { max: 2 }],
    [new offheap.UnsupportedOperationError("x"), "ERR_OFFHEAP_UNSUPPORTED_OPERATION", {}],
  ];

test("each kind of error has one class, its name, and a code that is its own", () => {
  const names = ERRORS.map(([error, code, fields]) => {
    assert.ok(error instanceof offheap.OffheapError);
    assert.equal(error.code, code);
    assert.equal(error.name, error.constructor.name);
    assert.match(String(error.stack), new RegExp(`^${error.name}: `));
    for (const [field, value] of Object.entries(fields)) {
      assert.deepEqual(Reflect.get(error, field), value, `${error.name}.${field}`);
    }
    return error.name;
  });
  assert.equal(new Set(ERRORS.map(([, code]) => code)).size, ERRORS.length);
  const sources = ["ffi", "lib"].flatMap((part) =>
    readdirSync(join(ROOT, part), { recursive: true }).map((file) => join(ROOT, part, String(file)))
  );
  const declared = sources.filter((file) => file.endsWith(".ts")).flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/\bclass (\w+) extends \w*Error\b/g)]
      .map(([, name]) => name)
  );
  assert.deepEqual(names.sort(), declared.sort());
});
