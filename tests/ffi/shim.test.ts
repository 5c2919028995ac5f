import assert from "node:assert/strict";
import { chmodSync, closeSync, copyFileSync, openSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ffi } from "../../ffi/mod.ts";
import { SHIM_SYMBOLS } from "../../ffi/symbols/shim.ts";
import { type Address, NULL } from "../../ffi/types.ts";
import { compileProgram, compileShared, temporaryDirectory } from "../support/compile.ts";
import {
  builtLibrary,
  type ChildOptions,
  type ChildResult,
  offheapCommand,
  runChild,
} from "../support/runtime.ts";

const ALLOCATORS = ["jemalloc", "mimalloc"] as const;
const directory = temporaryDirectory();
const SHIM = builtLibrary("offheap");

function run(args: readonly string[], options: ChildOptions = {}): Promise<ChildResult> {
  return runChild(offheapCommand("run", ...args), options);
}

function script(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

interface Lie {
  readonly allocator: "jemalloc" | "mimalloc";
  readonly lie: string;
  readonly flags: readonly string[];
  readonly refusal: RegExp;
}

const CLAIMS_ALL = /claims memory that no allocator owns/;
const DENIES = /a block from malloc does not belong to it/;
const MISCOUNTS = /its counters do not follow malloc/;

/** Libraries whose malloc is libc's, preloaded in front of the real allocator. */
const LIES: readonly Lie[] = [
  {
    allocator: "jemalloc",
    lie: "counts rightly and claims every address",
    flags: ["-DDECOY_MALLCTL", "-DDECOY_COUNTS"],
    refusal: CLAIMS_ALL,
  },
  {
    allocator: "jemalloc",
    lie: "counts rightly and claims no address",
    flags: ["-DDECOY_MALLCTL", "-DDECOY_COUNTS", "-DDECOY_CLAIMS(p)=0"],
    refusal: DENIES,
  },
  {
    allocator: "jemalloc",
    lie: "counts three times what it is asked for",
    flags: ["-DDECOY_MALLCTL", "-DDECOY_COUNTS=3"],
    refusal: MISCOUNTS,
  },
  {
    allocator: "jemalloc",
    lie: "does not count",
    flags: ["-DDECOY_MALLCTL"],
    refusal: MISCOUNTS,
  },
  { allocator: "mimalloc", lie: "claims every address", flags: [], refusal: CLAIMS_ALL },
  {
    allocator: "mimalloc",
    lie: "claims every address but static data",
    flags: ["-DDECOY_CLAIMS(p)=!is_static(p)"],
    refusal: CLAIMS_ALL,
  },
  {
    allocator: "mimalloc",
    lie: "claims every address but the stack's",
    flags: ["-DDECOY_CLAIMS(p)=!is_on_stack(p)"],
    refusal: CLAIMS_ALL,
  },
  {
    allocator: "mimalloc",
    lie: "claims no address",
    flags: ["-DDECOY_CLAIMS(p)=0"],
    refusal: DENIES,
  },
];

/** Sets the shim's variable for the process that then becomes the program. */
function requiring(requirement: string, preload: string): Promise<ChildResult> {
  const command = `OFFHEAP_REQUIRE="${requirement}" LD_PRELOAD='${preload}' exec echo started`;
  return runChild(["sh", "-c", command]);
}

LIES.forEach(({ allocator, lie, flags, refusal }, index) => {
  test(`a false ${allocator} that ${lie} is found out in the program, before its main`, async () => {
    const decoy = compileShared("decoy-malloc.c", `lie-${index}.so`, flags);
    const preload = `${decoy}:${builtLibrary(allocator)}:${SHIM}`;
    const { status, stdout, stderr } = await requiring(`$$:${allocator}`, preload);
    assert.equal(status, 125, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^offheap: this program was to run under \w+, and was ended before/);
    assert.match(stderr, refusal);
    assert.ok(stderr.includes(`malloc is served by ${decoy}; LD_PRELOAD is "${decoy}:`), stderr);
  });
});

for (const allocator of ALLOCATORS) {
  test(`another copy of ${allocator} than the one asked for is refused in the program`, async () => {
    const copy = join(directory, `copy of lib${allocator}:2.so`);
    copyFileSync(builtLibrary(allocator), copy);
    const library = builtLibrary(allocator);
    const link = join(directory, `link-${allocator}.so`);
    symlinkSync(copy, link);
    const asked = await requiring(`$$:${allocator}:${copy}`, `${link}:${SHIM}`);
    assert.equal(asked.stdout, "started\n", asked.stderr);
    const other = await requiring(`$$:${allocator}:${copy}`, `${library}:${SHIM}`);
    assert.equal(other.status, 125);
    assert.equal(other.stdout, "");
    const sentence = `another copy of it serves malloc, "${library}", and not "${copy}"`;
    assert.ok(other.stderr.includes(sentence), other.stderr);
  });
}

for (const allocator of ALLOCATORS) {
  test(`a ${allocator} that the dynamic linker leaves out ends the program before its main`, async () => {
    const preload = `/nonexistent/lib${allocator}.so:${SHIM}`;
    const { status, stdout, stderr } = await requiring(`$$:${allocator}`, preload);
    assert.equal(status, 125, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /under \w+, and was ended before its main: it is not loaded/);
    assert.match(stderr, /malloc is served by .*libc/);
  });
}

test("an allocator that the shim does not know is not taken for one that is active", async () => {
  const { status, stdout, stderr } = await requiring("$$:nothing", SHIM);
  assert.equal(status, 125);
  assert.equal(stdout, "");
  assert.match(stderr, /under nothing, .* knows no allocator of that name/);
});

test("a requirement for another process, or for none, does not concern a program", async () => {
  for (const value of ["1:nothing", "$$", "", "x", ":nothing", "0$$0:nothing", "$$ :nothing"]) {
    const { status, stdout, stderr } = await requiring(value, SHIM);
    assert.equal(stdout, "started\n", `${value}: ${stderr}`);
    assert.equal(status, 0, value);
  }
});

test("a program with a malloc of its own is refused, and runs as another program's child", async () => {
  const program = compileProgram("own-malloc.c", "own-malloc");
  for (const allocator of ALLOCATORS) {
    const own = await run(["-a", allocator, "--", program]);
    assert.equal(own.status, 125, own.stderr);
    assert.equal(own.stdout, "");
    assert.match(own.stderr, /loaded, but does not serve malloc/);
    assert.match(own.stderr, /malloc is served by .*own-malloc;/);
    const child = await run(["-a", allocator, "--", "sh", "-c", '"$1"; echo $?', "sh", program]);
    assert.equal(child.stdout, "ran with a malloc of its own\n0\n", child.stderr);
    assert.equal(child.stderr, "");
  }
});

test("a program that has a stub for malloc runs, whatever else is preloaded", async () => {
  const program = compileProgram("doctor-program.c", "stub", [
    "-no-pie",
    "-fno-pie",
    "-DTAKES_ADDRESS",
  ]);
  const other = compileShared("decoy-version.c", "shim-other.so", ["-Wl,--no-as-needed"]);
  for (const allocator of ALLOCATORS) {
    for (const LD_PRELOAD of [undefined, other]) {
      const options = { variables: { LD_PRELOAD }, input: "line\n" };
      const { status, stdout, stderr } = await run(["-a", allocator, "--", program], options);
      assert.equal(status, 0, stderr);
      assert.equal(stdout, "line\n");
    }
  }
});

test("a closed pipe ends the command by SIGPIPE, as without offheap", async () => {
  const pipe = await run(["--", "sh", "-c", "kill -PIPE $$; echo survived"]);
  assert.equal(pipe.signal, "SIGPIPE", pipe.stdout);
  const size = await run(["--", "sh", "-c", "kill -XFSZ $$; echo survived"]);
  assert.equal(size.signal, "SIGXFSZ", size.stdout);
  const { stdout, stderr } = await run(["--", "bash", "-c", "yes | head -n 1; echo $PIPESTATUS"]);
  assert.equal(stdout, "y\n141\n");
  assert.equal(stderr, "");
});

test("the standard streams that the command gets are blocking ones", async () => {
  const nonblocking = compileProgram("nonblocking.c", "nonblocking");
  const show = "for i in 0 1 2; do sed -n s/flags:.//p /proc/self/fdinfo/$i; done";
  const command = [nonblocking, ...offheapCommand("run", "--", "sh", "-c", show)] as const;
  const { stdout, stderr } = await runChild([...command]);
  const flags = stdout.trim().split("\n").map((text) => Number.parseInt(text, 8));
  assert.equal(flags.length, 3, stderr);
  for (const flag of flags) assert.equal(flag & 0o4000, 0, stdout);
});

test("descriptors that systemd passes in LISTEN_FDS reach the command, the last one included", async () => {
  const files = [3, 4].map((fd) => script(`fd${fd}`, `content of ${fd}\n`));
  const give = `exec 3<'${files[0]}' 4<'${files[1]}'; LISTEN_PID=$$ LISTEN_FDS=2 exec "$@"`;
  const read = "cat <&3; cat <&4; test $LISTEN_PID = $$; echo $? $LISTEN_FDS";
  const command = offheapCommand("run", "--", "sh", "-c", read);
  const { stdout, stderr } = await runChild(["sh", "-c", give, "sh", ...command]);
  assert.equal(stdout, "content of 3\ncontent of 4\n0 2\n", stderr);
});

test("a LISTEN_FDS beyond all sense delays nothing and closes nothing", async () => {
  for (const LISTEN_FDS of ["x", "", "2000000000"]) {
    const options = { variables: { LISTEN_FDS }, input: "in\n" };
    const { status, stdout, stderr } = await run(["--", "sh", "-c", "cat; echo err >&2"], options);
    assert.equal(status, 0, `${LISTEN_FDS}: ${stderr}`);
    assert.equal(stdout, "in\n", LISTEN_FDS);
    assert.equal(stderr, "err\n", LISTEN_FDS);
  }
});

test("with --no-inherit a program started by #!/usr/bin/env has the allocator, and its children do not", async () => {
  const path = script(
    "by-env",
    "#!/usr/bin/env -S FROM_ENV=1 sh\n" +
      "cat /proc/$$/maps\necho =====\ncat /proc/self/maps\nenv\nsh -c 'cat /proc/$$/maps; env'\n",
  );
  for (const allocator of ALLOCATORS) {
    const variables = { LD_PRELOAD: undefined, MALLOC_CONF: "abort:false" };
    const args = ["-a", allocator, "-p", "low-memory", "--no-inherit", "--", path];
    const { status, stdout, stderr } = await run(args, { variables });
    assert.equal(status, 0, stderr);
    const [own = "", children = ""] = stdout.split("=====");
    assert.match(own, new RegExp(`lib${allocator}\\.so`));
    assert.doesNotMatch(children, /lib(je|mi)malloc|liboffheap|OFFHEAP_RE|LD_PRELOAD|MIMALLOC_/);
    assert.equal(children.match(/^MALLOC_CONF=abort:false$/gm)?.length, 2);
    assert.equal(children.match(/^FROM_ENV=1$/gm)?.length, 2);
  }
});

test("with --no-inherit an LD_PRELOAD of the user's own stays with the children", async () => {
  const first = compileShared("decoy-version.c", "shim-first.so");
  const variables = { LD_PRELOAD: first };
  const show = ["--", "sh", "-c", "printenv LD_PRELOAD; cat /proc/self/maps"];
  const { stdout } = await run(["--no-inherit", ...show], { variables });
  assert.equal(stdout.split("\n")[0], first);
  assert.match(stdout, /shim-first\.so/);
  assert.doesNotMatch(stdout, /libjemalloc|liboffheap/);
});

test("what execve refuses has its reason and status 126", async () => {
  const program = compileProgram("hello.c", "busy");
  const written = openSync(program, "r+");
  try {
    const { status, stdout, stderr } = await run(["--", program]);
    assert.equal(status, 126);
    assert.equal(stdout, "");
    assert.match(stderr, /^offheap: Cannot run ".*busy": text file is busy \(ETXTBSY\)\.\n$/);
  } finally {
    closeSync(written);
  }
});

test("glibc's bytes in use count small blocks and mapped ones", () => {
  const { calls, close } = ffi().open(SHIM, SHIM_SYMBOLS);
  const libc = ffi().open(null, {
    malloc: { parameters: ["usize"], result: "pointer" },
    free: { parameters: ["pointer"], result: "void" },
  });
  const inUse = (): bigint => {
    const bytes = new BigUint64Array(1);
    assert.equal(calls.offheap_glibc_in_use(bytes), 0);
    return bytes[0] ?? 0n;
  };
  const COUNT = 20_000;
  for (const [count, size] of [[COUNT, 1000], [1, 96 << 20]] as const) {
    const before = inUse();
    const blocks: Address[] = Array.from({ length: count }, () => libc.calls.malloc(size));
    const moved = Number(inUse() - before);
    assert.ok(blocks.every((block) => block !== NULL));
    assert.ok(moved > 0.9 * count * size && moved < 1.5 * count * size, `${moved}`);
    for (const block of blocks) libc.calls.free(block);
  }
  assert.equal(calls.offheap_abi_version(), 7);
  libc.close();
  close();
});
