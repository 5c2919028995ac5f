/**
 * The programs that the installed packages are tried with.
 *
 * @module
 */

const BODY = `
const report = offheap.verifyAllocator();
const memory = offheap.openAllocator();
const block = memory.allocate(4096, { zeroed: true });
block.bytes.fill(7);
const sum = block.bytes.reduce((total, byte) => total + byte, 0);
block.free();
if (block.bytes.length !== 0) throw new Error("the view did not end with the memory");
memory.close();
console.log(JSON.stringify({
  version: offheap.VERSION,
  sum,
  verified: report.memoryAllocatorVerified,
  origin: report.library.origin,
  path: report.library.path,
  module: resolved,
}));
`;

/** What the programs print. */
export interface ProgramReport {
  /** offheap's version. */
  readonly version: string;
  /** 4096 times 7. */
  readonly sum: number;
  /** Whether the blocks are proven to be the allocator's. */
  readonly verified: boolean;
  /** Where the library was found. */
  readonly origin: string;
  /** The library's path. */
  readonly path: string;
  /** The URL or path of offheap's entry. */
  readonly module: string;
}

/** One thing's time, in milliseconds. */
export interface Time {
  /** By the clock. */
  readonly clock: number;
  /** Of the processors, all threads together: what other programs do hardly counts. */
  readonly cpu: number;
}

/** What is measured of a cold process. */
export interface Times {
  /** `import("offheap")`. */
  readonly import: Time;
  /** The first `openAllocator()`. */
  readonly open: Time;
}

/**
 * Prints what a cold process takes; with "floor", what the same takes without offheap: the builtin
 * modules that it imports, which are named after it, and koffi where there is no other FFI.
 */
const TIMES = `import { createRequire } from "node:module";
import process from "node:process";

const [only, ...builtins] = process.argv.slice(2);
const times = {};
let clock = performance.now();
let usage = process.cpuUsage();
function lap(name) {
  const { user, system } = process.cpuUsage(usage);
  times[name] = { clock: performance.now() - clock, cpu: (user + system) / 1000 };
  clock = performance.now();
  usage = process.cpuUsage();
}
if (only === "floor") {
  for (const name of builtins) await import(name);
  lap("import");
  const { deno, bun } = process.versions;
  const builtin = deno ?? bun ?? process.getBuiltinModule("node:ffi");
  const { platform, arch } = process;
  const koffi = \`@koromix/koffi-\${platform}-\${arch}\`;
  const { resolve } = createRequire(import.meta.url);
  if (builtin === undefined) createRequire(resolve("offheap"))(koffi);
  lap("open");
} else {
  const { openAllocator } = await import("offheap");
  lap("import");
  openAllocator();
  lap("open");
}
console.log(JSON.stringify(times));
`;

/** A program's metrics in a registry that has what offheap uses of prom-client's. */
const METRICS = `import { registerMetrics } from "offheap";

const metrics = [];
registerMetrics({
  registerMetric: (metric) => metrics.push(metric),
  removeSingleMetric() {},
});
const read = await Promise.all(metrics.map((metric) => metric.get()));
console.log(JSON.stringify(Object.fromEntries(read.map(({ name, values }) => [name, values]))));
`;

/** A strict program; the same as an ES module and as CommonJS. */
const CONSUMER = `import {
  type Allocator,
  type Block,
  OffheapError,
  openAllocator,
  type Verification,
  verifyAllocator,
} from "offheap";

const memory: Allocator = openAllocator({ allocator: "jemalloc" });
const block: Block = memory.allocate(64);
const numbers: Float64Array = block.as(Float64Array);
numbers[0] = 0.5;
block.free();
const report: Verification = verifyAllocator();
const verified: boolean = report.memoryAllocatorVerified;
// @ts-expect-error the types are strict
memory.allocate("64");
console.log(verified, new OffheapError("ERR_X", "x").code);
`;

/** The programs by their file names. */
export const PROGRAMS: Readonly<Record<string, string>> = {
  "import.mjs": `import * as offheap from "offheap";\n` +
    `const resolved = import.meta.resolve("offheap");\n${BODY}`,
  "require.cjs": `const offheap = require("offheap");\n` +
    `const resolved = require.resolve("offheap");\n${BODY}`,
  "only-import.mjs": `await import("offheap");\n`,
  "times.mjs": TIMES,
  "metrics.mjs": METRICS,
  "consumer.ts": CONSUMER,
  "consumer.cts": CONSUMER,
};

const STRICT = {
  target: "ES2024",
  module: "NodeNext",
  moduleResolution: "NodeNext",
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  noImplicitOverride: true,
  noPropertyAccessFromIndexSignature: true,
  isolatedModules: true,
  skipLibCheck: false,
  noEmit: true,
} as const;

const LIB = ["ES2024", "ESNext.Disposable"] as const;

/**
 * The strictest settings that programs have, where declarations are checked, too: with the web's
 * types, with Node's, as CommonJS, and as a bundler reads packages.
 *
 * @param typeRoots Where Node's types are.
 */
export function consumerConfigs(typeRoots: string): Readonly<Record<string, unknown>> {
  const files = ["consumer.ts"];
  return {
    "tsconfig.web.json": {
      compilerOptions: { ...STRICT, types: [], lib: [...LIB, "DOM"] },
      files,
    },
    "tsconfig.node.json": {
      compilerOptions: { ...STRICT, types: ["node"], typeRoots: [typeRoots], lib: LIB },
      files,
    },
    "tsconfig.commonjs.json": {
      compilerOptions: {
        ...STRICT,
        module: "Node16",
        moduleResolution: "Node16",
        types: ["node"],
        typeRoots: [typeRoots],
        lib: LIB,
      },
      files: ["consumer.cts"],
    },
    "tsconfig.bundler.json": {
      compilerOptions: {
        ...STRICT,
        module: "ESNext",
        moduleResolution: "Bundler",
        customConditions: ["bun"],
        types: [],
        lib: [...LIB, "DOM"],
      },
      files,
    },
  };
}
