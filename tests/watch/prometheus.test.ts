/**
 * A real Prometheus that scrapes programs in three runtimes and the exporter, with deploy/prometheus's rules.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { test } from "node:test";
import { type Running, startUntil } from "../../tools/processes.ts";
import { findRuntimes, RUNTIMES } from "../../tools/runtimes.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { ask } from "../support/http.ts";
import { PROMETHEUS, PROMTOOL, withPrometheus } from "../support/prometheus.ts";
import { childEnvironment, FIXTURES, offheapCommand, ROOT } from "../support/runtime.ts";
import { startServing } from "../support/serving.ts";
import { skipUnless } from "../support/skip.ts";

const prometheus = () =>
  skipUnless(
    process.platform === "linux" && typeof PROMETHEUS !== "string",
    typeof PROMETHEUS === "string" ? PROMETHEUS : "it is about /proc",
  );

const RULES = join(ROOT, "deploy", "prometheus", "rules.yml");
const directory = temporaryDirectory();

/** The rules, with what they wait for in seconds instead of minutes. */
function quickRules(): string {
  const path = join(directory, "rules.yml");
  const text = readFileSync(RULES, "utf8").replace(/^( +for: )\d+[mh]$/gm, "$11s");
  assert.match(text, /for: 1s/);
  writeFileSync(path, text);
  return path;
}

/** A service under `offheap run`, in a runtime, with a limit that it is near; its port. */
async function startService(command: readonly string[]): Promise<Running<string>> {
  const options = ["--allocator", "jemalloc", "--memory-limit", "20MiB"];
  return await startUntil(
    offheapCommand("run", ...options, "--", ...command),
    { env: childEnvironment() },
    (stdout) => /^(\d+) .*\n/.exec(stdout)?.[1],
  );
}

test(
  "Prometheus gets what programs and processes have, and the alerts fire",
  prometheus(),
  async () => {
    const server = join(FIXTURES, "metrics-server.ts");
    const services: Running<string>[] = [];
    const comers: ChildProcess[] = [];
    const serving = await startServing("--metrics-only");
    // A name of its own: others may run cat, too.
    const program = join(directory, `comer-${process.pid}`);
    copyFileSync(
      execFileSync("sh", ["-c", "command -v cat"], { encoding: "utf8" }).trim(),
      program,
    );
    execFileSync("chmod", ["755", program]);
    try {
      const { found } = await findRuntimes(RUNTIMES.filter(({ name }) => name !== "node22"));
      assert.equal(found.length, 3);
      for (const { spec, binary } of found) {
        services.push(await startService([binary, ...spec.run, server]));
      }
      const lost = {
        ...childEnvironment(),
        OFFHEAP_SET: "LD_PRELOAD=/opt/libjemalloc.so:/opt/liboffheap.so",
      };
      for (let count = 0; count < 10; count++) {
        comers.push(
          spawn(program, [], {
            env: count === 0 ? lost : childEnvironment(),
            stdio: ["pipe", "ignore", "ignore"],
          }),
        );
      }
      const target = (address: string, labels = {}) => ({ targets: [address], labels });
      const configuration = {
        global: { scrape_interval: "1s", evaluation_interval: "1s" },
        rule_files: [quickRules()],
        scrape_configs: [
          { job_name: "offheap", static_configs: [target(new URL(serving.url).host)] },
          {
            job_name: "services",
            static_configs: services.map(({ found }) => target(`127.0.0.1:${found}`)),
          },
        ],
      };
      await withPrometheus(configuration, async ({ query, until, alerts }) => {
        const mine = `offheap_memory_resident_bytes{program="${program.split("/").at(-1)}"}`;
        await until(`count(${mine})`, "ten processes", ([count]) => count?.value === 10);
        for (const child of comers.splice(5)) child.kill("SIGKILL");
        await until(`count(${mine})`, "five that are left", ([count]) => count?.value === 5);

        // The parts add up to RSS, in PromQL: of every process by the exporter, to the byte.
        await until('up{job="services"} == 1', "three services", (series) => series.length === 3);
        const parts = 'sum without (part) (offheap_memory_part_bytes{job="offheap"})';
        const counted = await query(`count(${parts})`);
        assert.ok((counted[0]?.value ?? 0) > 8);
        assert.deepEqual(await query(`${parts} != offheap_memory_resident_bytes`), []);
        const missing = await query(`offheap_memory_resident_bytes unless ${parts}`);
        assert.deepEqual(missing, [], "each has parts");
        // Of a program by prom-client's own figure, which is read a moment later.
        const near = await query(
          'sum without (part) (offheap_memory_part_bytes{job="services"}) / process_resident_memory_bytes',
        );
        assert.equal(near.length, 3);
        for (const { value } of near) assert.ok(value > 0.8 && value < 1.2, String(value));
        const proven = await query(
          'offheap_allocator_info{job="services", allocator="jemalloc", verified="true", profile="balanced"}',
        );
        assert.equal(proven.length, 3);
        // The exporter says the same of them from outside.
        const pids = services.map(({ child }) => child.pid).join("|");
        const outside = await query(
          `offheap_allocator_info{job="offheap", pid=~"${pids}", allocator="jemalloc", verified="true"}`,
        );
        assert.deepEqual(outside.map(({ labels }) => labels["runtime"]).sort(), [
          "bun",
          "deno",
          "node",
        ]);
        const limits = await query(`offheap_limit_bytes{source="program", pid=~"${pids}"}`);
        assert.deepEqual(limits.map(({ value }) => value), Array(3).fill(20 * 2 ** 20));

        let firing = await alerts();
        const has = (name: string, pid: number | undefined) =>
          firing.some(({ alertname, ...labels }) =>
            alertname === name && labels["pid"] === String(pid)
          );
        const end = performance.now() + 30_000;
        while (
          !has("OffheapPreloadLost", comers[0]?.pid) ||
          !has("OffheapNearLimit", services[0]?.child.pid)
        ) {
          if (performance.now() > end) assert.fail(JSON.stringify(firing));
          await wait(250);
          firing = await alerts();
        }
        assert.ok(
          !has("OffheapPreloadLost", services[0]?.child.pid),
          "what runs under it is not lost",
        );
        assert.ok(!has("OffheapNearLimit", comers[1]?.pid));
      });
    } finally {
      for (const child of comers) child.kill("SIGKILL");
      for (const service of services) await service.end("SIGKILL");
      await serving.end();
    }
  },
);

test(
  "promtool has nothing to say against the exporter's text",
  skipUnless(typeof PROMTOOL !== "string", typeof PROMTOOL === "string" ? PROMTOOL : ""),
  async () => {
    if (typeof PROMTOOL === "string") return;
    const serving = await startServing("--metrics-only", "--pid", String(process.pid));
    const { text } = await ask(`${serving.url}/metrics`);
    await serving.end();
    // It ends with 3 for what it would only name otherwise.
    const said = execFileSync(PROMTOOL.path, ["check", "metrics"], {
      input: text,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
    });
    assert.equal(said, "");
  },
);
