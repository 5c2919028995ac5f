/**
 * `offheap serve`.
 *
 * @module
 */
import process from "node:process";
import { type Command, InvalidArgumentError, Option } from "commander";
import { PermissionError } from "../../ffi/errors.ts";
import { missingFlags } from "../../ffi/mod.ts";
import { DEFAULT_LISTEN, type ListenAddress, readListen, urlHost } from "../watch/serve/listen.ts";
import { parsePid } from "./option-values.ts";
import { print } from "./print.ts";

interface ServeArguments {
  readonly listen: ListenAddress;
  readonly pid?: readonly number[];
  readonly metricsOnly?: boolean;
  readonly tokenFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly name?: readonly string[];
}

function parseListen(text: string): ListenAddress {
  const address = readListen(text);
  if (address !== null) return address;
  throw new InvalidArgumentError(
    "It must be an address and a port, such as 127.0.0.1:9464, [::1]:9464 or 9464.",
  );
}

function parsePids(text: string, before: readonly number[] = []): readonly number[] {
  return [...before, parsePid(text)];
}

const ENDING = ["SIGINT", "SIGTERM"] as const;

/**
 * Does something until somebody ends the command. What is listened for is so before anything is printed:
 * Deno takes a moment for it.
 */
async function untilEnded<R>(work: (ended: Promise<void>) => Promise<R>): Promise<R> {
  const ended = Promise.withResolvers<void>();
  const end = (): void => ended.resolve();
  for (const signal of ENDING) process.on(signal, end);
  try {
    return await work(ended.promise);
  } finally {
    for (const signal of ENDING) process.off(signal, end);
  }
}

async function runServer(
  { listen, pid, metricsOnly, tokenFile, tlsCert, tlsKey, name }: ServeArguments,
  ended: Promise<void>,
): Promise<number> {
  // What Deno does not permit a server, it throws where nobody can catch it.
  const missing = missingFlags(["all"]);
  if (missing.length > 0) throw new PermissionError('run "offheap serve"', missing);
  const { serve } = await import("../watch/serve/serve.ts");
  const { url, token, close } = await serve({
    listen,
    pids: pid,
    metricsOnly,
    tokenFile,
    tls: tlsCert === undefined || tlsKey === undefined ? undefined : { cert: tlsCert, key: tlsKey },
    names: name,
  });
  if (metricsOnly === true) print(`metrics: ${url}/metrics`);
  else {
    // What is in a file is meant for no log.
    const shown = tokenFile === undefined ? token ?? "" : "TOKEN";
    const source = tokenFile === undefined ? "" : `, with the token in "${tokenFile}"`;
    print(`page: ${url}/#token=${shown}${source}`);
    print(`metrics: ${url}/metrics, with the header "Authorization: Bearer TOKEN"`);
  }
  await ended;
  await close();
  return 0;
}

/** Adds the command. */
export function addServe(program: Command, setStatus: (status: number) => void): void {
  program.command("serve")
    .description(
      "serve the memory of this machine's processes: metrics for Prometheus, and a page to look at",
    )
    .addOption(
      new Option("--listen <address>", "where to listen").argParser(parseListen)
        .default(DEFAULT_LISTEN, urlHost(DEFAULT_LISTEN)),
    )
    .addOption(
      new Option("--pid <numbers...>", "these processes, instead of all that one may look at")
        .argParser(parsePids),
    )
    .option("--metrics-only", "no page, and metrics without a token unless a file has one")
    .option("--token-file <file>", "ask for the token in this file, not for a fresh one")
    .option("--tls-cert <file>", "serve by TLS, with this certificate (PEM)")
    .option("--tls-key <file>", "and this key of it (PEM)")
    .option("--name <names...>", "names by which the server may be called, beside addresses")
    .action(async (options: ServeArguments, command: Command) => {
      if ((options.tlsCert === undefined) !== (options.tlsKey === undefined)) {
        command.error("error: --tls-cert and --tls-key go together");
      }
      setStatus(await untilEnded((ended) => runServer(options, ended)));
    });
}
