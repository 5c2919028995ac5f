import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { generate } from "selfsigned";
import { ffi } from "../../ffi/mod.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { VERSION } from "../../lib/version.ts";
import manifest from "../../deno.json" with { type: "json" };
import { SYSTEM_MODULE, withSystemBelow } from "../support/checkout.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { builtLibrary, type ChildResult, ROOT, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const IN_DENO = skipUnless(ffi().runtime.name === "deno", "only Deno imports from a URL");

/** What `deno publish` would upload. */
function isPublished(path: string): boolean {
  return manifest.publish.include.some((part) => path === part || path.startsWith(`${part}/`));
}

interface Server {
  readonly url: string;
  readonly certificate: string;
  readonly requests: string[];
  close(): void;
}

/** Serves the published files over TLS on loopback, as JSR does, for a system that has no library. */
async function serve(directory: string): Promise<Server> {
  const pems = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    algorithm: "sha256",
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] },
    ],
  });
  const certificate = join(directory, "certificate.pem");
  writeFileSync(certificate, pems.cert);
  const requests: string[] = [];
  const server = createServer({ key: pems.private, cert: pems.cert }, (request, response) => {
    const path = normalize(decodeURIComponent(request.url ?? "")).slice(1);
    requests.push(path);
    if (!isPublished(path)) {
      response.writeHead(404).end();
      return;
    }
    const type = path.endsWith(".json") ? "application/json" : "application/typescript";
    const content = path === SYSTEM_MODULE
      ? withSystemBelow(directory)
      : readFileSync(join(ROOT, path));
    response.writeHead(200, { "content-type": type }).end(content);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `https://localhost:${port}/`, certificate, requests, close };
}

/** The program of somebody who has no checkout, and no npm package either. */
const PROGRAM = `
import { openAllocator, VERSION, verifyAllocator } from "@offheap/offheap";
const { library, memoryAllocatorVerified } = verifyAllocator();
const memory = openAllocator();
const block = memory.allocateFrom("from a URL");
const text = new TextDecoder().decode(block.bytes);
block.free();
const left = memory.close().length;
console.log(JSON.stringify({ VERSION, text, left, memoryAllocatorVerified, library }));
`;

const FAILING = `
import { openAllocator } from "@offheap/offheap";
try {
  openAllocator();
} catch (error) {
  console.log(JSON.stringify({ name: error.name, code: error.code, attempts: error.attempts }));
}
`;

/** Of all tests: the server and what Deno has taken from it, which is most of what a test does. */
const shared = temporaryDirectory();
let serving: Promise<Server> | undefined;
after(async () => (await serving)?.close());

interface Setting {
  readonly server: Server;
  readonly directory: string;
  readonly cache: string;
  run(program: string, variables?: Record<string, string>): Promise<ChildResult>;
  report(program: string, variables?: Record<string, string>): Promise<Record<string, unknown>>;
}

async function withSetting(body: (setting: Setting) => Promise<void>): Promise<void> {
  const directory = temporaryDirectory();
  const server = await (serving ??= serve(shared));
  const cache = join(directory, "cache");
  const project = join(directory, "empty");
  mkdirSync(project);
  const imports = { "@offheap/offheap": `${server.url}mod.ts` };
  writeFileSync(join(project, "deno.json"), JSON.stringify({ imports }));
  const run: Setting["run"] = (program, variables = {}) => {
    writeFileSync(join(project, "program.js"), program);
    const flags = ["--allow-all", "--no-lock", "--cert", server.certificate];
    return runChild([process.execPath, "run", ...flags, "program.js"], {
      cwd: project,
      variables: {
        DENO_DIR: join(shared, "deno"),
        DENO_TLS_CA_STORE: undefined,
        HOME: directory,
        XDG_CACHE_HOME: cache,
        // Anything but the loopback server would be a surprise.
        NPM_CONFIG_REGISTRY: "http://127.0.0.1:9/",
        JSR_URL: "http://127.0.0.1:9/",
        ...variables,
      },
    });
  };
  const report: Setting["report"] = async (program, variables) => {
    const { stdout, stderr } = await run(program, variables);
    assert.notEqual(stdout, "", stderr);
    return JSON.parse(stdout);
  };
  await body({ server, directory, cache, run, report });
}

function copyLibraries(directory: string, names: readonly string[]): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const name of names) {
    for (const suffix of ["", ".json"]) {
      const path = `${builtLibrary(name)}${suffix}`;
      copyFileSync(path, join(directory, `lib${name}.so${suffix}`));
    }
  }
}

function nativeCache(cache: string): string {
  return join(cache, "offheap", "native", hostTarget().name, "release");
}

test(
  "imported from a URL, with no checkout in sight, it finds the cache's libraries",
  IN_DENO,
  async () => {
    await withSetting(async ({ server, cache, report }) => {
      copyLibraries(nativeCache(cache), ["jemalloc", "offheap"]);
      const found = await report(PROGRAM);
      assert.equal(found["VERSION"], VERSION);
      assert.equal(found["text"], "from a URL");
      assert.equal(found["left"], 0);
      assert.equal(found["memoryAllocatorVerified"], true);
      assert.equal((found["library"] as { origin: string }).origin, "cache");
      assert.ok(server.requests.includes("mod.ts"));
      for (const path of server.requests) {
        assert.ok(isPublished(path), `${path} is asked for, and would not be published`);
        assert.match(path, /^(mod\.ts$|ffi\/|lib\/)/, "a program needs no more");
        assert.doesNotMatch(path, /^lib\/cli/);
      }
    });
  },
);

test(
  "imported from a URL, OFFHEAP_LIBRARY names the allocator, and the shim is the cache's",
  IN_DENO,
  async () => {
    await withSetting(async ({ cache, directory, report }) => {
      copyLibraries(nativeCache(cache), ["offheap"]);
      const named = join(directory, "named");
      copyLibraries(named, ["jemalloc"]);
      const file = join(named, "libjemalloc.so");
      const found = await report(PROGRAM, { OFFHEAP_LIBRARY: file });
      const library = found["library"] as { origin: string; path: string };
      assert.deepEqual([library.origin, library.path], ["environment", file]);
      assert.equal(found["memoryAllocatorVerified"], true);
    });
  },
);

test(
  "imported from a URL, a platform package that the program imports is found",
  IN_DENO,
  async () => {
    await withSetting(async ({ directory, report }) => {
      const place = join(directory, "libraries");
      copyLibraries(place, ["jemalloc", "offheap"]);
      const symbol = `Symbol.for("@offheap/${hostTarget().name}")`;
      const told = `globalThis[${symbol}] = ${JSON.stringify(place)};\n${PROGRAM}`;
      const found = await report(told);
      const library = found["library"] as { origin: string; path: string };
      assert.deepEqual([library.origin, library.path], ["package", join(place, "libjemalloc.so")]);
    });
  },
);

test(
  "imported from a URL, without a library, the error names each place and why",
  IN_DENO,
  async () => {
    await withSetting(async ({ cache, report }) => {
      const { name, code, attempts } = await report(FAILING);
      assert.deepEqual([name, code], ["LibraryLoadError", "ERR_OFFHEAP_LIBRARY_LOAD"]);
      const [build, npm, cached] = attempts as Record<string, string>[];
      assert.deepEqual(build, {
        origin: "build",
        path: "-",
        outcome: "offheap was not started from a clone of its repository",
      });
      assert.deepEqual([npm?.["origin"], npm?.["path"]], ["package", "-"]);
      assert.equal(cached?.["path"], join(nativeCache(cache), "libjemalloc.so"));
    });
  },
);
