import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { directory, refused, run } from "../support/launch.ts";

test("with --no-inherit the command that env becomes has the allocator", async () => {
  const maps = [
    "sh",
    "-c",
    "grep -c libjemalloc /proc/$$/maps; grep -c libjemalloc /proc/self/maps",
  ];
  const args = ["-a", "jemalloc", "--no-inherit", "--", "env", "A=b", ...maps];
  const { stdout, stderr } = await run(args);
  assert.match(stdout, /^[1-9]\d*\n0\n$/, `the shell has it, and its child does not: ${stderr}`);
});

test("with --no-inherit a wrapper is refused, as the command after it would go without", async () => {
  for (const name of ["nice", "nohup", "timeout"]) {
    const stderr = await refused(["--no-inherit", "--", name, "5", "true"]);
    assert.ok(stderr.includes(`${name} … offheap run --no-inherit -- COMMAND`), stderr);
    assert.equal((await run(["--", name, ...(name === "timeout" ? ["5"] : []), "true"])).status, 0);
  }
  // What a supervisor or a container has, and this machine may not.
  for (const name of ["chpst", "s6-setuidgid", "dumb-init"]) {
    copyFileSync("/bin/true", join(directory, name));
    const stderr = await refused(["--no-inherit", "--", join(directory, name), "true"]);
    assert.ok(stderr.includes(`${name} … offheap run --no-inherit -- COMMAND`), stderr);
  }
});

test("env as the command is followed, and refused where it would drop what run sets", async () => {
  for (const words of [["-i"], ["-u", "LD_PRELOAD"], ["LD_PRELOAD="], ["env"]]) {
    const stderr = await refused(["--", "env", ...words, "echo", "started"]);
    assert.match(stderr, /Cannot run "env" under an allocator: its arguments make it /);
  }
  assert.equal((await run(["--", "env", "A=b", "printenv", "A"])).stdout, "b\n");
  for (const option of ["--version", "--help", "--argv0=x"]) {
    assert.match(await refused(["--", "env", option, "true"]), /offheap does not follow/);
  }
});

test("an interpreter whose path is not UTF-8 is refused in a sentence", async () => {
  const line = Buffer.concat([Buffer.from("#!/bin/caf"), Buffer.of(0xe9), Buffer.from("\n")]);
  const path = join(directory, "interpreter-not-utf8");
  writeFileSync(path, line, { mode: 0o755 });
  const { status, stderr } = await run(["--", path]);
  assert.equal(status, 126);
  assert.match(stderr, /its path is not UTF-8\. Give the path of a link to it that is\.\n$/);
});

test("LD_AUDIT is named as what the dynamic linker may say of static TLS", async () => {
  const variables = { LD_AUDIT: "/nonexistent/audit.so" };
  const { stderr } = await run(["-a", "jemalloc", "--", "true"], { variables });
  assert.match(
    stderr,
    /^offheap: LD_AUDIT is set\. .*"cannot allocate memory in static TLS block"/m,
  );
});
