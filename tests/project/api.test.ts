import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runtimeInfo } from "../../ffi/mod.ts";
import * as offheap from "../../mod.ts";
import { bundleProgram } from "../support/bundle.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { FIXTURES, ROOT, runChild, runtimeCommand, sourceCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const FUNCTIONS = [
  "borrow",
  "cStringLength",
  "collectProcess",
  "decayProcess",
  "diagnoseMemory",
  "getAllocatorInfo",
  "getSystemInfo",
  "healthCheck",
  "heapProfileHandler",
  "heapProfileListener",
  "keepHeapProfiles",
  "launchEnvironment",
  "nativeAddress",
  "nativePointer",
  "onMemoryPressure",
  "openAllocator",
  "openLibrary",
  "openMallctl",
  "processMemory",
  "purgeProcess",
  "registerMetrics",
  "requireAllocator",
  "selectAllocator",
  "verifyAllocator",
  "verifyIntegrity",
];

const ERRORS = [
  "BlockError",
  "BuildError",
  "ClosedError",
  "HeapProfileError",
  "LaunchError",
  "LibraryClosedError",
  "LibraryLoadError",
  "MallctlError",
  "OffheapError",
  "OutOfMemoryError",
  "PermissionError",
  "PoolExhaustedError",
  "SymbolError",
  "SystemInfoError",
  "UnsupportedOperationError",
  "UnsupportedRuntimeError",
  "VerificationError",
];

const CONSTANTS = [
  "ALLOCATOR_FIGURES",
  "ALLOCATOR_NAMES",
  "ALLOCATOR_POLICY",
  "FRAGMENTATION_FIGURES",
  "GROUP_FIGURES",
  "HEAP_SOURCES",
  "JAVASCRIPT_FIGURES",
  "KERNEL_FIGURES",
  "MALLCTL_COMMANDS",
  "MALLCTL_KEYS",
  "MALLCTL_MUTEXES",
  "MALLCTL_MUTEX_COUNTERS",
  "MALLCTL_SETTINGS",
  "MALLCTL_STATISTICS",
  "MALLCTL_WRITABLE_KEYS",
  "MEMORY_PARTS",
  "PROFILE_NAMES",
  "VERSION",
  "heapProfile",
  "mallctl",
];

const TYPES = [
  "Address",
  "AdoptOptions",
  "AgentOptions",
  "AllocateFromOptions",
  "AllocateOptions",
  "Allocator",
  "AllocatorChoice",
  "AllocatorFigure",
  "AllocatorFigures",
  "AllocatorInfo",
  "AllocatorName",
  "AllocatorPolicyRow",
  "AllocatorRequest",
  "AllocatorSelection",
  "AllocatorStatistics",
  "Arena",
  "ArenaAllocateOptions",
  "ArenaFromOptions",
  "ArenaMark",
  "ArenaOptions",
  "ArenaStatistics",
  "Arguments",
  "Block",
  "BlockAllocator",
  "BlockErrorReason",
  "BlockHandle",
  "BorrowOptions",
  "Borrowed",
  "CachedAllocator",
  "CachedStatistics",
  "Call",
  "Calls",
  "ContextFunctions",
  "CountedAllocator",
  "DiagnoseOptions",
  "Evidence",
  "EvidenceCheck",
  "EvidenceScope",
  "Figures",
  "Fragmentation",
  "FragmentationFigure",
  "FrameKind",
  "GroupFigure",
  "GroupFigures",
  "HealthCheck",
  "HealthCheckName",
  "HealthReport",
  "HealthStatus",
  "HealthThresholds",
  "Heap",
  "HeapAmount",
  "HeapFrame",
  "HeapMapping",
  "HeapProfile",
  "HeapProfileOptions",
  "HeapProfiler",
  "HeapProfilingOptions",
  "HeapSample",
  "HeapSource",
  "HeapStatistics",
  "InstrumentOptions",
  "IntegrityOptions",
  "IntegrityReport",
  "IntegrityVerdict",
  "JavaScriptFigure",
  "JavaScriptFigures",
  "KeepOptions",
  "KernelFigure",
  "KernelFigures",
  "LaunchOptions",
  "LeakKind",
  "LeakLevel",
  "LeakReport",
  "Lease",
  "LibraryIntegrity",
  "LibraryOrigin",
  "LibraryReport",
  "LoadAttempt",
  "Mallctl",
  "MallctlCommand",
  "MallctlKeys",
  "MallctlMutexKeys",
  "MallctlName",
  "MallctlType",
  "MallctlValue",
  "MallctlValues",
  "MemoryFinding",
  "MemoryPart",
  "MemoryParts",
  "MemoryPressure",
  "MemoryReport",
  "MemoryTrends",
  "MemoryVerdict",
  "MetricMeter",
  "MetricObserver",
  "MetricRegistry",
  "NativeFunctions",
  "NativeLibrary",
  "NativePointer",
  "OpenOptions",
  "OptionValue",
  "OwnLimit",
  "ParameterType",
  "ParameterTypes",
  "PartName",
  "Pool",
  "PoolOptions",
  "PoolStatistics",
  "PressureOptions",
  "PressureReading",
  "PressureSource",
  "ProcessAllocator",
  "ProcessMemory",
  "ProcessMemoryOptions",
  "ProfileName",
  "PurgeOutcome",
  "Purged",
  "RawAllocator",
  "ReallocateOptions",
  "ResultType",
  "ResultTypes",
  "RuntimeAllocator",
  "RuntimeInfo",
  "SymbolSignature",
  "SymbolTable",
  "SystemInfo",
  "Trend",
  "Variant",
  "Verification",
  "VerifyOptions",
  "ViewConstructor",
  "ViewOf",
  "WaitOptions",
  "WritableMallctl",
  "WritableValue",
];

/** A string literal in one line, or a comment. */
const STRING_OR_COMMENT =
  /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

interface Source {
  /** The path below the root. */
  readonly path: string;
  /** The code, without comments and with empty string literals. */
  readonly code: string;
  /** What is in string literals. */
  readonly strings: readonly string[];
}

function readSource(path: string): Source {
  const text = readFileSync(join(ROOT, path), "utf8");
  const strings: string[] = [];
  const code = text.replace(STRING_OR_COMMENT, (_, string: string | undefined) => {
    if (string === undefined) return "";
    strings.push(string.slice(1, -1));
    return '""';
  });
  return { path, code, strings };
}

function sourcesOf(directory: string): Source[] {
  return readdirSync(join(ROOT, directory), { recursive: true }).map(String).sort()
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readSource(`${directory}/${name}`));
}

const FFI = sourcesOf("ffi");
const LIB = sourcesOf("lib");
const MOD = readSource("mod.ts");

test("mod.ts exports exactly the expected names", () => {
  assert.deepEqual(Object.keys(offheap).sort(), [...FUNCTIONS, ...ERRORS, ...CONSTANTS].sort());
  for (const name of FUNCTIONS) assert.equal(typeof Reflect.get(offheap, name), "function", name);
});

test("mod.ts has nothing but re-exports after the refusal of old Node, of exactly the expected values and types", () => {
  const exported: string[] = [];
  const rest = MOD.code.replace(/^export (type )?\{([^}]*)\} from "";$/gm, (_, all, names) => {
    for (const name of names.split(",").map((part: string) => part.trim()).filter(Boolean)) {
      exported.push(all === undefined ? name : `type ${name}`);
    }
    return "";
  });
  assert.equal(rest.trim(), 'import "";');
  assert.equal(MOD.strings[0], "./lib/supported.ts", "it comes before all others");
  const types = TYPES.map((name) => `type ${name}`);
  assert.deepEqual(exported.sort(), [...FUNCTIONS, ...ERRORS, ...CONSTANTS, ...types].sort());
});

test("the version is the one of both manifests", () => {
  for (const file of ["package.json", "deno.json"]) {
    const { version } = JSON.parse(readFileSync(join(ROOT, file), "utf8"));
    assert.equal(offheap.VERSION, version, file);
  }
});

test("importing mod.ts does no work: nothing is opened, read, started or loaded", async () => {
  const { stdout, stderr } = await runChild(sourceCommand(join(FIXTURES, "import-only.ts")));
  assert.notEqual(stdout, "", stderr);
  const { imported, before, after, called } = JSON.parse(stdout);
  assert.deepEqual(imported, []);
  assert.deepEqual(after, before);
  // That the watch sees something at all shows when a function is called. Node shows all of it.
  const expected = runtimeInfo().name === "node" ? "fs.readFileSync" : "process.env";
  assert.ok(called.includes(expected), JSON.stringify(called));
});

test(
  "importing mod.ts needs no permission",
  skipUnless(runtimeInfo().name === "deno", "only Deno can forbid a program everything"),
  async () => {
    const flags = [
      "--no-prompt",
      "--no-check",
      "--quiet",
      "--deny-env",
      "--deny-ffi",
      "--deny-read",
    ];
    const denied = ["--deny-sys", "--deny-run", "--deny-net", "--deny-write"];
    const script = join(FIXTURES, "print-version.ts");
    const command = [process.execPath, "run", ...flags, ...denied, script] as const;
    const { stdout, stderr } = await runChild([...command]);
    assert.equal(stdout, `${offheap.VERSION}\n`, stderr);
  },
);

test("a runtime's name is known in the adapters and where one is picked, and nowhere else", () => {
  const names = [
    "adapters/bun",
    "adapters/deno",
    "adapters/koffi",
    "adapters/native-pointer",
    "adapters/node-common",
    "adapters/node",
    "mod",
    "programs",
  ];
  const allowed = names.map((name) => `ffi/${name}.ts`);
  const known = [...FFI, ...LIB, MOD].filter(({ code, strings }) =>
    /\b(Deno|Bun)\b/.test(code) ||
    strings.some((text) => /^(deno|bun|node)$|bun:ffi|node:ffi|koffi/i.test(text))
  );
  assert.deepEqual(known.map(({ path }) => path), allowed);
});

/** The modules of this repository that a source names, below the root. */
function importsOf({ path, code, strings }: Source): string[] {
  assert.ok(/\b(import|export)\b/.test(code), path);
  return strings.filter((text) => /^\.\.?\/.*\.ts$/.test(text))
    .map((text) => relative(ROOT, normalize(join(ROOT, dirname(path), text))));
}

test("imports go one way: ffi, then lib, then mod.ts and the command line", () => {
  for (const source of FFI) {
    for (const imported of importsOf(source)) assert.match(imported, /^ffi\//, source.path);
  }
  const types = FFI.find(({ path }) => path === "ffi/types.ts");
  assert.ok(types);
  assert.deepEqual(importsOf(types), ["ffi/adapters/native-pointer.ts"]);
  for (const source of LIB) {
    const outermost = /^lib\/cli[./]/.test(source.path);
    const below = outermost ? /^(ffi|lib)\// : /^(ffi|lib\/(?!cli))/;
    for (const imported of importsOf(source)) assert.match(imported, below, source.path);
  }
});

test("nothing waits at the top level: what does cannot be required", () => {
  const waiting = [...FFI, ...LIB, MOD].filter(({ code }) =>
    code.split("\n").some((line) => /^\S.*\bawait\b/.test(line) && !/\bfunction\b/.test(line))
  );
  assert.deepEqual(waiting.map(({ path }) => path), []);
});

test("an error has its class's name, and its stack begins with it", () => {
  for (const name of ERRORS) {
    const Kind = Reflect.get(offheap, name) as { readonly prototype: Error };
    assert.equal(Kind.prototype.name, name);
  }
  const error = new offheap.BlockError("freed", "Cannot free it.");
  assert.equal(String(error), "BlockError: Cannot free it.");
  assert.match(error.stack ?? "", /^BlockError: Cannot free it\.\n/);
});

test("an error keeps its name in a program that a minifier has made", async () => {
  const directory = temporaryDirectory();
  const [program, bundle] = [join(directory, "program.ts"), join(directory, "bundle.mjs")];
  writeFileSync(
    program,
    `import { BlockError } from ${JSON.stringify(join(ROOT, "mod.ts"))};
    const { name, stack } = new BlockError("freed", "Cannot.");
    console.log(name, stack.split("\\n")[0], BlockError.name === name);`,
  );
  bundleProgram(program, bundle, ["--minify"]);
  const { stdout, stderr } = await runChild(runtimeCommand(bundle));
  assert.equal(stdout, "BlockError BlockError: Cannot. false\n", stderr);
});
