// A service of Nest, compiled from TypeScript with decorators: a provider that owns blocks, and the
// whole service under offheap run.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { before, test } from "node:test";
import { cleanEnvironment } from "../../tools/environment.ts";
import {
  EXPECTED,
  findTools,
  listening,
  type NpmProject,
  npmProject,
  PROGRAM,
} from "../support/npm-project.ts";
import { ROOT } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

const tools = findTools();
const THERE = skipUnless("directory" in tools, "missing" in tools ? tools.missing : "");

const SERVICE = `import "reflect-metadata";
import { Controller, Get, Injectable, Module, type OnModuleDestroy } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { openAllocator, verifyAllocator } from "offheap";

@Injectable()
class Memory implements OnModuleDestroy {
  readonly #memory = openAllocator();
  readonly #block = this.#memory.allocate(64, { zeroed: true });
  report() {
    ${PROGRAM}
    const { processAllocator: serves } = verifyAllocator();
    return { ...report, serves, kept: this.#block.bytes[0] };
  }
  onModuleDestroy() {
    this.#block.free();
    this.#memory.close();
    console.log("closed");
  }
}

@Controller("memory")
class MemoryController {
  constructor(readonly memory: Memory) {}
  @Get()
  read() {
    return this.memory.report();
  }
}

@Module({ controllers: [MemoryController], providers: [Memory] })
class Service {}

const service = await NestFactory.create(Service);
service.enableShutdownHooks();
await service.listen(0, "127.0.0.1");
console.log("Ready at " + await service.getUrl());
`;

const FILES = {
  "package.json": '{ "name": "service", "private": true, "type": "module" }\n',
  "service.ts": SERVICE,
};

let project: NpmProject;
before(async () => {
  if (!("directory" in tools)) return;
  project = await npmProject(tools.directory, FILES);
  const options = "--ignoreConfig --module nodenext --target es2024 --strict --types node " +
    "--skipLibCheck --experimentalDecorators --emitDecoratorMetadata service.ts";
  await project.run([
    join(ROOT, "node_modules", "typescript", "bin", "tsc"),
    ...options.split(" "),
  ]);
});

/** What the service answers, started by some words, and what it prints until it is asked to end. */
async function answerOf(...words: string[]): Promise<{ answer: unknown; printed: string }> {
  const { directory } = project;
  const env = cleanEnvironment(process.execPath, { HOME: directory, XDG_CACHE_HOME: directory });
  const server = spawn(process.execPath, words, { cwd: directory, env });
  try {
    let printed = "";
    server.stdout.on("data", (text) => printed += text);
    const ended = new Promise((resolve) => server.once("close", resolve));
    const answer = await (await fetch(`${await listening(server)}/memory`)).json();
    server.kill("SIGTERM");
    await ended;
    return { answer, printed };
  } finally {
    server.kill("SIGKILL");
  }
}

test("a provider of Nest's has blocks, and frees them when the service ends", THERE, async () => {
  const { answer, printed } = await answerOf("service.js");
  assert.deepEqual(answer, { ...EXPECTED, serves: "glibc", kept: 0 });
  assert.match(printed, /^closed$/m);
});

test("the service runs under offheap run, and ends as without it", THERE, async () => {
  const cli = join(project.directory, "node_modules", "offheap", "dist", "cli.cjs");
  const run = [cli, "run", "-a", "jemalloc", "--", process.execPath, "service.js"];
  const { answer, printed } = await answerOf(...run);
  assert.deepEqual(answer, { ...EXPECTED, origin: "process", serves: "jemalloc", kept: 0 });
  assert.match(printed, /^closed$/m);
});
