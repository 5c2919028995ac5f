/**
 * What is tried of metrics and of `offheap serve`, with the packages installed.
 *
 * @module
 */
import assert from "node:assert/strict";
import process from "node:process";
import { startUntil } from "../../tools/processes.ts";
import type { Project } from "./checks.ts";
import { run } from "./process.ts";

/** What the program of `programs.ts` prints: the series' labels and values, by the metric. */
type MetricsReport = Readonly<
  Record<string, readonly { readonly labels: Record<string, string>; readonly value: number }[]>
>;

/** `registerMetrics()` in a program under jemalloc: who serves is proven, and the agent answers. */
export async function checkMetrics({ client, options }: Project): Promise<void> {
  if (process.platform !== "linux") return;
  const program = [...client.run, "metrics.mjs"];
  const text = await run([...client.offheap, "run", "-a", "jemalloc", "--", ...program], options);
  const report: MetricsReport = JSON.parse(text.trim().split("\n").at(-1) ?? "");
  const [info] = report["offheap_allocator_info"] ?? [];
  assert.deepEqual([info?.labels["allocator"], info?.labels["verified"]], ["jemalloc", "true"]);
  assert.equal(report["offheap_agent_up"]?.[0]?.value, 1, client.title);
  assert.ok((report["offheap_memory_part_bytes"] ?? []).length > 5, client.title);
}

/** `offheap serve`: the page's files are in the package, and figures need the token. */
export async function checkServe({ client, options }: Project): Promise<void> {
  if (process.platform !== "linux") return;
  const { found: [url = "", token], end } = await startUntil(
    [...client.offheap, "serve", "--listen", "127.0.0.1:0", "--pid", String(process.pid)],
    // What comes before it, as npx, may keep a signal to itself.
    { cwd: options.cwd, env: options.env, stdio: ["ignore", "pipe", "pipe"], group: true },
    (text) => /^page: (\S+)\/#token=(\S+)$/m.exec(text)?.slice(1),
  );
  try {
    for (const name of ["page.js", "page.css"]) {
      const answer = await fetch(`${url}/${name}`);
      assert.equal(answer.status, 200, name);
      assert.ok((await answer.text()).length > 1000, name);
    }
    assert.equal((await fetch(`${url}/metrics`)).status, 401, client.title);
    const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    assert.match(await answer.text(), /^offheap_memory_resident_bytes\{pid="\d+",/m, client.title);
  } finally {
    await end("SIGTERM");
  }
}
