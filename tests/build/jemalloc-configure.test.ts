import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { TARGETS } from "../../lib/library/targets.ts";
import { zigToolchain } from "../../packages/build/toolchain/zig.ts";
import { configure, SIZE_CHECKS } from "../../packages/build/recipe/jemalloc-configure.ts";
import { JEMALLOC_RECIPE } from "../../packages/build/recipe/jemalloc.ts";
import type { Toolchain } from "../../packages/build/types.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { skipUnless } from "../support/skip.ts";

const REQUEST = { options: ["--enable-stats"], headers: [], strips: true };
const ZIG = { path: "/zig/zig", version: "zig 0.16.0" };
const CC: Toolchain = { compiler: ["cc"], version: "cc 1", cross: null, environment: {} };

function targetNamed(name: string): (typeof TARGETS)[number] {
  const target = TARGETS.find((one) => one.name === name);
  assert.ok(target);
  return target;
}

/** The command and the variables with which configure is run. */
async function recorded(
  name: string,
  request = REQUEST,
  { toolchain, shared = "/shared" }: { toolchain?: Toolchain; shared?: string | null } = {},
) {
  const target = targetNamed(name);
  const calls: { command: readonly string[]; variables: Readonly<Record<string, string>> }[] = [];
  await configure({
    variant: "release",
    target,
    toolchain: toolchain ?? zigToolchain(ZIG, target, "/cache", ""),
    directory: "/source",
    exports: { required: [], optional: [] },
    shared,
    output: "/output",
    run: (command, variables = {}) => {
      calls.push({ command, variables });
      return Promise.resolve("prof-gcc : 0\n");
    },
  }, request);
  assert.equal(calls.length, 1);
  return { command: calls[0]?.command ?? [], variables: calls[0]?.variables ?? {} };
}

test("this machine's compiler is asked for everything", async () => {
  const { command, variables } = await recorded("linux-x64-gnu", REQUEST, { toolchain: CC });
  assert.deepEqual(command, ["./configure", "--enable-stats"]);
  assert.deepEqual(variables, { CC: "cc" });
});

test("zig makes no part of a C library for configure alone", async () => {
  const musl = await recorded("linux-x64-musl");
  assert.equal(
    musl.variables["CC"],
    "zig cc -target x86_64-linux-musl -fno-sanitize=undefined -s -dynamic",
  );
  const windows = await recorded("win32-x64", { ...REQUEST, strips: false });
  assert.equal(
    windows.variables["CC"],
    "zig cc -target x86_64-windows-gnu -fno-sanitize=undefined",
  );
});

test("zig's targets get their sizes, and their own unwinder where there is one", async () => {
  const given = async (name: string) => (await recorded(name)).variables;
  const { CC: _, ...unix } = await given("freebsd-x64");
  assert.deepEqual(unix, {
    ac_cv_sizeof_void_p: "8",
    ac_cv_sizeof_int: "4",
    ac_cv_sizeof_long: "8",
    ac_cv_sizeof_long_long: "8",
    ac_cv_sizeof_intmax_t: "8",
    ac_cv_c_bigendian: "no",
    LIBS: "-lunwind",
  });
  assert.equal((await given("win32-arm64"))["ac_cv_sizeof_long"], "4");
  for (const name of ["win32-x64", "darwin-arm64"]) {
    assert.equal((await given(name))["LIBS"], undefined, name);
  }
});

test("the variants of a target share configure's answers", async () => {
  const { command } = await recorded("darwin-arm64");
  assert.deepEqual(command, [
    "./configure",
    "--host=aarch64-apple-darwin",
    `--cache-file=${join("/shared", "jemalloc-configure-s.cache")}`,
    "--enable-stats",
  ]);
  const unlike = await recorded("darwin-arm64", { ...REQUEST, strips: false });
  assert.ok(unlike.command.includes(`--cache-file=${join("/shared", "jemalloc-configure.cache")}`));
  const alone = await recorded("darwin-arm64", REQUEST, { shared: null });
  assert.doesNotMatch(alone.command.join(" "), /--cache-file/);
});

/** Whether the checks compile with these sizes, each as a binary logarithm, and compiler flags. */
function compiles(sizes: Readonly<Record<string, number>>, ...flags: string[]): boolean {
  const source = join(temporaryDirectory(), "sizes.c");
  const defines = Object.entries(sizes).map(([name, size]) => `#define LG_SIZEOF_${name} ${size}`);
  writeFileSync(source, ["#include <stdint.h>", ...defines, ...SIZE_CHECKS, ""].join("\n"));
  try {
    execFileSync("cc", ["-fsyntax-only", ...flags, source], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    return true;
  } catch (error) {
    assert.match(String(error), /the size of|the order of bytes/);
    return false;
  }
}

const onLinux = skipUnless(process.platform === "linux", "it compiles as Linux does");

test("what configure was given and is not true does not compile", onLinux, () => {
  const sizes = { PTR: 3, INT: 2, LONG: 3, LONG_LONG: 3, INTMAX_T: 3 };
  assert.equal(compiles(sizes), true);
  for (const [name, size] of Object.entries(sizes)) {
    assert.equal(compiles({ ...sizes, [name]: size + 1 }), false, name);
  }
  const other = ["-U__BYTE_ORDER__", "-D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__"];
  assert.equal(compiles(sizes, ...other), false, "the order of bytes");
});

test("the bits of an address are not those of the processor that builds", () => {
  const flags = (name: string): string[] =>
    JEMALLOC_RECIPE.flags("release", targetNamed(name), true);
  assert.ok(flags("linux-x64-gnu").includes("--with-lg-vaddr=48"));
  assert.ok(flags("linux-x64-musl").includes("--with-lg-vaddr=48"));
  for (const name of ["darwin-x64", "win32-x64", "freebsd-x64"]) {
    assert.ok(flags(name).includes("--with-lg-vaddr=57"), name);
  }
  // There configure takes 48 without asking.
  assert.doesNotMatch(flags("linux-arm64-gnu").join(" "), /vaddr/);
});
