// What else is preloaded, by LD_PRELOAD and by /etc/ld.so.preload: the latter in a mount namespace of
// its own, where /etc is a copy.
import assert from "node:assert/strict";
import { copyFileSync, symlinkSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import {
  type OtherPreloads,
  refuseOtherAllocators,
  systemPreloadNames,
} from "../../lib/run/other-preloads.ts";
import { compileShared, temporaryDirectory } from "../support/compile.ts";
import { IS_MUSL } from "../support/libc.ts";
import { builtLibrary, type ChildResult, offheapCommand, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const LIBRARY = builtLibrary("jemalloc");

function refuse(preloads: Partial<OtherPreloads>): void {
  refuseOtherAllocators({
    library: LIBRARY,
    variable: "LD_PRELOAD",
    names: [],
    system: "",
    ...preloads,
  });
}

const elf = () => skipUnless(process.platform === "linux", "the rules are those of ELF");

test("the system's list has names apart by white space and colons, and comments", () => {
  const text = "# first\n/a.so /b.so:/c.so\t\n  # no\n/d.so # /e.so\n";
  assert.deepEqual(systemPreloadNames(text), ["/a.so", "/b.so", "/c.so", "/d.so"]);
  assert.deepEqual(systemPreloadNames(""), []);
});

test("what takes over no entry point is ignored, wherever it is", elf(), () => {
  const harmless = compileShared("decoy-version.c", "other-harmless.so");
  const operators = compileShared("decoy-entries.c", "other-through.so", ["-DTHROUGH"]);
  const text = join(temporaryDirectory(), "text.so");
  writeFileSync(text, "no library");
  for (const name of [harmless, operators, text, "/nonexistent.so", "libm.so.6", "no-such.so.9"]) {
    refuse({ names: [name] });
    refuse({ system: name });
    refuse({ library: null, names: [name], system: name });
  }
});

test("each entry point that is taken over is refused by its name", elf(), () => {
  const harmless = compileShared("decoy-version.c", "other-first.so");
  for (
    const [part, symbol] of [["FREE", "free"], ["CALLOC", "calloc"], ["ALIGNED", "posix_memalign"]]
  ) {
    const decoy = compileShared("decoy-entries.c", `other-${part}.so`, [`-D${part}`]);
    const message =
      `LD_PRELOAD names "${decoy}", which defines ${symbol} itself and would serve it`;
    assert.throws(() => refuse({ names: [decoy] }), (error: Error) => {
      assert.equal(error.name, "LaunchError");
      assert.ok(error.message.includes(message), error.message);
      assert.match(error.message, /Take it out of LD_PRELOAD\.$/);
      return true;
    });
    assert.throws(() => refuse({ names: [harmless, decoy, LIBRARY] }), /"[^"]*", which defines/);
    refuse({ names: [LIBRARY, decoy] });
  }
});

test(
  "the library itself is no other, by whatever name, and what comes after it does not serve",
  elf(),
  () => {
    const directory = temporaryDirectory();
    const link = join(directory, "link.so");
    symlinkSync(LIBRARY, link);
    const copy = join(directory, "copy.so");
    copyFileSync(LIBRARY, copy);
    refuse({ names: [link] });
    refuse({ names: [link, copy] });
    assert.throws(() => refuse({ names: [copy, link] }), /copy\.so", which defines malloc itself/);
    assert.throws(() => refuse({ names: [copy] }), /--allocator jemalloc --library ".*copy\.so"/);
    assert.throws(() => refuse({ library: null, names: [link] }), /under the system's allocator: /);
    assert.throws(() => refuse({ library: null, system: link }), /which is an allocator/);
  },
);

/** An allocator with operators of C++'s, which another's malloc must not be mixed with. */
function withOperators(): string {
  const flags = ["-DDECOY_MALLCTL", "-DDECOY_OPERATORS"];
  return compileShared("decoy-malloc.c", "other-operators.so", flags);
}

test(
  "an allocator in the system's list is refused for operators that the library has not",
  elf(),
  () => {
    const other = withOperators();
    const all = { library: other, names: [other] };
    refuse({ ...all, system: other });
    const plain = compileShared("decoy-malloc.c", "other-plain.so", ["-DDECOY_MALLCTL"]);
    refuse({ ...all, system: plain });
    assert.throws(
      () => refuse({ library: plain, names: [plain], system: `# ours\n${other}\n` }),
      /\/etc\/ld\.so\.preload names ".*other-operators\.so", another allocator, whose operators of C\+\+ \(_Znwm\)/,
    );
  },
);

/** Runs a command where /etc/ld.so.preload has this text. */
function withSystemPreload(text: string, command: readonly string[]): Promise<ChildResult> {
  const directory = temporaryDirectory();
  const list = join(directory, "list");
  writeFileSync(list, text);
  const script =
    'cp -r /etc "$1/etc" 2> /dev/null; cp "$2" "$1/etc/ld.so.preload" && mount --bind "$1/etc" /etc ' +
    '&& shift 2 && exec "$@"';
  return runChild(["unshare", "-rm", "sh", "-c", script, "sh", directory, list, ...command]);
}

const canMount = spawnSync("unshare", ["-rm", "true"]).status === 0;
const namespaces = () =>
  skipUnless(canMount && !IS_MUSL, "needs glibc, and the right to make a mount namespace");

test(
  "an allocator with operators in /etc/ld.so.preload is refused by run and in the program",
  namespaces(),
  async () => {
    const other = withOperators();
    const plain = compileShared("decoy-malloc.c", "other-honest.so", [
      "-DDECOY_MALLCTL",
      "-DDECOY_COUNTS",
      "-DDECOY_CLAIMS(p)=(p==newest)",
    ]);
    const command = offheapCommand("run", "-a", "jemalloc", "--", "echo", "started");
    const own = compileShared("hello.c", "other-none.so");
    const harmless = await withSystemPreload(`${own}\n`, command);
    assert.equal(harmless.stdout, "started\n", harmless.stderr);
    const system = offheapCommand("run", "-a", "system", "--", "echo", "started");
    const refused = await withSystemPreload(`${other}\n`, system);
    assert.equal(refused.status, 125, refused.stderr);
    assert.match(
      refused.stderr,
      /^offheap: .*: \/etc\/ld\.so\.preload names ".*other-operators\.so", which is/,
    );
    const inProgram = [
      "sh",
      "-c",
      'OFFHEAP_REQUIRE="$$:jemalloc" LD_PRELOAD="$1" exec echo started',
      "sh",
    ];
    const preload = `${plain}:${builtLibrary("offheap")}`;
    const checked = await withSystemPreload(`${other}\n`, [...inProgram, preload]);
    assert.equal(checked.status, 125, checked.stderr);
    assert.match(
      checked.stderr,
      /operators \(_Znwm\) are those of another allocator, ".*other-operators/,
    );
  },
);
