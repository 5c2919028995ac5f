// PM2, a process manager that starts programs from a daemon: what the guide says of each way. All
// are started by one PM2, which takes its time to end.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { launchEnvironment } from "../../mod.ts";
import { runtimeInfo } from "../../ffi/mod.ts";
import { installLocked } from "../../tools/packages/locked.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { offheapCommand, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

/** PM2's command for containers, or why it cannot be had. */
function findPm2(): { readonly path: string } | { readonly missing: string } {
  try {
    return { path: join(installLocked("managers"), "node_modules", "pm2", "bin", "pm2-runtime") };
  } catch (error) {
    const said = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    return { missing: `PM2 could not be fetched from the npm registry (${said})` };
  }
}

const pm2 = findPm2();
const THERE = skipUnless("path" in pm2, "missing" in pm2 ? pm2.missing : "");
const directory = temporaryDirectory();
const program = join(directory, "service.cjs");

/** Writes what it finds to a file, tells PM2 that it is ready, and ends. */
const PROGRAM = `
const { readFileSync, writeFileSync } = require("node:fs");
const preload = /jemalloc/.test(process.env.LD_PRELOAD ?? "");
const under = /libjemalloc/.test(readFileSync("/proc/self/maps", "utf8"));
const channel = process.connected === true;
writeFileSync(process.env.REPORT, JSON.stringify({ channel, preload, under }));
process.send("ready", () => setTimeout(() => process.exit(0), 500));
`;

function reportOf(name: string): string {
  return join(directory, `${name}.json`);
}

/** What PM2 is to start: by run, by a run that refuses, and with variables in either mode. */
function apps(): object[] {
  const byRun = (name: string, ...options: string[]): object => {
    const [script, ...args] = offheapCommand("run", ...options, "--", "node", program);
    return { name, script, args, interpreter: "none", exec_mode: "fork", env: {} };
  };
  const byVariables = (mode: string): object => ({
    name: mode,
    script: program,
    interpreter: "node",
    exec_mode: mode,
    env: launchEnvironment({ allocator: "jemalloc" }),
  });
  return [
    byRun("run", "-a", "jemalloc"),
    byRun("refused", "-a", "system", "-p", "balanced"),
    byVariables("fork"),
    byVariables("cluster"),
  ];
}

let said = "";

before(async () => {
  if (!("path" in pm2)) return;
  writeFileSync(program, PROGRAM);
  const all = apps().map((app) => {
    const { name, env } = app as { name: string; env: object };
    return {
      ...app,
      env: { ...env, REPORT: reportOf(name) },
      autorestart: false,
      wait_ready: true,
    };
  });
  const file = join(directory, "ecosystem.config.cjs");
  writeFileSync(file, `module.exports = ${JSON.stringify({ apps: all })};\n`);
  const variables = { PM2_HOME: join(directory, "home") };
  const ended = await runChild(["node", pm2.path, "start", file], { variables });
  said = ended.stdout + ended.stderr;
});

function report(name: string): unknown {
  return existsSync(reportOf(name)) ? JSON.parse(readFileSync(reportOf(name), "utf8")) : null;
}

test("PM2 starts a program by offheap run, and its channel leads to it", THERE, () => {
  // Deno reads from the channel while it starts, and run refuses.
  const expected = runtimeInfo().name === "deno"
    ? null
    : { channel: true, preload: true, under: true };
  assert.deepEqual(report("run"), expected, said);
});

test("PM2 sees a refusal by its status", THERE, () => {
  assert.equal(report("refused"), null);
  assert.match(said, /App \[refused:\d+\] exited with code \[125\]/);
});

test("PM2 sets variables in time in fork mode, and too late in cluster mode", THERE, () => {
  assert.deepEqual(report("fork"), { channel: true, preload: true, under: true }, said);
  assert.deepEqual(report("cluster"), { channel: true, preload: true, under: false }, said);
});
