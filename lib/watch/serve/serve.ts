/**
 * The exporter and the page as a whole.
 *
 * @module
 */
import process from "node:process";
import { DoctorError, UnsupportedOperationError } from "../../errors.ts";
import {
  type Certificate,
  freshToken,
  type ListenAddress,
  readCertificate,
  readToken,
  requireProtection,
} from "./listen.ts";
import { Machine } from "./machine.ts";
import { Profiles } from "./profiles.ts";
import { type RunningServer, startServer } from "./server.ts";

/** What is served, and to whom. */
export interface ServeOptions {
  /** Where to listen. */
  readonly listen: ListenAddress;
  /** The processes; all that this user may look at without it. */
  readonly pids?: readonly number[] | undefined;
  /** Whether there is nothing but metrics. */
  readonly metricsOnly?: boolean | undefined;
  /** The file of the token; without it a fresh one is made, or none for metrics alone. */
  readonly tokenFile?: string | undefined;
  /** The files of the certificate and of its key. */
  readonly tls?: Certificate | undefined;
  /** Names by which the server may be called, beside addresses. */
  readonly names?: readonly string[] | undefined;
}

/** What was started. */
export interface Served extends RunningServer {
  /** The token that is asked for; `null` where none is. */
  readonly token: string | null;
}

/** A process that is named has to be there, or a mistyped number would be watched for nothing. */
async function requireProcesses(machine: Machine, pids: readonly number[]): Promise<void> {
  const { processes } = await machine.look();
  const missing = pids.filter((pid) => !processes.some(({ listed }) => listed.pid === pid));
  if (missing.length === 0) return;
  throw new DoctorError(
    `Cannot serve process ${missing.join(", ")}: there is no such process, or this user may not ` +
      "look at it. `offheap ps` lists those that can be served.",
  );
}

/**
 * Starts serving.
 *
 * @throws {UnsupportedOperationError} on another system than Linux, for a file that cannot be used, or where
 * others could reach it without a token and without TLS.
 * @throws {DoctorError} when a process that was named is not there, or no `/proc`.
 * @throws {SystemInfoError} when it cannot listen there.
 */
export async function serve(
  { listen, pids, metricsOnly = false, tokenFile, tls, names = [] }: ServeOptions,
): Promise<Served> {
  if (process.platform !== "linux") {
    throw new UnsupportedOperationError(
      "Cannot serve the processes of this machine: that needs /proc as Linux has it, and this " +
        `system is ${process.platform}. registerMetrics() exports a program's own figures here.`,
    );
  }
  const token = tokenFile !== undefined ? readToken(tokenFile) : metricsOnly ? null : freshToken();
  const certificate = tls === undefined ? null : readCertificate(tls);
  requireProtection(listen, { token, tls: certificate !== null });
  const machine = new Machine(pids, !metricsOnly);
  await requireProcesses(machine, pids ?? []);
  const server = await startServer(
    { listen, metricsOnly, token, tls: certificate !== null, certificate, names },
    { machine, profiles: metricsOnly ? null : new Profiles() },
  );
  return { ...server, token };
}
