/**
 * `offheap serve`: what it exports, and each line of what docs/security.md says of it.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { request as secureRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import selfsigned from "selfsigned";
import { runtimeInfo } from "../../ffi/mod.ts";
import { system } from "../../lib/system/mod.ts";
import { askAgent } from "../../lib/watch/agent/client.ts";
import { refusalOf } from "../../lib/watch/serve/access.ts";
import { readCertificate, readListen, requireProtection } from "../../lib/watch/serve/listen.ts";
import { clean, programName } from "../../lib/watch/serve/names.ts";
import { Machine } from "../../lib/watch/serve/machine.ts";
import { LIMITS, type RunningServer, startServer } from "../../lib/watch/serve/server.ts";
import type { ListedProcess } from "../../lib/watch/processes/types.ts";
import { shared, withChild } from "../support/child.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { onceInBun } from "../support/effort.ts";
import { ask } from "../support/http.ts";
import { parseMetrics, pick } from "../support/prometheus-text.ts";
import { builtLibrary, offheapCommand, ROOT, runChild, sourceCommand } from "../support/runtime.ts";
import { type Serving, startServing } from "../support/serving.ts";
import { skipUnless } from "../support/skip.ts";

const linux = () => skipUnless(process.platform === "linux", "it serves by /proc as Linux has it");
/** What is of the runtime is its server: HTTP, TLS, limits. */
const once = () => onceInBun("it is about processes, agents and options", linux());

const directory = temporaryDirectory();
const script = join(directory, "service.mjs");
writeFileSync(
  script,
  "globalThis.kept = Array.from({ length: 32 }, () => new Uint8Array(1 << 20).fill(1));\n" +
    'process.stdin.on("data", (data) => process.stdout.write(data));\n',
);

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** A program under jemalloc, with an agent; its arguments hold a secret. */
const SERVICE = offheapCommand(
  "run",
  ...["--allocator", "jemalloc", "--memory-limit", "900MiB", "--idle-trim", "0", "--"],
  ...sourceCommand(script, "--password=hunter2"),
);

const service = shared<number>((use) => {
  const [file, ...args] = SERVICE;
  return withChild(file, args, {}, ({ pid }) => use(pid));
});
after(service.end);

let started: Promise<Serving> | undefined;
/** One server for all that only asks. */
function server(): Promise<Serving> {
  return started ??= startServing();
}
after(async () => void (await (await started)?.end()));

const ALL = ["/metrics", "/api", "/api/processes", `/api/processes/${process.pid}`] as const;

test("a process has its metrics from its agent, and the parts add up to RSS", once(), async () => {
  const { url, headers } = await server();
  const pid = await service.get();
  const { status, text, headers: sent } = await ask(`${url}/metrics`, { headers });
  assert.equal(status, 200);
  assert.match(String(sent["content-type"]), /^text\/plain; version=0\.0\.4/);
  const samples = parseMetrics(text);
  const own = { pid: String(pid) };
  const [info] = pick(samples, "offheap_allocator_info", own);
  assert.deepEqual({ ...info?.labels, version: "", program: "", runtime: "", uid: "" }, {
    pid: String(pid),
    allocator: "jemalloc",
    verified: "true",
    profile: "balanced",
    version: "",
    program: "",
    runtime: "",
    uid: "",
  });
  assert.match(info?.labels["program"] ?? "", /^(node|deno|bun)\S* service\.mjs$/);
  assert.match(info?.labels["runtime"] ?? "", /^(node|deno|bun)$/);
  for (const { value, labels } of pick(samples, "offheap_memory_resident_bytes")) {
    const parts = pick(samples, "offheap_memory_part_bytes", { pid: labels["pid"] ?? "" });
    assert.equal(
      parts.reduce((sum, part) => sum + part.value, 0),
      value,
      String(labels["program"]),
    );
  }
  const allocated = pick(samples, "offheap_allocator_allocated_bytes", own)[0]?.value ?? 0;
  assert.ok(allocated > 0, String(allocated));
  assert.equal(
    pick(samples, "offheap_limit_bytes", { ...own, source: "program" })[0]?.value,
    900 * 2 ** 20,
  );
  assert.equal(pick(samples, "offheap_agent_up", own)[0]?.value, 1);
  assert.equal(pick(samples, "offheap_allocator_lost", own)[0]?.value, 0);
});

test(
  "without an agent there is what can be seen from outside, and a preload that is gone is lost",
  once(),
  async () => {
    const { url, headers } = await server();
    const env = { OFFHEAP_SET: "LD_PRELOAD=/opt/libjemalloc.so:/opt/liboffheap.so" };
    await withChild("cat", [], { env }, async ({ pid }) => {
      const samples = parseMetrics((await ask(`${url}/metrics`, { headers })).text);
      const own = { pid: String(pid) };
      assert.equal(pick(samples, "offheap_agent_up", own)[0]?.value, 0);
      assert.equal(pick(samples, "offheap_allocator_lost", own)[0]?.value, 1);
      assert.deepEqual(pick(samples, "offheap_allocator_allocated_bytes", own), []);
      assert.equal(pick(samples, "offheap_memory_resident_bytes", own).length, 1);
      assert.equal(pick(samples, "offheap_allocator_info", own)[0]?.labels["verified"], "false");
    });
  },
);

test("a process that is gone leaves no series", once(), async () => {
  const { url, headers } = await server();
  const pid = await withChild("cat", [], {}, async (child) => {
    const { text } = await ask(`${url}/metrics`, { headers });
    assert.match(text, new RegExp(`pid="${child.pid}"`));
    return child.pid;
  });
  const { text } = await ask(`${url}/metrics`, { headers });
  assert.doesNotMatch(text, new RegExp(`pid="${pid}"`));
  const { status } = await ask(`${url}/api/processes/${pid}`, { headers });
  assert.equal(status, 404);
});

/** Starts a process under an ID that another one has had; `null` where others were quicker. */
async function reuse(pid: number): Promise<ChildProcess | null> {
  for (let attempt = 0; attempt < 50; attempt++) {
    writeFileSync(LAST_PID, String(pid - 1));
    const child = spawn("cat", [], { stdio: ["pipe", "ignore", "ignore"] });
    if (child.pid === pid) return child;
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
  }
  return null;
}

const LAST_PID = "/proc/sys/kernel/ns_last_pid";

test(
  "a process that has the ID of one that was named is not served",
  onceInBun(
    "it is about processes",
    skipUnless(
      process.platform === "linux" && process.getuid?.() === 0 && isWritable(LAST_PID),
      "it needs root, who may say which ID comes next",
    ),
  ),
  async (context) => {
    const machine = await withChild("cat", [], {}, async ({ pid }) => {
      const pids = new Machine([pid, process.pid], false);
      assert.equal((await pids.look()).processes.length, 2);
      return { pids, pid };
    });
    const other = await reuse(machine.pid);
    if (other === null) return context.skip("other processes had that ID first");
    try {
      const { processes } = await machine.pids.look();
      assert.deepEqual(processes.map(({ listed }) => listed.pid), [process.pid]);
      const all = (await new Machine(undefined, false).look()).processes;
      assert.ok(all.some(({ listed }) => listed.pid === machine.pid), "it is there");
    } finally {
      other.kill("SIGKILL");
    }
  },
);

test(
  "metrics hold no arguments, which may be secrets; the page's figures do",
  once(),
  async () => {
    const { url, headers } = await server();
    const pid = await service.get();
    assert.doesNotMatch((await ask(`${url}/metrics`, { headers })).text, /hunter2/);
    const { text } = await ask(`${url}/api/processes/${pid}`, { headers });
    assert.match(JSON.parse(text).process.command, /--password=hunter2/);
  },
);

test("nothing is shown without the token, or with another one", linux(), async () => {
  const { url, headers, token } = await server();
  assert.match(token, /^[\w-]{32}$/);
  for (const path of ALL) {
    for (
      const authorization of [
        undefined,
        "Bearer ",
        `Bearer ${token.slice(1)}`,
        `Basic ${token}`,
        token,
      ]
    ) {
      const given: Record<string, string> = authorization === undefined ? {} : { authorization };
      const { status, text } = await ask(`${url}${path}`, { headers: given });
      assert.equal(status, 401, `${path} ${authorization}: ${text}`);
      assert.match(text, /^\{"error":"the request must have the header Authorization/);
    }
    assert.equal((await ask(`${url}${path}?token=${token}`)).status, 401, "not in the address");
    assert.equal((await ask(`${url}${path}`, { headers })).status, 200, path);
  }
  const purge = await ask(`${url}/api/processes/${process.pid}/purge`, { method: "POST" });
  assert.equal(purge.status, 401);
});

test("what can be asked is said at /api, and is there", linux(), async () => {
  const { url, headers } = await server();
  const { get, post } = JSON.parse((await ask(`${url}/api`, { headers })).text) as Record<
    "get" | "post",
    string[]
  >;
  for (const [method, paths] of [["GET", get], ["POST", post]] as const) {
    assert.ok(paths.length > 1);
    for (const path of paths) {
      const { status } = await ask(url + path.replace("PID", String(process.pid)), {
        method,
        headers,
      });
      // This process has no agent that could be asked for more.
      assert.equal(status, method === "GET" ? 200 : 409, path);
    }
  }
});

test("two servers have different tokens", linux(), async () => {
  const other = await startServing("--pid", String(process.pid));
  assert.notEqual(other.token, (await server()).token);
  // Deno says of a child that it has signalled that the signal ended it.
  const expected = runtimeInfo().name === "deno" ? null : 0;
  assert.equal(await other.end(), expected, "SIGTERM ends it well");
});

test("the page itself holds no figures, and lets nothing in from elsewhere", linux(), async () => {
  const { url } = await server();
  const files = { "/": "text/html", "/page.js": "text/javascript", "/page.css": "text/css" };
  for (const [path, type] of Object.entries(files)) {
    const { status, headers, text } = await ask(`${url}${path}`);
    assert.equal(status, 200, path);
    assert.ok(String(headers["content-type"]).startsWith(type));
    assert.match(
      String(headers["content-security-policy"]),
      /^default-src 'none'; script-src 'self'; /,
    );
    assert.match(String(headers["content-security-policy"]), /frame-ancestors 'none'$/);
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["referrer-policy"], "no-referrer");
    assert.equal(headers["cache-control"], "no-store");
    assert.doesNotMatch(text, new RegExp(`\\b${process.pid}\\b`));
    assert.deepEqual(
      [...text.matchAll(/https?:\/\/[^"'\s)]+/g)].map(([link]) => link)
        .filter((link) => !link.startsWith("http://www.w3.org/")),
      [],
      path,
    );
  }
});

test("a name that is not this server's is refused: DNS rebinding", linux(), async () => {
  const { url, headers } = await server();
  const port = new URL(url).port;
  for (
    const host of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example", "a b"]
  ) {
    const { status } = await ask(`${url}/metrics`, { headers: { ...headers, host } });
    assert.ok([400, 421].includes(status), `${host}: ${status}`);
    assert.notEqual((await ask(`${url}/`, { headers: { host } })).status, 200, `the page, ${host}`);
  }
  for (
    const host of [
      `127.0.0.1:${port}`,
      `localhost:${port}`,
      `LocalHost.:${port}`,
      "[::1]",
      "10.1.2.3:80",
    ]
  ) {
    const { status } = await ask(`${url}/metrics`, { headers: { ...headers, host } });
    assert.equal(status, 200, host);
  }
  const named = await startServing("--pid", String(process.pid), "--name", "metrics.example");
  const { status } = await ask(`${named.url}/metrics`, {
    headers: { ...named.headers, host: "metrics.example" },
  });
  assert.equal(status, 200);
  await named.end();
});

test("another site's page is refused, with the token, too", linux(), async () => {
  const { url, headers } = await server();
  for (
    const others of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: url.replace("127.0.0.1", "localhost") },
      { origin: url.replace("http:", "https:") },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ]
  ) {
    for (const method of ["GET", "POST"]) {
      const path = method === "GET" ? "/api/processes" : `/api/processes/${process.pid}/purge`;
      const { status } = await ask(`${url}${path}`, {
        method,
        headers: { ...headers, ...others },
      });
      assert.equal(status, 403, JSON.stringify(others));
    }
  }
  const own = { ...headers, origin: url, "sec-fetch-site": "same-origin" };
  assert.equal((await ask(`${url}/api/processes`, { headers: own })).status, 200);
  const preflight = await ask(`${url}/api/processes`, {
    method: "OPTIONS",
    headers: { "access-control-request-headers": "authorization" },
  });
  assert.notEqual(preflight.status, 200);
  assert.equal(preflight.headers["access-control-allow-origin"], undefined);
});

test("two names in one request are one too many", () => {
  const rules = { token: null, tls: false, names: [] };
  const facts = { method: "GET", origin: undefined, site: undefined, authorization: undefined };
  assert.equal(refusalOf({ ...facts, host: ["localhost", "evil"] }, rules, false)?.status, 400);
  assert.equal(refusalOf({ ...facts, host: [] }, rules, false)?.status, 400);
  assert.equal(refusalOf({ ...facts, host: ["localhost"] }, rules, false), null);
});

test("nothing changes by GET, and by no method but POST", linux(), async () => {
  const { url, headers } = await server();
  const pid = await service.get();
  const before = (await askAgent(pid, "stats")).purges;
  for (const method of ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    for (const action of ["purge", "snapshot"]) {
      const path = `/api/processes/${pid}/${action}`;
      const { status } = await ask(`${url}${path}`, { method, headers });
      assert.equal(status, 405, `${method} ${path}`);
    }
  }
  assert.equal((await askAgent(pid, "stats")).purges, before);
  const purged = await ask(`${url}/api/processes/${pid}/purge`, { method: "POST", headers });
  assert.equal(purged.status, 200, purged.text);
  const { residentBefore, residentAfter, refused } = JSON.parse(purged.text);
  assert.ok(residentBefore > 0 && residentAfter > 0 && refused === null, purged.text);
  const none = await ask(`${url}/api/processes/${process.pid}/purge`, { method: "POST", headers });
  assert.equal(none.status, 409);
  assert.match(JSON.parse(none.text).error, /^Cannot ask the agent of process/);
});

test(
  "what is not there is not there, in metrics alone neither the page nor /api",
  once(),
  async () => {
    const only = await startServing("--metrics-only", "--pid", String(process.pid));
    assert.equal(only.token, "", "it needs none on loopback");
    for (const path of ["/", "/page.js", "/api/processes", "/nothing", "/metrics/", "//metrics"]) {
      assert.equal((await ask(`${only.url}${path}`)).status, 404, path);
    }
    const { status, text } = await ask(`${only.url}/metrics`);
    assert.equal(status, 200);
    const pids = new Set(parseMetrics(text).flatMap(({ labels }) => labels["pid"] ?? []));
    assert.deepEqual([...pids], [String(process.pid)], "and only the process that was named");
    assert.equal((await ask(`${only.url}/healthz`)).text, "ok\n");
    await only.end("SIGINT");
  },
);

test("other machines are served only with a token or TLS", once(), async () => {
  const refused = [["--metrics-only", "--listen", "0.0.0.0:0"], [
    "--metrics-only",
    "--listen",
    "[::]:0",
  ]];
  for (const words of refused) {
    const { status, stderr } = await runChild(offheapCommand("serve", ...words));
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^offheap: Cannot serve at \S+: other machines reach it, and neither a token/,
    );
  }
  for (const host of ["0.0.0.0", "::", "10.0.0.1"]) {
    assert.throws(() => requireProtection({ host, port: 1 }, { token: null, tls: false }));
    assert.doesNotThrow(() => requireProtection({ host, port: 1 }, { token: "x", tls: false }));
    assert.doesNotThrow(() => requireProtection({ host, port: 1 }, { token: null, tls: true }));
  }
  for (const host of ["127.0.0.1", "127.9.9.9", "::1"]) {
    assert.doesNotThrow(() => requireProtection({ host, port: 1 }, { token: null, tls: false }));
  }
});

test("an address is read as it is written, and any other text is refused", async () => {
  assert.deepEqual(readListen("9464"), { host: "127.0.0.1", port: 9464 });
  assert.deepEqual(readListen(":80"), { host: "127.0.0.1", port: 80 });
  assert.deepEqual(readListen("[::1]:80"), { host: "::1", port: 80 });
  assert.deepEqual(readListen("localhost:80"), { host: "127.0.0.1", port: 80 });
  for (const text of ["", "x", "a:b", "1.2.3:80", "[x]:80", "1.2.3.4:70000", "::1:80", "host:80"]) {
    assert.equal(readListen(text), null, text);
  }
  const { status, stderr } = await runChild(offheapCommand("serve", "--listen", "nowhere"));
  assert.equal(status, 2);
  assert.match(stderr, /It must be an address and a port, such as 127\.0\.0\.1:9464/);
});

test(
  "a token's file that everybody can read, or that holds none, is refused",
  once(),
  async () => {
    const file = join(directory, "token");
    const cases: readonly (readonly [string, number, RegExp])[] = [
      ["0123456789abcdef0123", 0o644, /everybody can read it\. Close it: chmod o=/],
      ["short", 0o600, /a token has 16 characters or more, and no blanks/],
      ["0123456789 abcdef0123", 0o600, /a token has 16 characters or more/],
    ];
    for (const [text, mode, message] of cases) {
      writeFileSync(file, text);
      chmodSync(file, mode);
      const { status, stderr } = await runChild(offheapCommand("serve", "--token-file", file));
      assert.equal(status, 1);
      assert.match(stderr, message);
    }
    const none = await runChild(offheapCommand("serve", "--token-file", join(directory, "none")));
    assert.match(none.stderr, /^offheap: Cannot use ".*none" as the token's file: ENOENT/);
    writeFileSync(file, "0123456789abcdef0123\n");
    chmodSync(file, 0o440);
    const serving = await startServing("--metrics-only", "--token-file", file);
    assert.equal((await ask(`${serving.url}/metrics`)).status, 401, "metrics ask for it, too");
    const headers = { authorization: "Bearer 0123456789abcdef0123" };
    assert.equal((await ask(`${serving.url}/metrics`, { headers })).status, 200);
    await serving.end();
  },
);

/** A certificate for localhost: by curves, whose keys are made in no time. */
function certificate(dates: Parameters<typeof selfsigned.generate>[1] = {}) {
  const name = [{ name: "commonName", value: "localhost" }];
  return selfsigned.generate(name, { keyType: "ec", ...dates });
}

test("TLS is served with the certificate that is given", linux(), async () => {
  const { cert, private: key } = await certificate();
  const files = { cert: join(directory, "cert.pem"), key: join(directory, "key.pem") };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key, { mode: 0o600 });
  const words = ["--metrics-only", "--tls-cert", files.cert, "--tls-key", files.key];
  const { url, end } = await startServing(...words, "--pid", String(process.pid));
  assert.match(url, /^https:/);
  const port = Number(new URL(url).port);
  const silent = await opened(port);
  const left = new Promise<boolean>((resolve) => {
    silent.on("error", () => {}).once("close", () => resolve(true)).resume();
    setTimeout(() => resolve(false), 3 * LIMITS.requestMs).unref?.();
  });
  const text = await new Promise<string>((resolve, reject) => {
    // Deno's client takes no certificate that is no authority's.
    const options = { host: "127.0.0.1", port, path: "/metrics", rejectUnauthorized: false };
    secureRequest(options, (answer) => {
      let all = "";
      answer.on("data", (part) => all += part).on("end", () => resolve(all));
    }).on("error", reject).end();
  });
  assert.match(text, /offheap_memory_resident_bytes/);
  await assert.rejects(ask(`http://127.0.0.1:${port}/metrics`), "and nothing else is spoken");
  assert.ok(await left, "who says nothing is ended");
  silent.destroy();
  await end();
  const half = await runChild(offheapCommand("serve", "--tls-cert", files.cert));
  assert.equal(half.status, 2);
  assert.match(half.stderr, /--tls-cert and --tls-key go together/);
});

test(
  "a certificate that cannot be served with is refused",
  linux(),
  async () => {
    const hour = 3_600_000;
    const make = async (name: string, from: number, to: number) => {
      const made = await certificate({
        notBeforeDate: new Date(Date.now() + from * hour),
        notAfterDate: new Date(Date.now() + to * hour),
      });
      const files = {
        cert: join(directory, `${name}.pem`),
        key: join(directory, `${name}-key.pem`),
      };
      writeFileSync(files.cert, made.cert);
      writeFileSync(files.key, made.private, { mode: 0o600 });
      return files;
    };
    const good = await make("good", -1, 1);
    const other = await make("other", -1, 1);
    const past = await make("past", -2, -1);
    const future = await make("future", 1, 2);
    const none = join(directory, "none.pem");
    const junk = join(directory, "junk.pem");
    writeFileSync(junk, "-----BEGIN NOTHING-----\n");
    const refused: readonly (readonly [string, string, RegExp])[] = [
      [none, good.key, /Cannot use ".*none\.pem" as the certificate: .*ENOENT|no such file/i],
      [junk, good.key, /Cannot use ".*junk\.pem" as the certificate: it cannot be read as PEM/],
      [
        good.cert,
        junk,
        /Cannot use ".*junk\.pem" as the certificate's key: it cannot be read as PEM/,
      ],
      [good.cert, other.key, /other-key\.pem" as the certificate's key: it belongs to another one/],
      [past.cert, past.key, /past\.pem" as the certificate: it is valid from .* and not now/],
      [future.cert, future.key, /future\.pem" as the certificate: it is valid from .* and not now/],
    ];
    assert.deepEqual(Object.keys(readCertificate(good)), ["cert", "key"]);
    for (const [cert, key, message] of refused) {
      assert.throws(() => readCertificate({ cert, key }), {
        code: "ERR_OFFHEAP_UNSUPPORTED_OPERATION",
        message,
      });
    }
    const files = ["--tls-cert", good.cert, "--tls-key", other.key];
    const { status, stderr } = await runChild(
      offheapCommand("serve", "--listen", "127.0.0.1:0", ...files),
    );
    assert.equal(status, 1);
    assert.match(stderr, /^offheap: Cannot use .*\n$/);
  },
);

test("what is asked has its limits", linux(), async () => {
  const { url, headers } = await server();
  const long = await ask(`${url}/${"a".repeat(LIMITS.pathLength + 1)}`, { headers });
  assert.equal(long.status, 414);
  const body = "x".repeat(LIMITS.bodyBytes + 1);
  const heavy = await ask(`${url}/api/processes/${process.pid}/purge`, {
    method: "POST",
    headers,
    body,
  }).catch((error: Error) => error);
  assert.ok(heavy instanceof Error || heavy.status === 413, "the body is not read to its end");
  const large = await ask(`${url}/metrics`, {
    headers: { ...headers, "x-large": "a".repeat(64 * 1024) },
  }).catch((error: Error) => error);
  assert.ok(large instanceof Error || large.status === 431 || large.status === 400);
  assert.equal((await ask(`${url}/metrics`, { headers })).status, 200, "it goes on serving");
});

test("whoever breaks off a question writes nothing into the server's log", linux(), async () => {
  const { url, standardError } = await server();
  const before = standardError();
  for (const path of ["/", "/healthz"]) {
    const socket = await opened(Number(new URL(url).port));
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nx`);
    // Once the server has read it.
    await ask(`${url}/healthz`);
    socket.destroy();
  }
  for (let count = 0; count < 20; count++) await ask(`${url}/healthz`);
  assert.equal(standardError(), before);
});

function opened(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(socket)).once("error", reject);
  });
}

test(
  "connections have a number at most, and those that ask nothing are ended",
  linux(),
  async () => {
    const serving = await startServing("--metrics-only", "--pid", String(process.pid));
    const port = Number(new URL(serving.url).port);
    const sockets: Socket[] = [];
    const ended: number[] = [];
    try {
      for (let count = 0; count < LIMITS.connections + 20; count++) {
        const socket = await opened(port).catch(() => null);
        if (socket === null) continue;
        socket.on("error", () => {}).once("close", () => ended.push(count));
        socket.resume();
        // The beginning of a request that never ends.
        socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
        sockets.push(socket);
      }
      while (ended.length < sockets.length) {
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      // Those that are too many at once, before those that ask nothing for too long.
      const first = ended.slice(0, 20);
      assert.ok(first.every((count) => count > LIMITS.connections / 2), String(first));
      assert.equal((await ask(`${serving.url}/metrics`)).status, 200, "there is room again");
    } finally {
      for (const socket of sockets) socket.destroy();
      await serving.end();
    }
  },
);

/** An exporter in this process, whose answer is so long that it fits no buffer. */
async function bigServer(): Promise<RunningServer> {
  const look = await new Machine([process.pid], false).look();
  const program = "p".repeat(4096);
  const processes = Array.from({ length: 150 }, () => look.processes).flat()
    .map((each) => ({ ...each, program }));
  const big = { ...look, processes };
  const machine = { look: () => Promise.resolve(big) } as unknown as Machine;
  const listen = { host: "127.0.0.1", port: 0 };
  return await startServer(
    { listen, metricsOnly: true, token: null, tls: false, certificate: null, names: [] },
    { machine, profiles: null },
  );
}

/** Sends a text, and reads nothing for a while; all that came until the connection was ended. */
async function askAndRead(url: string, text: string, afterMs: number): Promise<string> {
  const socket = await opened(Number(new URL(url).port));
  let all = "";
  const ended = new Promise<void>((resolve) => {
    socket.on("error", () => {}).once("close", () => resolve());
  });
  socket.pause().setEncoding("latin1").on("data", (part: string) => all += part).pause();
  socket.write(text);
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  socket.resume();
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2 * LIMITS.requestMs))]);
  const isEnded = socket.destroyed;
  socket.destroy();
  assert.ok(isEnded, "the server has ended it");
  return all;
}

const SCRAPE = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n";

test(
  "an answer has to be taken in time, and a connection waits for few of them at once",
  linux(),
  async () => {
    const { url, close } = await bigServer();
    try {
      const lengthOf = (text: string): number =>
        Number(/content-length: (\d+)/i.exec(text)?.[1]) - text.split("\r\n\r\n")[1]!.length;
      const whole = await askAndRead(url, `${SCRAPE}Connection: close\r\n\r\n`, 0);
      const [late, many] = await Promise.all([
        askAndRead(url, `${SCRAPE}Connection: close\r\n\r\n`, LIMITS.takingMs + 2500),
        askAndRead(url, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100), 0),
      ]);
      assert.equal(lengthOf(whole), 0, "who reads it gets all of it");
      assert.ok(lengthOf(late) > 0, "who does not read it is left");
      const answers = many.split("HTTP/1.1 ").length - 1;
      // Bun puts the next question when the one before is answered, so that none wait.
      assert.ok(answers < 50 || runtimeInfo().name === "bun", `${answers} answers`);
    } finally {
      await close();
    }
  },
);

test("a process that is named and is not there is refused at the start", once(), async () => {
  const { status, stderr } = await runChild(offheapCommand("serve", "--pid", "4194300"));
  assert.equal(status, 1);
  assert.match(stderr, /^offheap: Cannot serve process 4194300: there is no such process/);
});

test("a port that is taken is said in a sentence, with what to do", linux(), async () => {
  const { url } = await server();
  const { status, stderr } = await runChild(offheapCommand("serve", "--listen", new URL(url).host));
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^offheap: Cannot serve at 127\.0\.0\.1:\d+: .*\. Another program listens there: .*\n$/,
  );
});

/** A shell that becomes a shell under jemalloc; what is found of it is remembered when it is old enough. */
const SHELL = {
  started: performance.now(),
  rememberedAfterMs: 11_000,
  child: process.platform !== "linux" ? null : spawn("sh", [
    "-c",
    'read line; exec env LD_PRELOAD="$1" sh -c "echo again; read line"',
    "sh",
    builtLibrary("jemalloc", "preload"),
  ], { env: { ...process.env, LD_PRELOAD: "" }, stdio: ["pipe", "pipe", "inherit"] }),
};
after(() => void SHELL.child?.kill("SIGKILL"));

test("a program that starts itself again is looked at again", once(), async () => {
  const { child, started, rememberedAfterMs } = SHELL;
  assert.ok(child !== null && child.pid !== undefined);
  const machine = new Machine([child.pid], false);
  const serving = async () => (await machine.look()).processes[0]?.reading.serving.name;
  const rest = rememberedAfterMs - (performance.now() - started);
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, rest)));
  for (let look = 0; look < 2; look++) assert.equal(await serving(), system().libc().name);
  const again = new Promise((resolve) => child.stdout.once("data", resolve));
  child.stdin.write("\n");
  await again;
  assert.equal(await serving(), "jemalloc");
});

test("a process cannot say more of itself than a short name", () => {
  const base = { executable: "/usr/bin/node", runtime: "node" } as unknown as ListedProcess;
  const nameOf = (...command: string[]): string => programName({ ...base, command });
  assert.equal(
    nameOf("node", "--max-old-space-size=1", "/srv/app/server.js", "secret"),
    "node server.js",
  );
  assert.equal(nameOf("node", "-r", "./trace.js", "main.mjs"), "node main.mjs");
  assert.equal(nameOf("node", "-e", "const key = 'secret'"), "node");
  assert.equal(nameOf("node", "--token", "secret"), "node");
  assert.equal(clean(`a\nb\u202e${"x".repeat(100)}`), `a?b?${"x".repeat(60)}`);
});

/** An agent that is none: it has the name and the socket, and answers what it likes. */
const IMPOSTOR = `
// As the agent's thread is called.
process.title = "offheap";
const { createServer } = require("net");
const answer = JSON.parse(process.argv[1]);
answer.pid ??= process.pid;
createServer((socket) => socket.end(JSON.stringify(answer) + "\\n"))
  .listen(process.argv[2] + "/" + process.pid + ".sock", () => console.log("ready"));
process.stdin.resume();
`;

test("what an agent may not answer is not taken over", once(), async () => {
  const { askAgents } = await import("../../lib/watch/processes/agents.ts");
  const { lookAtProcesses } = await import("../../lib/watch/processes/list.ts");
  const answer = {
    offheap: 1,
    allocator: "jemalloc",
    version: "5",
    limit: null,
    resident: 1,
    counted: { allocated: "1\noffheap_x 1", mapped: -5, active: 7, evil: 1 },
    absent: {},
    purges: 0,
    returned: 0,
    lastPurgeMilliseconds: 0,
    pressures: 0,
    pressed: false,
  };
  const node = join(ROOT, "node_modules", ".bin", "node");
  const places = temporaryDirectory();
  const child = spawn(node, ["-e", IMPOSTOR, JSON.stringify(answer), places], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const [seen] = lookAtProcesses({ pids: [child.pid ?? 0] }).seen;
    assert.ok(seen !== undefined);
    const asked = { ...seen, facts: { ...seen.facts, hasShim: true } };
    const [listed] = await askAgents([asked]);
    assert.equal(listed?.allocated, null);
    assert.equal(listed?.absent.allocated, "it was not counted");
  } finally {
    child.kill("SIGKILL");
  }
});

test(
  "an agent whose answer has no end, or is another process's, is not believed",
  once(),
  async () => {
    const { askAgent } = await import("../../lib/watch/agent/client.ts");
    const node = join(ROOT, "node_modules", ".bin", "node");
    for (
      const [answer, why] of [
        [{ offheap: 1, endless: "x".repeat(100_000) }, /its answer is too long\.$/],
        [{ offheap: 1, pid: 1 }, /another process, 1, answers for it\.$/],
        [{ offheap: 2 }, /it speaks version 2 of the protocol, and this offheap 1\.$/],
      ] as const
    ) {
      const words = ["-e", IMPOSTOR, JSON.stringify(answer), temporaryDirectory()];
      const child = spawn(node, words, { stdio: ["pipe", "pipe", "inherit"] });
      try {
        await new Promise((resolve) => child.stdout.once("data", resolve));
        await assert.rejects(askAgent(child.pid ?? 0, "stats"), {
          name: "AgentError",
          message: why,
        });
      } finally {
        child.kill("SIGKILL");
      }
    }
  },
);

test("a dump that an agent names elsewhere is neither read nor removed", once(), async () => {
  const { takeHeapProfile } = await import("../../lib/watch/heap/take.ts");
  const root = temporaryDirectory();
  const places = join(root, "offheap");
  mkdirSync(places, { mode: 0o700 });
  const victim = join(root, "victim");
  writeFileSync(victim, "heap_v2/524288\n");
  const state = { prepared: true, active: true, interval: 524288, refused: null };
  const node = join(ROOT, "node_modules", ".bin", "node");
  const cases: readonly (readonly [string, RegExp])[] = [
    [victim, /names a file that is no dump of its own/],
    [`${places}/../victim`, /names a file that is no dump of its own/],
    [`${places}/PID.1.heap`, /cannot be read: ELOOP/],
    [`${places}/PID.2.heap`, /is not a file of the process's user/],
    [`${places}/PID.3.heap`, /cannot be read: ENOENT/],
  ];
  for (const [dump, message] of cases) {
    const answer = { offheap: 1, profile: state, refused: null, dump };
    // It answers with its own ID in the name.
    const program = IMPOSTOR.replace(
      "answer.pid ??= process.pid;",
      'answer.pid ??= process.pid; answer.dump = answer.dump.replace("PID", process.pid);',
    );
    const child = spawn(node, ["-e", program, JSON.stringify(answer), places], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { pid = 0 } = child;
    try {
      await new Promise((resolve) => child.stdout.once("data", resolve));
      symlinkSync(victim, join(places, `${pid}.1.heap`));
      linkSync(victim, join(places, `${pid}.2.heap`));
      await assert.rejects(takeHeapProfile(pid), message);
    } finally {
      child.kill("SIGKILL");
    }
    assert.equal(readFileSync(victim, "utf8"), "heap_v2/524288\n");
    assert.equal(existsSync(join(places, `${pid}.2.heap`)), true);
  }
});

test("each line of the review in docs/security.md names a test that is here", () => {
  const section = /\n## offheap serve\n([^]*?)(?=\n## )/.exec(
    readFileSync(join(ROOT, "docs", "security.md"), "utf8"),
  )?.[1] ?? "";
  const rows = [...section.matchAll(/^\| .* \| (.+?) +\|$/gm)].map(([, name = ""]) => name)
    .filter((name) => !/^-+$/.test(name) && name !== "test");
  assert.ok(rows.length > 12, String(rows.length));
  const tests = ["serve", "serve-page"].map((name) =>
    readFileSync(join(ROOT, "tests", "watch", `${name}.test.ts`), "utf8")
  ).join("\n");
  for (const name of rows) assert.ok(tests.includes(`"${name}`), name);
});
