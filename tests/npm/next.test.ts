import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import process from "node:process";
import { cleanEnvironment } from "../../tools/environment.ts";
import { EXPECTED, findTools, listening, npmProject, PROGRAM } from "../support/npm-project.ts";
import { skipUnless } from "../support/skip.ts";

const tools = findTools("next");
const THERE = skipUnless("directory" in tools, "missing" in tools ? tools.missing : "");

const FILES = {
  "package.json": '{ "name": "site", "private": true }\n',
  // Next is not in the project's own node_modules but in those above.
  "next.config.mjs":
    "export default { turbopack: { root: new URL('../..', import.meta.url).pathname } };\n",
  "app/layout.js":
    "export default function Layout({ children }) { return <html><body>{children}</body></html>; }\n",
  "app/memory/route.js": `import { openAllocator, verifyAllocator } from "offheap";
export const dynamic = "force-dynamic";
export function GET() {
  ${PROGRAM}
  return Response.json(report);
}
`,
};

for (const bundler of ["turbopack", "webpack"]) {
  test(
    `a route of Next's app router that ${bundler} bundled finds its library`,
    THERE,
    async () => {
      assert.ok("directory" in tools);
      const { directory, tool, run } = await npmProject(tools.directory, FILES);
      const next = tool("next/dist/bin/next");
      await run([next, "build", `--${bundler}`]);
      const words = [next, "start", "--hostname", "127.0.0.1", "--port", "0"];
      const env = cleanEnvironment(process.execPath, {
        HOME: directory,
        XDG_CACHE_HOME: directory,
      });
      const server = spawn(process.execPath, words, { cwd: directory, env });
      try {
        const answer = await fetch(`${await listening(server)}/memory`);
        assert.deepEqual(await answer.json(), EXPECTED);
      } finally {
        server.kill("SIGKILL");
      }
    },
  );
}
