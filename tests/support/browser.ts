/**
 * Debian's Chromium without a window, by its own protocol (CDP) over a WebSocket, which every runtime has.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { temporaryDirectory } from "./compile.ts";
import { debianProgram } from "./debian-programs.ts";

const LIMIT_MS = 30_000;

/** Where Chromium is; a string says why it cannot be had. */
export const CHROMIUM = debianProgram("usr/lib/chromium/chromium");

/** How a page is shown. */
export interface Display {
  readonly width: number;
  readonly height: number;
  readonly dark?: boolean;
  readonly phone?: boolean;
}

/** A page in a browser. */
export interface BrowserPage {
  /** Goes to an address. */
  open(url: string): Promise<void>;
  /** The value of an expression in the page; a promise's. */
  evaluate<T>(expression: string): Promise<T>;
  /** Waits until an expression is true in the page, which was read to its end. */
  until(expression: string, what: string): Promise<void>;
  /** Shows it in another size, or in the dark. */
  display(display: Display): Promise<void>;
  /** Presses a key. */
  press(key: string, code?: string): Promise<void>;
  /** The picture of it, as PNG. */
  picture(): Promise<Uint8Array>;
  /** The errors of the page. */
  readonly errors: readonly string[];
}

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

type Send = (method: string, params?: object) => Promise<Record<string, unknown>>;

async function attach(address: string, onEvent: (reply: Reply) => void): Promise<Send> {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error(`cannot connect to ${address}`)));
  });
  const waiting = new Map<number, (reply: Reply) => void>();
  socket.addEventListener("message", ({ data }) => {
    const reply = JSON.parse(String(data)) as Reply;
    if (reply.id === undefined) onEvent(reply);
    else waiting.get(reply.id)?.(reply);
  });
  let last = 0;
  return (method, params = {}) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, ({ result = {}, error }) => {
        waiting.delete(id);
        if (error === undefined) resolve(result);
        else reject(new Error(`${method}: ${error.message}`));
      });
      socket.send(JSON.stringify({ id, method, params }));
    });
}

function pageOf(send: Send, errors: string[]): BrowserPage {
  const evaluate = async <T>(expression: string): Promise<T> => {
    const { result, exceptionDetails } = await send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    }) as { result: { value: T }; exceptionDetails?: unknown };
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  };
  return {
    errors,
    evaluate,
    async open(url) {
      // The same page with another fragment is not loaded again.
      await send("Page.navigate", { url: "about:blank" });
      await send("Page.navigate", { url });
    },
    async until(expression, what) {
      const end = performance.now() + LIMIT_MS;
      const holds = `document.readyState !== "loading" && Boolean(${expression})`;
      while (performance.now() < end) {
        if (await evaluate<boolean>(holds).catch(() => false)) return;
        await wait(100);
      }
      const text = await evaluate<string>("document.body.innerText");
      throw new Error(`the page has not come to "${what}": ${text.slice(0, 2000)}`);
    },
    async display({ width, height, dark = false, phone = false }) {
      await send("Emulation.setDeviceMetricsOverride", {
        width,
        height,
        deviceScaleFactor: 1,
        mobile: phone,
      });
      const value = dark ? "dark" : "light";
      await send("Emulation.setEmulatedMedia", {
        features: [{ name: "prefers-color-scheme", value }],
      });
    },
    async press(key, code = key) {
      for (const type of ["keyDown", "keyUp"]) {
        const text = key === "Enter" ? { text: "\r" } : {};
        await send("Input.dispatchKeyEvent", {
          type,
          key,
          code,
          ...(type === "keyDown" ? text : {}),
          windowsVirtualKeyCode: { Enter: 13, Tab: 9 }[key] ?? 0,
        });
      }
    },
    async picture() {
      const { data } = await send("Page.captureScreenshot", { captureBeyondViewport: false });
      return Uint8Array.from(atob(String(data)), (character) => character.charCodeAt(0));
    },
  };
}

/** A Chromium that runs. */
interface Browser {
  readonly port: string;
  end(): Promise<void>;
}

async function startBrowser(): Promise<Browser> {
  if (typeof CHROMIUM === "string") throw new Error(CHROMIUM);
  const home = temporaryDirectory();
  const child = spawn(CHROMIUM.path, [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--in-process-gpu",
    "--disable-software-rasterizer",
    "--disable-breakpad",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    `--user-data-dir=${home}`,
    "about:blank",
  ], {
    env: { ...process.env, ...CHROMIUM.variables, HOME: home },
    stdio: "ignore",
    detached: true,
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const end = async (): Promise<void> => {
    // Its group has the processes that it started.
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    await ended;
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  };
  const file = join(home, "DevToolsActivePort");
  const late = performance.now() + LIMIT_MS;
  while (!existsSync(file) || !readFileSync(file, "utf8").includes("\n")) {
    if (performance.now() > late) {
      await end();
      throw new Error("Chromium did not start");
    }
    await wait(50);
  }
  const [port = ""] = readFileSync(file, "utf8").split("\n");
  return { port, end };
}

let browser: Promise<Browser> | undefined;

/** Opens a page for the work, with nothing that others have kept; all of a file's are in one Chromium. */
export async function withPage<R>(work: (page: BrowserPage) => Promise<R>): Promise<R> {
  browser ??= startBrowser();
  const { port } = await browser;
  const at = `http://127.0.0.1:${port}/json/version`;
  const { webSocketDebuggerUrl: root } = await (await fetch(at)).json() as {
    webSocketDebuggerUrl: string;
  };
  const manage = await attach(root, () => {});
  const { browserContextId } = await manage("Target.createBrowserContext");
  try {
    const place = { url: "about:blank", browserContextId };
    const { targetId } = await manage("Target.createTarget", place);
    const errors: string[] = [];
    const address = root.replace(/browser\/.*/, `page/${targetId}`);
    const send = await attach(address, ({ method, params }) => {
      if (method === "Runtime.exceptionThrown") errors.push(JSON.stringify(params));
      if (method === "Log.entryAdded") {
        const { level, text } = params?.["entry"] as { level: string; text: string };
        if (level === "error") errors.push(text);
      }
    });
    for (const domain of ["Page", "Runtime", "Log"]) await send(`${domain}.enable`);
    return await work(pageOf(send, errors));
  } finally {
    await manage("Target.disposeBrowserContext", { browserContextId });
  }
}

/** Ends Chromium: what a file with such tests does when they have run. */
export async function endBrowser(): Promise<void> {
  await (await browser)?.end();
}
