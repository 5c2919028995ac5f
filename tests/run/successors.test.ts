import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { compileProgram } from "../support/compile.ts";
import { directory, refused, run, script } from "../support/launch.ts";
import { effort, THOROUGH } from "../support/effort.ts";
import { IS_MUSL } from "../support/libc.ts";
import { type ChildResult, offheapCommand, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

/** Ways in which the launched process becomes another program without the preload or the check. */
const WAYS_AROUND: readonly (readonly [string, readonly string[], string])[] = [
  ["env -i", ["env", "-i", "/bin/echo", "started"], "LD_PRELOAD"],
  ["env -u", ["env", "-u", "LD_PRELOAD", "/bin/echo", "started"], "LD_PRELOAD"],
  ["another preload", ["env", "LD_PRELOAD=/x.so", "/bin/echo", "started"], "LD_PRELOAD"],
  ["env without the requirement", ["env", "OFFHEAP_REQUIRE=", "/bin/echo", "x"], "OFFHEAP_REQUIRE"],
  ["a shell's exec", ["sh", "-c", "unset LD_PRELOAD; exec /bin/echo started"], "LD_PRELOAD"],
];

for (const [what, command, variable] of WAYS_AROUND) {
  test(`what becomes another program without the check ends with 125: ${what}`, async () => {
    // Behind a shell, as run itself follows an env that is the command.
    const stderr = await refused(["--", "sh", "-c", 'exec "$@"', "sh", ...command]);
    assert.match(
      stderr,
      new RegExp(`/bin/echo" was not started: .* and ${variable} is not in its environment`),
    );
  });
}

test("children that become another program so are their own masters", async () => {
  const lines = WAYS_AROUND.map(([, command]) =>
    `sh -c '"$@"' sh ${command.map((word) => `'${word}'`).join(" ")}; echo $?`
  );
  const { stdout } = await run(["--", "sh", "-c", lines.join("\n")]);
  assert.match(stdout, /^(started|x)\n0\n((started|x)\n0\n){4}$/);
});

test("with --no-inherit the program may become what it likes", async () => {
  const command = ["sh", "-c", "exec env -i /bin/echo started"] as const;
  const { stdout, stderr } = await run(["--no-inherit", "--", ...command]);
  assert.equal(stdout, "started\n", stderr);
});

test("each function that becomes another program is looked at", async () => {
  const program = compileProgram("execute.c", "execute");
  const names = ["execl", "execle", "execlp", "execv", "execve", "execvp", "execvpe", "fexecve"];
  const { stdout: variables } = await runChild(offheapCommand("env"));
  // On a push by a shell that has what run would set.
  const evaluated = ["sh", "-c", 'eval "$0"; exec "$@"', variables] as const;
  const launch = (...words: string[]): Promise<ChildResult> =>
    THOROUGH ? run(["--", program, ...words]) : runChild([...evaluated, program, ...words]);
  for (const name of [...names, "execveat", "execveat-file"]) {
    for (const way of ["keep", "child"]) {
      const { stdout, stderr } = await launch(name, way);
      assert.equal(stdout, "one two\n", `${name}, ${way}: ${stderr}`);
    }
    const { status, stdout, stderr } = await launch(name, "drop");
    assert.deepEqual([status, stdout], [125, ""], `${name}: ${stderr}`);
    assert.match(
      stderr,
      /^offheap: .* was not started: .* and LD_PRELOAD is not in its environment/,
    );
  }
});

test("a second preload variable, which the dynamic linker takes, is looked at as well", async () => {
  const program = compileProgram("execute.c", "execute-twice");
  const stderr = await refused(["--", program, "execve", "twice"]);
  assert.match(stderr, / was not started: .* and LD_PRELOAD is not in its environment/);
});

test("a program that cannot be executed ends nothing: the call fails as it does elsewhere", async () => {
  for (const program of ["/nonexistent/program", "offheap-knows-no-such-program"]) {
    const { status, stderr } = await run(["--", "sh", "-c", `unset LD_PRELOAD; exec ${program}`]);
    assert.equal(status, 127, stderr);
    assert.doesNotMatch(stderr, /offheap: /);
  }
});

test("what would start where the library cannot be read any more is refused", async () => {
  const { stdout } = await runChild(offheapCommand("env", "-a", "jemalloc"));
  const shim = stdout.match(/[^':]*liboffheap\.so/)?.[0] ?? "";
  const copy = join(directory, "copy-of-shim.so");
  copyFileSync(shim, copy);
  const inside = (line: string): [string, ...string[]] => [
    ...(["sh", "-c", 'eval "$0"; exec sh -c "$@"'] as const),
    stdout.replaceAll(shim, copy),
    line,
    copy,
  ];
  // A child is its own master, as everywhere; then the launched process itself.
  const lines = 'rm "$0"; /bin/echo child 2>&1; exec /bin/echo started';
  const { status, stdout: printed, stderr } = await runChild(inside(lines));
  assert.equal(status, 125, stderr);
  assert.match(printed, /^(ERROR: ld.so: .*\n)?child\n$/);
  assert.match(
    stderr,
    /"\/bin\/echo" was not started: .*shim\.so" cannot be opened any more: No such/,
  );
});

const isRoot = skipUnless(process.getuid?.() === 0, "chroot needs root");

test(
  "what would start in a root without the library, and without /proc, is refused",
  isRoot,
  async () => {
    const root = join(directory, "root");
    mkdirSync(root);
    copyFileSync("/bin/true", join(root, "true"));
    const stderr = await refused(["-a", "jemalloc", "--", "chroot", root, "/true"]);
    assert.match(
      stderr,
      /"\/true" was not started: .*liboffheap\.so" cannot be opened any more: No such/,
    );
  },
);

test("under the system's allocator there is nothing that a successor could lose", async () => {
  const command = ["sh", "-c", "unset LD_PRELOAD; exec /bin/echo started"] as const;
  const { stdout, stderr } = await run(["-a", "system", "--", ...command]);
  assert.equal(stdout, "started\n", stderr);
});

test("a script whose env would leave the check out is refused, by whatever name env goes", async () => {
  const copy = join(directory, "another-env");
  copyFileSync("/usr/bin/env", copy);
  const lines: readonly (readonly [string, RegExp])[] = [
    ["/usr/bin/env -S LD_PRELOAD= echo started", /makes "env" set LD_PRELOAD/],
    ["/usr/bin/env -S ${NOPE}LD_PRELOAD= echo started", /arguments hold "\$" in -S/],
    ["/usr/bin/env -S OFFHEAP_REQUIRE= echo started", /makes "env" set OFFHEAP_REQUIRE/],
    ["/usr/bin/env -S MALLOC_CONF=narenas:1 echo started", /makes "env" set MALLOC_CONF/],
    ["/usr/bin/env -S /usr/bin/env -u LD_PRELOAD echo started", /start another "env"/],
    [
      `${copy} -S -u LD_PRELOAD /bin/echo started`,
      / was not started: .* and LD_PRELOAD is not in its environment/,
    ],
    [
      `/usr/bin/env -S ${copy} -i /bin/echo started`,
      / was not started: .* and LD_PRELOAD is not in its environment/,
    ],
  ];
  for (const [index, [line, message]] of lines.entries()) {
    const path = script(`around-${index}`, `#!${line}\n`);
    assert.match(await refused(["-a", "jemalloc", "--", path]), message, line);
  }
});

test(
  "a program is executed by the descriptor of the file that was checked, a script by its name",
  skipUnless(!IS_MUSL, "only glibc's dynamic linker shows by what name it was executed"),
  async () => {
    const path = script("shown", "#!/bin/cat\n");
    for (const [command, name] of [["/bin/true", "/dev/fd/\\d+"], [path, path]] as const) {
      // The runtime, which is executed first, shows its own.
      const { stdout } = await run(["--", command], { variables: { LD_SHOW_AUXV: "1" } });
      assert.match(stdout, new RegExp(`AT_EXECFN: +(?!.*AT_EXECFN)${name}\n`, "s"));
    }
  },
);

test("what is executed is what was checked: a link that changes meanwhile makes no difference", async () => {
  const [dynamic, fixed] = ["dynamic", "static"].map((name) =>
    compileProgram("hello.c", `flip-${name}`, [
      `-DTEXT="${name}"`,
      ...(name === "static" ? ["-static"] : []),
    ])
  );
  const link = join(directory, "flipping");
  let flips = 0;
  const flip = (): void => {
    symlinkSync(String(flips++ % 2 === 0 ? dynamic : fixed), `${link}.new`);
    renameSync(`${link}.new`, link);
  };
  flip();
  const flipping = setInterval(flip, 1);
  try {
    const statuses = new Set<number | null>();
    const rounds = effort(8, 20);
    for (let round = 0; round < rounds || (round < 40 && !statuses.has(125)); round++) {
      const { status, stdout, stderr } = await run(["--", link]);
      assert.ok(stdout === "dynamic\n" || status === 125 || status === 127, `${stdout}${stderr}`);
      statuses.add(status);
    }
    assert.ok(statuses.has(125), "the link was never another while it was looked at");
  } finally {
    clearInterval(flipping);
  }
});
