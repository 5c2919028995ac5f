import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { readElf } from "../../lib/binary/elf.ts";
import { readElfImports } from "../../lib/binary/elf-relocations.ts";
import { examineProcess } from "../../lib/watch/doctor/doctor.ts";
import { examine } from "../../lib/watch/doctor/examine.ts";
import { parseMaps } from "../../lib/system/linux-maps.ts";
import { openProcess } from "../../lib/watch/doctor/process-source.ts";
import { readPreload, systemPreloads } from "../../lib/watch/doctor/preload.ts";
import type { DoctorCheck, DoctorEvidence, ProcessReport } from "../../lib/watch/doctor/types.ts";
import { DoctorError } from "../../lib/errors.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { type AnsweringChild, withChild } from "../support/child.ts";
import { compileProgram, compileShared, temporaryDirectory } from "../support/compile.ts";
import { asArm64 } from "../support/launch-fixtures.ts";
import { builtLibrary } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const IS_LINUX = process.platform === "linux";
const IS_ROOT = process.getuid?.() === 0;
const linux = () => skipUnless(IS_LINUX, "doctor reads /proc as Linux has it");
const glibc = () => skipUnless(IS_LINUX && hostTarget().libc === "glibc", "needs Linux with glibc");
const X64 = skipUnless(IS_LINUX && process.arch === "x64", "needs Linux on x64");
const rootOnly = () => skipUnless(IS_LINUX && IS_ROOT, "only root can set this up");

/** As the kernel lists it. */
function library(name: string): string {
  return realpathSync(builtLibrary(name, "preload"));
}

let script: string | undefined;
/** The runtime under test as a process that waits, started as a user would. */
function runtime(): readonly [string, readonly string[]] {
  if (script === undefined) {
    script = join(temporaryDirectory(), "wait.mjs");
    writeFileSync(
      script,
      'import process from "node:process";\nconsole.log("ready");\nprocess.stdin.resume();\n',
    );
  }
  return [process.execPath, [script]];
}

/** What is found of a command that runs with such an `LD_PRELOAD`. */
function examined(
  command: string,
  args: readonly string[] = [],
  preload?: string,
): Promise<ProcessReport> {
  return withChild(command, args, { env: { LD_PRELOAD: preload } }, ({ pid }) => {
    return examineProcess(pid);
  });
}

function outcomes(report: ProcessReport, check: DoctorCheck): DoctorEvidence["outcome"][] {
  return report.evidence.filter((item) => item.check === check).map(({ outcome }) => outcome);
}

function detail(report: ProcessReport, check: DoctorCheck): string {
  return report.evidence.filter((item) => item.check === check).map((item) => item.detail)
    .join("\n");
}

function assertVerdict(
  report: ProcessReport,
  verdict: Pick<ProcessReport, "allocator" | "verified" | "object">,
): void {
  const { allocator, verified, object } = report;
  assert.deepEqual({ allocator, verified, object }, verdict, JSON.stringify(report, null, 1));
}

function assertNoFailure(report: ProcessReport): void {
  assert.deepEqual(report.evidence.filter(({ outcome }) => outcome === "fail"), []);
}

function findLibc(report: ProcessReport): string {
  const maps = parseMaps(readFileSync("/proc/self/maps", "utf8"));
  const libc = maps.find(({ path }) => path !== null && /\/libc\.so\.6$/.test(path))?.path ?? null;
  assert.ok(libc !== null, `no libc is mapped here; the report is ${JSON.stringify(report)}`);
  return libc;
}

test("a pid that is not a positive integer is refused", () => {
  for (const pid of [0, -1, 1.5, NaN, Infinity, 2 ** 60]) {
    assert.throws(() => examineProcess(pid), {
      name: "RangeError",
      message: `Cannot examine a process: pid must be a positive integer; got ${pid}`,
    });
  }
  for (const pid of ["12", null, undefined, {}]) {
    // @ts-expect-error: callers in JavaScript can pass anything
    assert.throws(() => examineProcess(pid), {
      name: "TypeError",
      message: /must be a number; got/,
    });
  }
});

test(
  "other systems than Linux get the advice to verify inside the program",
  skipUnless(!IS_LINUX, "this is Linux"),
  () => {
    assert.throws(() => examineProcess(process.pid), { code: "ERR_OFFHEAP_DOCTOR" });
  },
);

test("a process that has ended is named as missing", linux(), async () => {
  const { pid } = await examined("/bin/cat");
  assert.throws(() => examineProcess(pid), (error: unknown) => {
    assert.ok(error instanceof DoctorError, String(error));
    assert.equal(error.code, "ERR_OFFHEAP_DOCTOR");
    assert.match(error.message, new RegExp(`Cannot examine process ${pid}: there is no such`));
    return true;
  });
});

test("a process that its parent has not waited for is named as ended", linux(), async () => {
  const command = ["-c", "sleep 60 & echo $!; exec cat"];
  await withChild("/bin/sh", command, {}, async ({ output }) => {
    const pid = Number(output().split("\n").find((line) => /^\d+$/.test(line)));
    process.kill(pid, "SIGKILL");
    const isZombie = (): boolean =>
      /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    for (let tries = 0; tries < 3000 && !isZombie(); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.throws(() => examineProcess(pid), { name: "DoctorError", message: /it has ended/ });
  });
});

test("a process that ends while it is examined is no finding", linux(), async () => {
  await withChild("/bin/cat", [], { env: { LD_PRELOAD: library("jemalloc") } }, async (child) => {
    await child.ask("ready");
    const source = openProcess(child.pid);
    assert.ok(examine(source).verified);
    let isEnding = false;
    const ending = {
      ...source,
      openMemory: () => ({
        ...source.openMemory(),
        read(): never {
          isEnding = true;
          throw new RangeError("the memory is gone");
        },
      }),
      executable: () => isEnding ? null : source.executable(),
    };
    assert.throws(() => examine(ending), { name: "DoctorError", message: /that just ended/ });
    assert.ok(isEnding);
  });
});

test(
  "a process of another user is refused with what to do",
  skipUnless(IS_ROOT && process.seteuid !== undefined, "only root can become another user"),
  async () => {
    await withChild("/bin/cat", [], {}, ({ pid }) => {
      process.seteuid?.(65534);
      try {
        assert.throws(() => examineProcess(pid), {
          name: "DoctorError",
          message: /this user may not read .* as root/,
        });
      } finally {
        process.seteuid?.(0);
      }
    });
  },
);

test(
  "a plain process runs under glibc, and gets the advice how to run under offheap",
  glibc(),
  async () => {
    const report = await examined("/bin/cat");
    assertVerdict(report, { allocator: "glibc", verified: true, object: findLibc(report) });
    assertNoFailure(report);
    assert.deepEqual(report.command, ["/bin/cat"]);
    assert.equal(report.executable, realpathSync("/bin/cat"));
    assert.match(report.state ?? "", /^[SRD] /);
    assert.deepEqual(report.preload, []);
    assert.match(detail(report, "environment"), /LD_PRELOAD is not set; .* is linked to/);
    assert.match(report.advice.join("\n"), /`offheap run -- \/bin\/cat`/);
  },
);

test("the runtime runs under glibc", glibc(), async () => {
  const report = await examined(...runtime());
  assertVerdict(report, { allocator: "glibc", verified: true, object: findLibc(report) });
  assertNoFailure(report);
});

for (const allocator of ["jemalloc", "mimalloc"] as const) {
  test(`the runtime with ${allocator} preloaded runs under it`, glibc(), async () => {
    const path = library(allocator);
    const report = await examined(...runtime(), path);
    assertVerdict(report, { allocator, verified: true, object: path });
    assertNoFailure(report);
    assert.deepEqual(report.preload, [path]);
    assert.match(detail(report, "environment"), /which is mapped and serves malloc/);
    assert.ok(outcomes(report, "binding").includes("pass"));
    assert.deepEqual(outcomes(report, "forwarding"), ["pass"]);
  });

  test(`cat with ${allocator} preloaded runs under it`, glibc(), async () => {
    const path = library(allocator);
    const report = await examined("/bin/cat", [], path);
    assertVerdict(report, { allocator, verified: true, object: path });
    assertNoFailure(report);
    assert.deepEqual(report.advice, []);
  });
}

test("of two preloaded allocators the first serves, and the other is named", glibc(), async () => {
  const [first, second] = [library("mimalloc"), library("jemalloc")];
  const report = await examined("/bin/cat", [], `${first} ${second}`);
  assertVerdict(report, { allocator: "mimalloc", verified: true, object: first });
  assert.match(detail(report, "environment"), /but is not the first that defines malloc/);
  assert.match(
    report.advice.join(),
    /jemalloc.* does not serve malloc: another object comes first/,
  );
});

test("a preloaded file that is missing did not take", glibc(), async () => {
  const missing = join(temporaryDirectory(), "libjemalloc.so.2");
  const report = await examined("/bin/cat", [], missing);
  assertVerdict(report, { allocator: "glibc", verified: true, object: findLibc(report) });
  assert.deepEqual(report.preload, [missing]);
  assert.ok(outcomes(report, "environment").includes("fail"));
  assert.match(detail(report, "environment"), /set, but did not take: it does not exist/);
  assert.match(report.advice.join("\n"), /libjemalloc\.so\.2", which is not in the process/);
});

test("a preloaded name without a directory that was not found did not take", glibc(), async () => {
  const report = await examined("/bin/cat", [], "libno-such-allocator.so.7");
  assert.match(detail(report, "environment"), /did not take: the dynamic linker found no file/);
});

test("a preloaded library for another processor did not take", X64, async () => {
  const path = join(temporaryDirectory(), "libarm.so");
  writeFileSync(path, asArm64(readFileSync(compileShared("doctor-decoy.c", "plain.so"))));
  const report = await examined("/bin/cat", [], path);
  assert.match(
    detail(report, "environment"),
    /did not take: the program is made for x64, .* arm64/,
  );
});

test("a preloaded library for another libc did not take", X64, async () => {
  const path = join(temporaryDirectory(), "libmusl.so");
  const musl = compileShared("doctor-decoy.c", "libc.musl-x86_64.so.1", [
    "-nostdlib",
    "-Wl,-soname,libc.musl-x86_64.so.1",
  ]);
  const flags = ["-nostdlib", "-Wl,--no-as-needed", musl];
  copyFileSync(compileShared("conformance.c", "muslish.so", flags), path);
  const report = await examinedWithPreload(path);
  assert.match(detail(report, "environment"), /did not take: .* made for glibc .* for musl/);
});

/** A process whose environment names a preload, examined as if it had been started that way. */
function examinedWithPreload(path: string): Promise<ProcessReport> {
  return withChild("/bin/cat", [], {}, ({ pid }) => {
    const source = openProcess(pid);
    const environment = new TextEncoder().encode(`A=1\0LD_PRELOAD=${path}\0`);
    return examine({
      ...source,
      read: (name) => name === "environ" ? environment : source.read(name),
    });
  });
}

test("a preload that fits and is not mapped is named as lost", glibc(), async () => {
  const report = await examinedWithPreload(library("jemalloc"));
  assertVerdict(report, { allocator: "glibc", verified: true, object: findLibc(report) });
  assert.match(detail(report, "environment"), /did not take: it fits, so the file came after/);
});

test("a set-user-ID program drops the preload", rootOnly(), async () => {
  const program = join(temporaryDirectory(), "cat");
  copyFileSync("/bin/cat", program);
  chownSync(program, 65534, 65534);
  chmodSync(program, 0o4755);
  chmodSync(join(program, ".."), 0o755);
  const report = await examined(program, [], library("jemalloc"));
  assert.equal(report.allocator, "glibc");
  assert.match(detail(report, "environment"), /did not take: .* secure-execution mode/);
});

test("a library with an allocator's name but no malloc serves nothing", glibc(), async () => {
  const decoy = compileShared("doctor-decoy.c", "names.so", ["-DNAMES"]);
  const report = await examined("/bin/cat", [], decoy);
  assertVerdict(report, { allocator: "glibc", verified: true, object: findLibc(report) });
  assert.match(detail(report, "environment"), /which is mapped and does not define malloc/);
  assert.match(report.advice.join("\n"), /defines mallctl, .* but does not serve malloc/);
});

test("what an allocator leaves to libc does not speak against it", glibc(), async () => {
  const decoy = compileShared("decoy-malloc.c", "no-pvalloc.so");
  const report = await examined("/bin/cat", [], decoy);
  assert.equal(report.object, decoy);
  assert.deepEqual(outcomes(report, "entries"), ["pass"], detail(report, "entries"));
});

test("while the dynamic linker loads files, calls lead nowhere yet", glibc(), async () => {
  const first = library("jemalloc");
  const fifo = join(temporaryDirectory(), "fifo");
  execFileSync("mkfifo", [fifo]);
  // The linker waits for somebody to write into what it is to load next.
  const child = spawn("/bin/cat", { env: { LD_PRELOAD: `${first} ${fifo}` } });
  const ended = once(child, "exit");
  const { pid = 0 } = child;
  try {
    const shows = (file: string, text: string): boolean =>
      readFileSync(`/proc/${pid}/${file}`, "utf8").includes(text);
    while (!shows("maps", first) || !shows("status", "(sleeping)")) await wait(10);
    const report = examineProcess(pid);
    assertVerdict(report, { allocator: "jemalloc", verified: false, object: first });
    assert.deepEqual(outcomes(report, "binding"), ["unavailable"]);
    assert.match(detail(report, "binding"), /^not bound yet/);
  } finally {
    process.kill(pid, "SIGKILL");
    await ended;
  }
});

test("a library that passes malloc on is no known allocator", glibc(), async () => {
  const decoy = compileShared("doctor-decoy.c", "forwards.so", ["-DFORWARDS"]);
  const report = await examined("/bin/cat", [], decoy);
  assertVerdict(report, { allocator: "unknown", verified: false, object: decoy });
  assert.match(detail(report, "symbol"), /no symbol by which offheap knows an allocator/);
  assert.match(report.advice.join("\n"), /Do not count on any allocator here/);
});

test(
  "a library that passes malloc on under an allocator's name is found out",
  glibc(),
  async () => {
    const decoy = compileShared("doctor-decoy.c", "both.so", ["-DFORWARDS", "-DNAMES"]);
    const report = await examined("/bin/cat", [], decoy);
    assertVerdict(report, { allocator: "unknown", verified: false, object: decoy });
    assert.deepEqual(outcomes(report, "forwarding"), ["fail"]);
    assert.match(detail(report, "forwarding"), /it passes calls on/);
  },
);

test("an allocator that was only opened while running does not serve malloc", glibc(), async () => {
  const program = compileProgram("doctor-program.c", "opens");
  const report = await examined(program, [library("mimalloc")]);
  assertVerdict(report, { allocator: "glibc", verified: true, object: findLibc(report) });
  assert.match(
    report.advice.join("\n"),
    /libmimalloc\.so" defines mi_version, .* not serve malloc/,
  );
});

test("a static program is named as static, whatever is preloaded", linux(), async () => {
  const program = compileProgram("doctor-program.c", "static", ["-static", "-DIS_STATIC"]);
  const report = await examined(program, [], library("jemalloc"));
  assertVerdict(report, { allocator: "static", verified: false, object: program });
  assert.match(detail(report, "environment"), /did not take: the program is statically linked/);
  assert.deepEqual(outcomes(report, "binding"), ["unavailable"]);
  assert.match(
    report.advice.join("\n"),
    /Use a dynamically linked build of it; if it only starts another program, put offheap after it: /,
  );
});

test("a program that defines malloc comes first, and is no known allocator", glibc(), async () => {
  const program = compileProgram("doctor-program.c", "own", ["-DOWN_MALLOC", "-fno-builtin"]);
  const report = await examined(program, [], library("jemalloc"));
  assertVerdict(report, { allocator: "unknown", verified: false, object: program });
  assert.match(detail(report, "binding"), /leads into ".*own" from/);
});

test("a call that is bound late is evidence only after it was made", glibc(), async () => {
  const program = compileProgram("doctor-program.c", "lazy", ["-Wl,-z,lazy"]);
  const path = library("jemalloc");
  await withChild(program, [], { env: { LD_PRELOAD: path } }, async ({ pid, ask }) => {
    const before = examineProcess(pid);
    assert.match(detail(before, "binding"), /not bound yet.*lazy" \(JUMP_SLOT\)/);
    await ask("malloc");
    const after = examineProcess(pid);
    assert.doesNotMatch(detail(after, "binding"), /not bound yet.*lazy"/);
    assert.match(detail(after, "binding"), /leads into ".*libjemalloc\.so" from ".*lazy"/);
    assertVerdict(after, { allocator: "jemalloc", verified: true, object: path });
  });
});

test("a program's stub for malloc is not taken for its definition", glibc(), async () => {
  const flags = ["-DTAKES_ADDRESS", "-fno-pie", "-no-pie", "-fno-builtin", "-Wl,-z,now"];
  const program = compileProgram("doctor-program.c", "stub", flags);
  assert.ok(readElfImports(program, ["malloc"]).stubs.has("malloc"), "the linker made no stub");
  const path = library("mimalloc");
  const report = await examined(program, [], path);
  assertVerdict(report, { allocator: "mimalloc", verified: true, object: path });
  assert.match(detail(report, "binding"), /leads to the program's own stub .*libc\.so\.6/);
});

/** What is found when some of the slots that lead into jemalloc seem to lead elsewhere. */
function examinedWithSlots(isChanged: (index: number) => boolean): Promise<ProcessReport> {
  const program = compileProgram("doctor-program.c", "now", ["-Wl,-z,now"]);
  return withChild(program, [], { env: { LD_PRELOAD: library("jemalloc") } }, ({ pid }) => {
    const source = openProcess(pid);
    const maps = parseMaps(readFileSync(`/proc/${pid}/maps`, "utf8"));
    const elsewhere = maps.find(({ path }) => path?.includes("/ld-linux"))?.start ?? 0;
    let slots = 0;
    return examine({
      ...source,
      openMemory() {
        const memory = source.openMemory();
        const word = (address: number): number => {
          const value = memory.word(address);
          const leadsToCode = maps.some(({ start, end, path, permissions }) =>
            path?.endsWith("/libjemalloc.so") && permissions === "r-xp" && value >= start &&
            value < end
          );
          return leadsToCode && isChanged(slots++) ? elsewhere : value;
        };
        return { ...memory, word };
      },
    });
  });
}

test("one slot that leads elsewhere speaks against the allocator", glibc(), async () => {
  const report = await examinedWithSlots((index) => index === 0);
  assertVerdict(report, { allocator: "unknown", verified: false, object: library("jemalloc") });
  assert.deepEqual(outcomes(report, "binding").sort().slice(0, 2), ["fail", "pass"]);
  assert.match(detail(report, "binding"), /leads into ".*\/ld-linux/);
});

test("where all slots lead counts more than the order of the search", glibc(), async () => {
  const report = await examinedWithSlots(() => true);
  assert.match(report.object ?? "", /\/ld-linux/);
  assert.equal(report.allocator, "unknown");
  assert.equal(report.verified, false);
  assert.match(detail(report, "symbol"), /libjemalloc.* is the first .*, but calls lead elsewhere/);
});

test("without its memory the symbols are reported, and nothing is verified", glibc(), async () => {
  const first = library("jemalloc");
  const env = { LD_PRELOAD: first };
  await withChild("/bin/cat", [], { env }, ({ pid }: AnsweringChild) => {
    const report = examine({
      ...openProcess(pid),
      openMemory() {
        throw new DoctorError("Cannot read the memory: the reason.");
      },
    });
    assertVerdict(report, { allocator: "jemalloc", verified: false, object: first });
    assert.deepEqual(outcomes(report, "binding"), ["unavailable"]);
    assert.match(detail(report, "binding"), /the reason/);
    assert.match(report.advice.join("\n"), /rests on symbols alone: .*the reason\.$/m);
  });
});

test("a preload is recognised by link, relative path and bare name", glibc(), async () => {
  const path = library("mimalloc");
  const directory = temporaryDirectory();
  const link = join(directory, "libany.so");
  symlinkSync(path, link);
  for (const name of [link, relative(process.cwd(), path), basename(path)]) {
    const env = { LD_PRELOAD: name, LD_LIBRARY_PATH: dirname(path) };
    await withChild("/bin/cat", [], { env }, ({ pid }) => {
      const source = openProcess(pid);
      const refuse = (): never => {
        throw new DoctorError("Cannot read the memory.");
      };
      // Without memory, the names by which the dynamic linker knows its objects are missing.
      for (const report of [examine(source), examine({ ...source, openMemory: refuse })]) {
        assert.equal(report.allocator, "mimalloc");
        assert.deepEqual(outcomes(report, "environment"), ["pass"]);
        assert.match(detail(report, "environment"), /which is mapped and serves malloc/);
      }
    });
  }
});

test("a library that was removed since is named as deleted", glibc(), async () => {
  const path = join(temporaryDirectory(), "libmimalloc.so");
  copyFileSync(library("mimalloc"), path);
  await withChild("/bin/cat", [], { env: { LD_PRELOAD: path } }, ({ pid }) => {
    unlinkSync(path);
    const report = examineProcess(pid);
    assert.equal(report.object, path);
    assert.match(detail(report, "mapping"), /is mapped as \(deleted\)/);
    assert.match(report.advice.join("\n"), /Start the process again/);
    assert.equal(report.allocator, "mimalloc");
    assert.equal(report.verified, true);
  });
});

test(
  "other users than root read a removed library in the process's memory",
  rootOnly(),
  async () => {
    const path = join(temporaryDirectory(), "libmimalloc.so");
    copyFileSync(library("mimalloc"), path);
    chmodSync(join(path, ".."), 0o755);
    const uid = 65534;
    await withChild("/bin/cat", [], { env: { LD_PRELOAD: path }, uid }, ({ pid }) => {
      process.seteuid?.(uid);
      try {
        const before = examineProcess(pid);
        assertVerdict(before, { allocator: "mimalloc", verified: true, object: path });
      } finally {
        process.seteuid?.(0);
      }
      unlinkSync(path);
      process.seteuid?.(uid);
      try {
        const after = examineProcess(pid);
        assertVerdict(after, { allocator: "mimalloc", verified: true, object: path });
        assert.ok(outcomes(after, "entries").includes("pass"));
        assert.match(detail(after, "mapping"), /is mapped as \(deleted\)/);
      } finally {
        process.seteuid?.(0);
      }
    });
  },
);

test("a program that does not ask for malloc is said to have its own way", glibc(), async () => {
  const program = compileProgram("doctor-program.c", "none", ["-DNO_MALLOC"]);
  const path = library("jemalloc");
  const report = await examined(program, [], path);
  assertVerdict(report, { allocator: "jemalloc", verified: true, object: path });
  assert.match(report.advice.join("\n"), /none" itself does not ask the dynamic linker for malloc/);
});

test("a program that was started through the dynamic linker is seen through", glibc(), async () => {
  const linker = readElf("/bin/cat").interpreter ?? "";
  const path = library("jemalloc");
  const report = await examined(linker, ["/bin/cat"], path);
  assertVerdict(report, { allocator: "jemalloc", verified: true, object: path });
});

test("processes that it started are named", linux(), async () => {
  const command = ["-c", "sleep 60 & echo $!; echo ready; wait"];
  await withChild("/bin/sh", command, {}, ({ pid, output }) => {
    const child = Number(output().split("\n").find((line) => /^\d+$/.test(line)));
    try {
      const known = existsSync(`/proc/${pid}/task/${pid}/children`);
      const advice = examineProcess(pid).advice.join("\n");
      assert.equal(advice.includes(`started other processes (${child})`), known, advice);
    } finally {
      process.kill(child, "SIGKILL");
    }
  });
});

test("the command in the advice can be pasted into a shell", glibc(), async () => {
  const report = await examined("/bin/sh", ["-c", "exec cat", "it's"]);
  assert.match(report.advice.join("\n"), /`offheap run -- cat`/);
  const shell = await examined("/bin/sh", ["-c", "while read line; do echo $line; done", "it's"]);
  const pasted = /`offheap run -- (.*)`/.exec(shell.advice.join("\n"))?.[1] ?? "";
  const words = execFileSync("/bin/sh", ["-c", `printf '%s\\n' ${pasted}`], { encoding: "utf8" });
  assert.deepEqual(words.trimEnd().split("\n"), shell.command);
});

test("LD_PRELOAD is split at colons and spaces, and is no other variable", () => {
  const environment = ["MY_LD_PRELOAD=/no", "LD_PRELOAD=/a b.so::/c.so ", "LD_PRELOAD=/later"];
  assert.deepEqual(readPreload(environment), ["/a", "b.so", "/c.so"]);
  assert.deepEqual(readPreload(["LD_PRELOAD="]), []);
  assert.deepEqual(readPreload([]), []);
});

test("the system's own list of preloads is read as the dynamic linker does, without comments", () => {
  const directory = temporaryDirectory();
  assert.deepEqual(systemPreloads(directory), []);
  mkdirSync(join(directory, "root", "etc"), { recursive: true });
  const list = "# not libjemalloc.so.2\n/a.so:/b.so # nor /c.so\n";
  writeFileSync(join(directory, "root", "etc", "ld.so.preload"), list);
  assert.deepEqual(systemPreloads(directory), ["/a.so", "/b.so"]);
});

test("maps are read with spaces, line feeds and deleted files", () => {
  const text = "00400000-00401000 r-xp 00000000 08:01 12   /a b\\012c (deleted)\n" +
    "7ffff0000000-7ffff0021000 rw-p 00000000 00:00 0 \n" +
    "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]\n";
  assert.deepEqual(parseMaps(text), [
    {
      start: 0x400000,
      end: 0x401000,
      offset: 0,
      permissions: "r-xp",
      path: "/a b\nc",
      deleted: true,
      identity: "08:01 12",
    },
    {
      start: 0x7ffff0000000,
      end: 0x7ffff0021000,
      offset: 0,
      permissions: "rw-p",
      path: null,
      deleted: false,
      identity: "00:00 0",
    },
    {
      start: 0x7ffffffde000,
      end: 0x7ffffffff000,
      offset: 0,
      permissions: "rw-p",
      path: null,
      deleted: false,
      identity: "00:00 0",
    },
  ]);
});

test("slots are found by arm64's relocation types, too", X64, () => {
  const path = compileProgram("doctor-program.c", "slots", ["-Wl,-z,lazy", "-fno-plt"]);
  const lazy = compileProgram("doctor-program.c", "slots-plt", ["-Wl,-z,lazy"]);
  for (const program of [path, lazy]) {
    const bytes = Uint8Array.from(asArm64(readFileSync(program)));
    const found = readElfImports(program, ["malloc"]).slots;
    const shown = relocations(program);
    assert.deepEqual(found.map(({ address }) => address), shown.map(({ address }) => address));
    const view = new DataView(bytes.buffer);
    for (const { at, type } of shown) view.setUint32(at, type === 6 ? 1025 : 1026, true);
    const copy = join(temporaryDirectory(), "arm64");
    writeFileSync(copy, bytes);
    assert.deepEqual(readElfImports(copy, ["malloc"]).slots, found);
  }
});

/** Where a file's relocations for malloc are, as readelf shows them. */
function relocations(program: string): { address: number; type: number; at: number }[] {
  const text = execFileSync("readelf", ["-rW", program], { encoding: "utf8" });
  const found: { address: number; type: number; at: number }[] = [];
  let at = 0;
  for (const line of text.split("\n")) {
    const section = /at offset 0x([0-9a-f]+) contains/.exec(line)?.[1];
    if (section !== undefined) at = Number.parseInt(section, 16);
    const [, address = "", info = ""] = /^([0-9a-f]{16}) +([0-9a-f]{16}) /.exec(line) ?? [];
    if (address === "") continue;
    if (/ malloc(@| )/.test(line)) {
      const type = Number.parseInt(info.slice(8), 16);
      found.push({ address: Number.parseInt(address, 16), type, at: at + 8 });
    }
    at += 24;
  }
  return found;
}
