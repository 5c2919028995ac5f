/**
 * What is tried with the packages, once they are in the registry.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { koffiPackage } from "../../ffi/adapters/koffi.ts";
import { BUILD_PACKAGE } from "../../ffi/packages.ts";
import { cacheDirectory, cachedSourcesDirectory } from "../../lib/library/directories.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { TARGETS } from "../../lib/library/targets.ts";
import { VERSION } from "../../lib/version.ts";
import { cleanEnvironment } from "../../tools/environment.ts";
import { ROOT } from "../../tools/paths.ts";
import type { Client } from "./clients.ts";
import { listFiles, writeJson } from "./files.ts";
import { platformPackageName } from "./manifest.ts";
import { attempt, run, type RunOptions } from "./process.ts";
import { consumerConfigs, type ProgramReport, PROGRAMS } from "./programs.ts";
import type { Registry } from "./registry.ts";

/** A project in which offheap was installed. */
export interface Project {
  /** The client that installed it. */
  readonly client: Client;
  /** Its directory, and the environment of what runs in it. */
  readonly options: RunOptions;
}

/** An empty project with caches of its own. */
export function createProject(client: Client, parent: string, registry: Registry): Project {
  const cwd = join(parent, client.title.replaceAll(/\W+/g, "-").toLowerCase());
  mkdirSync(cwd);
  for (const [name, content] of Object.entries(client.files)) writeJson(join(cwd, name), content);
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(cwd, name), text);
  const caches = `${cwd}.caches`;
  const home = join(caches, "home");
  mkdirSync(home, { recursive: true });
  const env = cleanEnvironment(client.binary, {
    // No library of the user's may replace the package's.
    HOME: home,
    XDG_CACHE_HOME: join(caches, "user"),
    npm_config_userconfig: registry.settings,
    npm_config_cache: join(caches, "npm"),
    npm_config_update_notifier: "false",
    npm_config_audit: "false",
    npm_config_fund: "false",
    NPM_CONFIG_REGISTRY: registry.url,
    BUN_CONFIG_REGISTRY: registry.url,
    BUN_INSTALL_CACHE_DIR: join(caches, "bun"),
    DENO_DIR: join(caches, "deno"),
    DENO_NO_UPDATE_CHECK: "1",
    ...client.settings?.(registry.url, caches),
  });
  return { client, options: { cwd, env } };
}

/**
 * Installs offheap, and checks that of the platform packages the right one was fetched, and no
 * other.
 *
 * @returns What the client said.
 */
export async function install({ client, options }: Project, registry: Registry): Promise<string> {
  const before = registry.fetched().length;
  const { status, stdout, stderr } = await attempt(client.install, options);
  assert.equal(status, 0, `${client.title}: ${stdout}\n${stderr}`);
  const said = `${stdout}\n${stderr}`;
  assert.doesNotMatch(said, SCRIPTS, client.title);
  const fetched = registry.fetched().slice(before).map((path) => path.replace(/\/-\/.*/, ""));
  checkFetched(client, [...new Set(fetched)]);
  return said;
}

/** How package managers say that they did not run an install script. */
const SCRIPTS = /ignored build|build scripts|install scripts|allow-scripts|approve-/i;

function checkFetched(client: Client, fetched: readonly string[]): void {
  const host = hostTarget();
  const own = platformPackageName(host.name);
  const koffi = koffiPackage(process.platform, process.arch);
  const here = TARGETS.filter(({ platform, arch }) =>
    platform === host.platform && arch === host.arch
  );
  const tolerated = client.fetches === "own" ? [] : client.fetches === "all" ? TARGETS : here;
  const expected = [own, koffi];
  for (const name of expected) {
    assert.ok(fetched.includes(name), `${client.title} did not fetch ${name}`);
  }
  const others = fetched.filter((name) =>
    /^(?:@offheap\/|@koromix\/|koffi$)/.test(name) && !expected.includes(name)
  );
  const allowed = tolerated.flatMap(({ name, platform, arch }) => [
    platformPackageName(name),
    ...client.fetches === "all" ? [koffiPackage(platform, arch)] : [],
  ]);
  assert.deepEqual(others.filter((name) => !allowed.includes(name)), [], client.title);
  const also = others.length === 0 ? "and no other" : `and besides ${others.join(", ")}`;
  console.log(`  installed; of the platform packages ${own} was fetched, ${also}`);
}

/** Imports and requires, and uses what was imported. */
export async function checkPrograms({ client, options }: Project): Promise<void> {
  for (const program of client.programs) {
    const text = await run([...client.run, program], options);
    const report: ProgramReport = JSON.parse(text.trim().split("\n").at(-1) ?? "");
    const { version, sum, verified, origin, module, path } = report;
    const expected = { version: VERSION, sum: 4096 * 7, verified: true, origin: "package" };
    assert.deepEqual({ version, sum, verified, origin }, expected, `${client.title}: ${program}`);
    assert.ok(module.endsWith(client.module), `${client.title}: ${program} leads to ${module}`);
    assert.ok(path.includes(platformPackageName(hostTarget().name).replace("@", "")), path);
  }
}

/** A platform package that a program imports gives its directory, also from Deno's global cache. */
export async function checkResolver({ client, options }: Project): Promise<void> {
  const name = platformPackageName(hostTarget().name);
  const program = `import { existsSync } from "node:fs";
import { directory } from "npm:${name}@${VERSION}";
const given = globalThis[Symbol.for("${name}")];
console.log(JSON.stringify([given === directory, existsSync(directory + "/package.json")]));
`;
  writeFileSync(join(options.cwd, "resolver.mjs"), program);
  assert.equal((await run([...client.run, "resolver.mjs"], options)).trim(), "[true,true]");
}

/** `offheap run -- offheap verify`: the command is found, becomes another one, and proves it. */
export async function checkCommand({ client, options }: Project): Promise<void> {
  const { offheap } = client;
  assert.equal((await run([...offheap, "--version"], options)).trim(), VERSION);
  if (process.platform !== "linux") return;
  const inner = [...offheap, "verify", "--expect", "jemalloc", "--json"];
  const words = [...offheap, "run", "--allocator", "jemalloc", "--", ...inner];
  const report = JSON.parse(await run(words, options));
  assert.equal(report.processAllocator, "jemalloc", client.title);
  assert.equal(report.processAllocatorVerified, true, client.title);
}

/** `offheap compare`: every usual variant is proven in the runtime, and measured. */
export async function checkCompare({ client, options }: Project): Promise<void> {
  if (process.platform !== "linux") return;
  const command = [client.binary, "--version"];
  const words = [...client.offheap, "compare", "--json", "--rounds", "1", "--", ...command];
  const { leftOut, runs } = JSON.parse(await run(words, options));
  assert.deepEqual([leftOut, runs.length], [[], 5], client.title);
}

/**
 * `npx @offheap/build` in a project whose platform package is missing: it builds into the user's
 * cache, and offheap takes the library from there. With the sources of the user who verifies, if
 * there are any.
 */
export async function checkBuild({ client, options }: Project): Promise<void> {
  const env = options.env;
  const sources = cachedSourcesOf(cacheDirectory(process.env, process.platform));
  const cache = cacheDirectory(env, process.platform) ?? "";
  if (sources !== null) cpSync(sources, cachedSourcesDirectory(cache), { recursive: true });
  const place = join(options.cwd, "node_modules", platformPackageName(hostTarget().name));
  renameSync(place, `${options.cwd}.platform`);
  try {
    const build = [...client.npx ?? [], `${BUILD_PACKAGE}@${VERSION}`, "--allocator", "mimalloc"];
    await run([...build, "--variant", "release"], options);
    const variables = { ...env, OFFHEAP_ALLOCATOR: "mimalloc" };
    const text = await run([...client.offheap, "verify", "--json"], { ...options, env: variables });
    const { library, memoryAllocatorVerified } = JSON.parse(text);
    assert.deepEqual([library.origin, memoryAllocatorVerified], ["cache", true], text);
  } finally {
    renameSync(`${options.cwd}.platform`, place);
  }
}

function cachedSourcesOf(cache: string | null): string | null {
  const sources = cache === null ? null : cachedSourcesDirectory(cache);
  return sources !== null && existsSync(sources) ? sources : null;
}

/** Type-checks a strict program. */
export async function checkTypes({ client, options }: Project): Promise<void> {
  const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const configs = consumerConfigs(join(ROOT, "node_modules", "@types"));
  for (const [name, config] of Object.entries(configs)) {
    writeJson(join(options.cwd, name), config);
    await run([client.binary, compiler, "-p", name], {
      ...options,
      env: cleanEnvironment(client.binary),
    });
  }
}

/** Node 20: npm warns, or refuses when it is to be strict; running says so in a sentence. */
export async function checkRefusal(project: Project, registry: Registry): Promise<void> {
  const { client, options } = project;
  const strict = await attempt([...client.install, "--engine-strict"], options);
  assert.notEqual(strict.status, 0);
  assert.match(strict.stderr, /EBADENGINE/);
  const said = await install(project, registry);
  assert.match(said, /EBADENGINE[^]*offheap@[^]*node: '>=22\.12\.0'/);
  const sentence = /Cannot (load|run) offheap in Node 20\.\S+ offheap needs Node 22\.12 or newer\./;
  for (const program of ["only-import.mjs", "require.cjs"]) {
    const { status, stderr } = await attempt([...client.run, program], options);
    assert.equal(status, 1, program);
    assert.match(stderr, sentence);
  }
  const command = await attempt([...client.offheap, "verify"], options);
  assert.notEqual(command.status, 0);
  assert.match(command.stderr, sentence);
}

/** The row of {@linkcode installedSizes} that is no size. */
export const NUMBER_OF_PACKAGES = "number of packages";

/** The sizes on disk of what an installation brought, in bytes. */
export function installedSizes({ options }: Project): Record<string, number> {
  const modules = join(options.cwd, "node_modules");
  const size = (directory: string): number =>
    listFiles(directory).reduce((sum, path) => sum + statSync(join(directory, path)).size, 0);
  return {
    offheap: size(join(modules, "offheap")),
    "its platform package": size(join(modules, platformPackageName(hostTarget().name))),
    "all packages": size(modules),
    [NUMBER_OF_PACKAGES]:
      readdirSync(modules).flatMap((name) =>
        name.startsWith("@") ? readdirSync(join(modules, name)) : name.startsWith(".") ? [] : [name]
      ).length,
  };
}
