/**
 * Packs the npm packages, serves them from a registry on loopback, installs them into empty projects
 * as users do, and tries what is there. `npm run verify:npm -- --help`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import Table from "cli-table3";
import { Command, Option } from "commander";
import { BUILD_PACKAGE } from "../ffi/packages.ts";
import { TARGETS } from "../lib/library/targets.ts";
import { VERSION } from "../lib/version.ts";
import { buildMissing, positive } from "../tools/common.ts";
import { buildAll, type BuiltPackage } from "./npm/build.ts";
import {
  checkBuild,
  checkCommand,
  checkCompare,
  checkPrograms,
  checkRefusal,
  checkResolver,
  checkTypes,
  createProject,
  install,
  installedSizes,
  NUMBER_OF_PACKAGES,
} from "./npm/checks.ts";
import { checkMetrics, checkServe } from "./npm/check-fleet.ts";
import { type Clients, findClients } from "./npm/clients.ts";
import { moduleSpecifier } from "./npm/dnt.ts";
import { writeJson } from "./npm/files.ts";
import {
  builtinsOf,
  LARGEST_ARCHIVES,
  MAX_PACKAGES,
  measure,
  overLimit,
  TIMES_HEAD,
  timesRows,
} from "./npm/limits.ts";
import { type BuilderName, BUILDERS } from "./npm/main-package.ts";
import { MAIN_PACKAGE, platformManifest, platformPackageName } from "./npm/manifest.ts";
import { npmScript, run } from "./npm/process.ts";
import { type Registry, startRegistry } from "./npm/registry.ts";
import { cleanEnvironment } from "../tools/environment.ts";
import { ROOT } from "../tools/paths.ts";

/** The command line's options. */
interface Options {
  readonly builder: BuilderName;
  readonly dnt?: string;
  readonly rounds: number;
  readonly slack: number;
  readonly keep?: boolean;
  readonly only?: RegExp;
}

const program = new Command("npm run verify:npm --")
  .description("Installs the packed npm packages from a registry on loopback, and tries them.")
  .addOption(
    new Option("-b, --builder <name>", "what compiles the main package")
      .choices(BUILDERS).default("esbuild"),
  )
  .option("--dnt <module>", "load dnt from this file or URL, not the pinned one", moduleSpecifier)
  .option("--rounds <count>", "how often times are measured", positive, 9)
  .option(
    "--slack <factor>",
    "how often the limits' times are allowed, as other programs run; bench:import is exact",
    positive,
    3,
  )
  .option("--only <pattern>", "only clients whose title matches", (text) => new RegExp(text))
  .option("--keep", "leave the projects where they are");

program.parse();
const options = program.opts<Options>();
const work = mkdtempSync(join(tmpdir(), "offheap-verify-npm-"));
try {
  await main();
  console.log("\nok");
} catch (error) {
  console.error(`\nFAILED: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  if (options.keep === true) console.log(`kept: ${work}`);
  else rmSync(work, { recursive: true, force: true, maxRetries: 5 });
}

async function main(): Promise<void> {
  buildMissing();
  const { builder, dnt } = options;
  const built = await buildAll({
    out: join(work, "packages"),
    builder,
    ...(dnt === undefined ? {} : { dnt }),
    nameAll: true,
  });
  step(`built by ${built.ran}`);
  for (const { name, missing } of built.absent) {
    console.log(`  ${name} is not built (${missing}): one without libraries is used instead`);
  }
  const clients = await findClients(VERSION);
  for (const reason of clients.absent) console.log(`  not tried: ${reason}`);
  const node = clients.runtimes.get("node26")?.binary;
  if (node === undefined) throw new Error("Cannot go on: Node 26 is needed for the tools");
  const archives = await checkPackages(built.packages, node);
  const place = join(work, "registry");
  mkdirSync(place);
  const registry = await startRegistry(place, node);
  try {
    step(`a registry runs at ${registry.url}`);
    await publish([...standIns(built.absent.map(({ name }) => name)), ...archives], registry, node);
    await checkClients(clients, registry);
  } finally {
    await registry.stop();
  }
}

function step(text: string): void {
  console.log(`\n=== ${text}`);
}

/** publint, attw, and the size of the main package's archive. */
async function checkPackages(
  packages: readonly BuiltPackage[],
  node: string,
): Promise<string[]> {
  step("publint, attw, sizes");
  const archives: string[] = [];
  const env = cleanEnvironment(node);
  const tool = (name: string, script: string): string[] => [
    node,
    join(ROOT, "node_modules", name, script),
  ];
  for (const { name, directory } of packages) {
    const target = join(work, "archives", name);
    mkdirSync(target, { recursive: true });
    const pack = [node, npmScript(), "pack", "--pack-destination", target];
    await run(pack, { cwd: directory, env });
    const archive = join(target, readdirSync(target)[0] ?? "");
    const where = { cwd: directory, env };
    const lint = await run([...tool("publint", "src/cli.js"), "run", ".", "--strict"], where);
    assert.match(lint, /All good/, lint);
    const attw = tool("@arethetypeswrong/cli", "dist/index.js");
    // It has a command, and nothing to import.
    if (name !== BUILD_PACKAGE) await run([...attw, archive, "--no-emoji"], where);
    const { size } = statSync(archive);
    console.log(`  ${name}: ${(size / 1000).toFixed(1)} kB packed; publint and attw are content`);
    const most = LARGEST_ARCHIVES[name] ?? Infinity;
    assert.ok(size < most, `${name} has ${size} bytes, ${most} at most`);
    archives.push(archive);
  }
  return archives;
}

/** Packages for targets that are not built here, so that installing can pass them over. */
function standIns(names: readonly string[]): string[] {
  return TARGETS.filter(({ name }) => names.includes(platformPackageName(name))).map((target) => {
    const directory = join(work, "stand-ins", target.name);
    mkdirSync(directory, { recursive: true });
    writeJson(join(directory, "package.json"), platformManifest(target));
    return directory;
  });
}

async function publish(
  archives: readonly string[],
  registry: Registry,
  node: string,
): Promise<void> {
  const env = cleanEnvironment(node, { npm_config_userconfig: registry.settings });
  for (const archive of archives) {
    const words = [node, npmScript(), "publish", archive, "--access", "public"];
    await run(words, { cwd: work, env });
  }
  console.log(`  ${archives.length} packages are published to it`);
}

async function checkClients(
  { clients, refused }: Clients,
  registry: Registry,
): Promise<void> {
  const { rounds, slack, only = /./ } = options;
  const times = new Table({
    head: [...TIMES_HEAD],
    style: { head: [], border: [] },
  });
  const slow: string[] = [];
  const builtins = builtinsOf(join(work, "packages", MAIN_PACKAGE, "dist", "mod.cjs"));
  const projects = join(work, "projects");
  mkdirSync(projects);
  for (const client of clients.filter(({ title }) => only.test(title))) {
    step(client.title);
    const project = createProject(client, projects, registry);
    await install(project, registry);
    await checkPrograms(project);
    console.log(`  ${client.programs.join(" and ")}: blocks are proven to be jemalloc's`);
    if (client.title.startsWith("Deno")) await checkResolver(project);
    await checkCommand(project);
    console.log("  offheap run -- offheap verify: proven");
    await checkCompare(project);
    console.log("  offheap compare: every variant is measured");
    await checkMetrics(project);
    await checkServe(project);
    console.log(
      "  registerMetrics() and offheap serve: figures, the page's files, no token no figures",
    );
    if (client.title === "Node 26") {
      await checkTypes(project);
      console.log("  a strict program type-checks");
      await checkBuild(project);
      console.log("  npx @offheap/build: offheap takes the library from the user's cache");
      const sizes = installedSizes(project);
      const count = sizes[NUMBER_OF_PACKAGES] ?? Infinity;
      assert.ok(count <= MAX_PACKAGES, `${count} packages, ${MAX_PACKAGES} at most`);
      for (const [what, size] of Object.entries(sizes)) {
        console.log(
          `  ${what}: ${what === NUMBER_OF_PACKAGES ? size : `${(size / 1e6).toFixed(2)} MB`}`,
        );
      }
    }
    // What other package managers install takes the same runtime as long.
    if (client.settings !== undefined) continue;
    const command = [...client.run, "times.mjs"];
    const measured = await measure(command, builtins, project.options, rounds);
    times.push(...timesRows(client.title, measured));
    slow.push(...overLimit(client.title, measured, slack));
  }
  if (refused !== null && only.test(refused.title)) {
    step(refused.title);
    await checkRefusal(createProject(refused, projects, registry), registry);
    console.log("  npm warns; import, require and offheap refuse with a sentence");
  }
  step(`cold, ${rounds} runs each, in milliseconds`);
  console.log(times.toString());
  assert.deepEqual(slow, []);
}
