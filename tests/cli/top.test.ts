import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { drawTop, pressKey, type TopState } from "../../lib/cli/top-screen.ts";
import type { ListedProcess } from "../../lib/watch/processes/types.ts";
import { withChild } from "../support/child.ts";
import { childEnvironment, offheapCommand, runChild } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";

function listed(pid: number, parent: number): ListedProcess {
  return {
    pid,
    parent,
    user: 0,
    command: ["program", String(pid)],
    executable: "/bin/program",
    runtime: null,
    allocator: "glibc",
    verified: false,
    resident: 2 ** 20,
    allocated: null,
    heldBack: null,
    swap: 0,
    limit: null,
    ageSeconds: 5,
    absent: {},
  };
}

const STATE: TopState = {
  list: { processes: Array.from({ length: 40 }, (_, index) => listed(100 + index, 99)), hidden: 2 },
  selected: null,
  tree: false,
  details: null,
  message: "",
};

function press(state: TopState, ...names: readonly string[]): TopState {
  return names.reduce((before, name) => pressKey(before, { name }).state, state);
}

test("keys move the selection within the list", () => {
  assert.equal(press(STATE, "down").selected, 101);
  assert.equal(press(STATE, "down", "j", "k").selected, 101);
  assert.equal(press(STATE, "up").selected, 100);
  assert.equal(press(STATE, "end").selected, 139);
  assert.equal(press(STATE, "end", "pageup", "down").selected, 130);
  assert.equal(press({ ...STATE, selected: 7 }, "down").selected, 101, "7 has ended");
});

test("keys ask for a purge, for details and for the end, and others for nothing", () => {
  const actions = ["p", "d", "return", "q", "x", "t"].map((name) =>
    pressKey(STATE, { name }).action
  );
  assert.deepEqual(actions, ["purge", "details", "details", "quit", null, null]);
  assert.equal(pressKey(STATE, { name: "c", ctrl: true }).action, "quit");
  assert.equal(pressKey(STATE, { name: "p", ctrl: true }).action, null);
  assert.equal(pressKey(STATE, {}).action, null);
});

test("any key leaves the details, and only q ends", () => {
  const details = { ...STATE, details: ["verdict: healthy"] };
  assert.deepEqual(pressKey(details, { name: "p" }), { state: STATE, action: null });
  assert.equal(pressKey(details, { name: "q" }).action, "quit");
});

test("the screen shows as much as fits, the selected process among it", () => {
  for (const selected of [100, 119, 139]) {
    for (const size of [{ columns: 80, rows: 12 }, { columns: 30, rows: 5 }]) {
      const { lines, marked } = drawTop({ ...STATE, selected }, size);
      assert.equal(lines.length, size.rows);
      for (const line of lines) assert.ok(line.length <= size.columns, line);
      assert.match(lines[marked ?? 0] ?? "", new RegExp(`^ *${selected} `));
    }
  }
  const { lines } = drawTop(STATE, { columns: 80, rows: 12 });
  assert.equal(lines[1], "40 processes, 2 not shown");
  const alone = { ...STATE, list: { processes: [listed(1, 0)], hidden: 0 } };
  assert.equal(drawTop(alone, { columns: 80, rows: 12 }).lines[1], "1 process");
  const said = drawTop({ ...STATE, message: "it came back" }, { columns: 80, rows: 12 });
  assert.equal(said.lines[1], "it came back");
});

test("the tree and the details are drawn within the screen", () => {
  const processes = [listed(1, 0), listed(2, 1)];
  const tree = press({ ...STATE, list: { processes, hidden: 0 } }, "t");
  assert.match(drawTop(tree, { columns: 100, rows: 10 }).lines[4] ?? "", /└─ program 2$/);
  const details = Array.from({ length: 50 }, (_, index) => `line ${index} ${"x".repeat(99)}`);
  const { lines, marked } = drawTop({ ...STATE, details }, { columns: 40, rows: 10 });
  assert.deepEqual([lines.length, marked, lines.at(-1)], [10, null, "any key: back  q quit"]);
  assert.ok(lines.every((line) => line.length <= 40));
});

test("a list without processes is drawn, too", () => {
  const empty = { ...STATE, list: { processes: [], hidden: 0 } };
  assert.equal(drawTop(empty, { columns: 40, rows: 10 }).marked, null);
  assert.equal(press(empty, "down").selected, null);
});

test("top without a terminal says what to use instead", async () => {
  const { status, stdout, stderr } = await runChild(offheapCommand("top"));
  assert.deepEqual([status, stdout], [1, ""]);
  assert.match(stderr, /^offheap: Cannot show processes live: .*Use `offheap ps` for a list\.\n$/);
});

const hasTerminals = process.platform === "linux" &&
  spawnSync("script", ["-qec", "true", "/dev/null"]).status === 0;

/** `top` in a terminal of its own, whose output is waited for; and with what status it ends. */
async function inTerminal(
  use: (wait: (text: RegExp) => Promise<string>, press: (key: string) => void) => Promise<void>,
): Promise<{ readonly status: number | null; readonly output: string }> {
  const words = offheapCommand("top").map((word) => `'${word}'`).join(" ");
  const command = `stty cols 100 rows 20; exec sh -c 'echo pid $$.; exec "$@"' sh ${words}`;
  const terminal = spawn("script", ["-qefc", command, "/dev/null"], { env: childEnvironment() });
  const ended = new Promise<number | null>((resolve) => terminal.once("close", resolve));
  let output = "";
  let look = (): void => {};
  terminal.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    look();
  });
  const wait = (text: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`no ${text} in ${output}`)), 60_000);
      look = () => {
        const found = text.exec(output);
        if (found === null) return;
        clearTimeout(limit);
        resolve(found[1] ?? "");
      };
      look();
    });
  try {
    await use(wait, (key) => void terminal.stdin.write(key));
    return { status: await ended, output };
  } finally {
    terminal.kill("SIGKILL");
  }
}

/** The alternate screen is left, and the cursor is shown, as the last thing. */
const LEFT = "\x1b[?25h\x1b[?1049l";

/** The largest process of a machine, which is selected first, and goes on until it is not needed. */
const LARGE = "const held = Buffer.alloc(2 ** 29, 1); process.stdin.pipe(process.stdout);";

test(
  "in a terminal its keys purge, show details and end it",
  skipUnless(hasTerminals, "script makes no terminal here"),
  async () => {
    const { status, output } = await withChild(
      "node",
      ["-e", LARGE],
      {},
      () =>
        inTerminal(async (wait, press) => {
          await wait(/p purge +d details/);
          press("p");
          await wait(/came back|Cannot ask the agent/);
          press("d");
          await wait(/any key: back/);
          await wait(/verdict: /);
          press("x");
          press("q");
        }),
    );
    assert.equal(status, 0, output);
    assert.ok(output.trimEnd().endsWith(LEFT), output.slice(-200));
  },
);

test(
  "a signal that ends it leaves the terminal as it was",
  skipUnless(hasTerminals, "script makes no terminal here"),
  async () => {
    const { status, output } = await inTerminal(async (wait) => {
      const pid = Number(await wait(/pid (\d+)\./));
      await wait(/p purge +d details/);
      process.kill(pid, "SIGTERM");
    });
    assert.equal(status, 143, output);
    assert.ok(output.trimEnd().endsWith(LEFT), output.slice(-200));
  },
);
