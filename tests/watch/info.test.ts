import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import type { LibraryManifest } from "../../lib/library/manifest.ts";
import {
  type AllocatorInfo,
  getAllocatorInfo,
  getSystemInfo,
  healthCheck,
  type HealthReport,
  type SystemInfo,
} from "../../mod.ts";
import { API_CHILD, callApi, callApiOnce } from "../support/api.ts";
import { compileShared } from "../support/compile.ts";
import {
  builtLibrary,
  childEnvironment,
  ROOT,
  runChild,
  runtimeCommand,
} from "../support/runtime.ts";

const ALLOCATORS = ["jemalloc", "mimalloc"] as const;

/** What a command prints, without the environment's influence on it. */
function printed(file: string, ...args: string[]): string {
  const env = childEnvironment({ LC_ALL: "C", OMP_NUM_THREADS: undefined });
  return execFileSync(file, args, { encoding: "utf8", env }).trim();
}

function readProc(path: string): string {
  return readFileSync(path, "utf8");
}

function meminfo(key: string): number {
  const kilobytes = new RegExp(`^${key}: +(\\d+) kB$`, "m").exec(readProc("/proc/meminfo"))?.[1];
  assert.ok(kilobytes, `/proc/meminfo has no ${key}`);
  return Number(kilobytes) * 1024;
}

/** The nearest limit of the control groups above this process; `Infinity` without one. */
function controlGroupLimit(): number {
  const paths = [...readProc("/proc/self/cgroup").matchAll(/^\d+:[^:]*:(.*)$/gm)]
    .flatMap(([, path = "/"]) => [path, "/"]);
  const limits = paths.flatMap((path) => [
    `/sys/fs/cgroup${path}/memory.max`,
    `/sys/fs/cgroup/memory${path}/memory.limit_in_bytes`,
  ]).map((file) => {
    try {
      return Number(readProc(file));
    } catch {
      return NaN; // there is no such group here
    }
  });
  return Math.min(...limits.filter((limit) => !Number.isNaN(limit)), Infinity);
}

function manifestOf(name: string): LibraryManifest {
  return JSON.parse(readProc(`${builtLibrary(name)}.json`)) as LibraryManifest;
}

test("getSystemInfo reports what the system's own commands print, and nothing else", () => {
  const info = getSystemInfo();
  const packaged = JSON.parse(readProc(join(ROOT, "package.json")));
  const version = printed(process.execPath, "--version").match(/\d+\.\d+\.\d+/)?.[0];
  const name = ["deno", "bun"].find((runtime) => runtime in process.versions) ?? "node";
  const [compiled = ""] = printed("cc", "-dumpmachine").split("-");
  const arch = { x86_64: "x64", aarch64: "arm64" }[compiled];
  const { uptimeSeconds, totalMemory, ...rest } = info;
  assert.deepEqual(rest, {
    version: packaged.version,
    runtime: { name, version },
    platform: printed("uname", "-s").toLowerCase(),
    arch,
    libc: printed("getconf", "GNU_LIBC_VERSION"),
    kernel: printed("uname", "-r"),
    pageSize: Number(printed("getconf", "PAGESIZE")),
    cpuCount: Number(printed("nproc")),
    memoryAllocator: "jemalloc",
    memoryAllocatorVerified: true,
    processAllocator: "glibc",
    processAllocatorVerified: true,
    processAllocatorVersion: printed("getconf", "GNU_LIBC_VERSION").split(" ")[1],
    allocatorVersion: manifestOf("jemalloc").version,
    buildTarget: `linux-${arch}-gnu`,
    buildProfile: manifestOf("jemalloc").variant,
  });
  assert.equal(totalMemory, Math.min(meminfo("MemTotal"), controlGroupLimit()));
  assert.ok(uptimeSeconds > 0 && uptimeSeconds < 600, `up for ${uptimeSeconds} s`);
});

for (const allocator of ALLOCATORS) {
  test(`getSystemInfo under ${allocator} reports so, and options choose the library`, async () => {
    const call = ["getSystemInfo", { allocator, variant: "secure" }] as const;
    const variables = { LD_PRELOAD: builtLibrary(allocator) };
    const info = await callApiOnce<SystemInfo>(call, { variables });
    assert.equal(info.processAllocator, allocator);
    assert.equal(info.processAllocatorVerified, true);
    assert.equal(info.memoryAllocator, allocator);
    assert.equal(info.memoryAllocatorVerified, true);
    assert.equal(info.buildProfile, "secure");
    assert.equal(info.allocatorVersion, manifestOf(allocator).version);
  });
}

test("getSystemInfo counts the processors that this process may use", async () => {
  const command = ["taskset", "--cpu-list", "0", ...runtimeCommand(API_CHILD)] as const;
  const [outcome] = await callApi<SystemInfo>([["getSystemInfo"]], {}, [...command]);
  assert.equal(outcome?.value?.cpuCount, 1);
});

/** The settings that jemalloc prints of itself when a program ends. */
async function jemallocSettings(conf: string): Promise<Map<string, string>> {
  const variables = {
    LD_PRELOAD: builtLibrary("jemalloc"),
    MALLOC_CONF: conf === "" ? "stats_print:true" : `${conf},stats_print:true`,
  };
  const { stderr } = await runChild(["true"], { variables });
  const lines = stderr.matchAll(/^ {2}(opt\.[a-z_]+): ("?)([^\s"]*)\2/gm);
  return new Map([...lines].map(([, name = "", , value = ""]) => [name, value]));
}

test("jemalloc's options in force are those that jemalloc prints of itself", async () => {
  const conf =
    "dirty_decay_ms:1234,muzzy_decay_ms:-1,narenas:3,tcache_max:4096,thp:never,zero:true";
  const expected: Readonly<Record<string, unknown>> = {
    "opt.dirty_decay_ms": 1234,
    "opt.muzzy_decay_ms": -1,
    "opt.narenas": 3,
    "opt.thp": "never",
    "opt.zero": true,
  };
  for (const MALLOC_CONF of ["", conf]) {
    const { options } = await callApiOnce<AllocatorInfo>(
      ["getAllocatorInfo", { allocator: "jemalloc" }],
      { variables: { MALLOC_CONF } },
    );
    const printed = await jemallocSettings(MALLOC_CONF);
    assert.ok(Object.keys(options).length > 10);
    const { background_thread, ...others } = options;
    assert.equal(background_thread, false);
    for (const [name, value] of Object.entries(others)) {
      assert.equal(String(value), printed.get(name), name);
      if (MALLOC_CONF !== "" && name in expected) assert.equal(value, expected[name], name);
    }
  }
});

/** The settings that mimalloc prints of itself when a program starts. */
async function mimallocSettings(
  variables: Readonly<Record<string, string>>,
): Promise<Map<string, string>> {
  const { stderr } = await runChild(["true"], {
    variables: { ...variables, MIMALLOC_VERBOSE: "1", LD_PRELOAD: builtLibrary("mimalloc") },
  });
  const lines = stderr.matchAll(/option '([a-z_]+)': (-?\d+)/g);
  return new Map([...lines].map(([, name = "", value = ""]) => [name, value]));
}

test("mimalloc's options in force are those that mimalloc prints of itself", async () => {
  const delay = [...(await mimallocSettings({})).keys()]
    .find((name) => /^(purge|decommit)_delay$/.test(name)) ?? "";
  for (const value of [undefined, "77"]) {
    const variables: Record<string, string> = value === undefined ? {} : {
      [`MIMALLOC_${delay.toUpperCase()}`]: value,
      MIMALLOC_SHOW_ERRORS: "1",
    };
    const { options } = await callApiOnce<AllocatorInfo>(
      ["getAllocatorInfo", { allocator: "mimalloc" }],
      { variables: { ...variables, MIMALLOC_VERBOSE: "1" } },
    );
    const printed = await mimallocSettings(variables);
    for (const [name, set] of Object.entries(options)) {
      assert.equal(String(set), printed.get(name), name);
    }
    if (value !== undefined) assert.deepEqual([options[delay], options["show_errors"]], [77, 1]);
  }
});

test("getAllocatorInfo has the version, the library and the proof of each allocator", () => {
  for (const name of ALLOCATORS) {
    const { sha256, version } = manifestOf(name);
    const path = builtLibrary(name);
    assert.deepEqual({ ...getAllocatorInfo({ allocator: name }), options: null }, {
      name,
      version,
      verified: true,
      library: { path, origin: "build", sha256, manifest: true },
      options: null,
    });
    assert.equal(printed("sha256sum", path).split(" ")[0], sha256);
  }
});

test("a library that is not proven to be an allocator is asked for no options", () => {
  const library = compileShared("decoy-names.c", "info-decoy.so");
  for (const allocator of ALLOCATORS) {
    const info = getAllocatorInfo({ allocator, library });
    assert.equal(info.verified, false);
    assert.deepEqual(info.options, {});
    assert.equal(info.library?.path, library);
    assert.equal(info.library?.manifest, false);
  }
});

test("getAllocatorInfo of the system's allocator is the C library, and has no options", () => {
  const [name, version] = printed("getconf", "GNU_LIBC_VERSION").split(" ");
  assert.equal(name, "glibc");
  const found = { name: "system", version, verified: true, library: null, options: {} };
  assert.deepEqual(getAllocatorInfo({ allocator: "system" }), found);
});

test("getAllocatorInfo of a library that cannot be loaded has none, and does not throw", () => {
  const none = { name: "jemalloc", version: null, verified: false, library: null, options: {} };
  for (const library of ["/nonexistent.so", join(ROOT, "package.json"), "/dev/null"]) {
    assert.deepEqual(getAllocatorInfo({ library }), none);
  }
});

test("healthCheck's figures are the system's", () => {
  const before = new Date();
  const report = healthCheck();
  const after = new Date();
  const value = (name: string) => Number(report.checks.find((one) => one.name === name)?.value);
  assert.deepEqual(report.checks.map(({ name }) => name), [
    "memory-available-share",
    "memory-available-bytes",
    "process-memory-share",
    "allocator-verified",
  ]);
  const total = Math.min(meminfo("MemTotal"), controlGroupLimit());
  const available = value("memory-available-bytes");
  assert.ok(Math.abs(value("memory-available-share") - available / total) < 1e-9);
  assert.ok(available > 0 && available <= total);
  if (total === meminfo("MemTotal")) {
    const now = meminfo("MemAvailable");
    assert.ok(Math.abs(available - now) < total / 4, `${available} and then ${now} bytes`);
  }
  const resident = value("process-memory-share") * total;
  const pages = Number(readProc("/proc/self/statm").split(" ")[1]);
  const ratio = resident / (pages * Number(printed("getconf", "PAGESIZE")));
  assert.ok(ratio > 0.5 && ratio < 1.5, `${resident} bytes are resident, and then ${pages} pages`);
  const at = new Date(report.timestamp);
  assert.equal(at.toISOString(), report.timestamp);
  assert.ok(at >= before && at <= after, `${report.timestamp} is not now`);
  assert.equal(report.checks.at(-1)?.value, true);
});

test("healthCheck judges by the thresholds that it is given", () => {
  const report = healthCheck({ processShareDegraded: 0, processShareUnhealthy: 0 });
  assert.equal(report.status, "unhealthy");
  const share = report.checks.find(({ name }) => name === "process-memory-share");
  assert.deepEqual([share?.status, share?.threshold], ["unhealthy", 0]);
});

test("healthCheck finds a process degraded whose allocator is not proven", async () => {
  const decoy = compileShared("decoy-malloc.c", "info-decoy-health.so", ["-DDECOY_MALLCTL"]);
  const calls = [["healthCheck"], ["healthCheck", { allocatorUnverified: "unhealthy" }]] as const;
  const [report, strict] = await callApi<HealthReport>(calls, { variables: { LD_PRELOAD: decoy } });
  const allocator = report?.value?.checks.find(({ name }) => name === "allocator-verified");
  assert.deepEqual([allocator?.value, allocator?.status], [false, "degraded"]);
  assert.equal(strict?.value?.status, "unhealthy");
});
