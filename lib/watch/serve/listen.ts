/**
 * Where the server listens, and whether it may.
 *
 * @module
 */
import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { isIPv4, isIPv6 } from "node:net";
import process from "node:process";
import { UnsupportedOperationError } from "../../errors.ts";

/** An address to listen at. */
export interface ListenAddress {
  /** An IP address. */
  readonly host: string;
  /** The port; 0 for any that is free. */
  readonly port: number;
}

/** The port that is Prometheus's by custom for the first exporter beside it. */
export const DEFAULT_LISTEN: ListenAddress = { host: "127.0.0.1", port: 9464 };

/** Reads `127.0.0.1:9464`, `[::1]:9464`, `:9464` or `9464`; `null` for any other text. */
export function readListen(text: string): ListenAddress | null {
  const [, bracketed, plain, digits = ""] =
    /^(?:(?:\[([^\]]+)\]|([^:]*)):)?(\d{1,5})$/.exec(text) ??
      [];
  const port = Number(digits);
  if (digits === "" || port > 65_535) return null;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : null;
  const host = plain === undefined || plain === "" ? DEFAULT_LISTEN.host : plain;
  if (host === "localhost") return { host: DEFAULT_LISTEN.host, port };
  return isIPv4(host) ? { host, port } : null;
}

/** Whether only this machine reaches an address. */
function isLoopback(host: string): boolean {
  return host === "::1" || host.startsWith("127.") || host.startsWith("::ffff:127.");
}

/** An address as it is in a URL. */
export function urlHost({ host, port }: ListenAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** What keeps others out. */
export interface Protection {
  /** The token that is asked for; `null` where none is. */
  readonly token: string | null;
  /** Whether the server speaks TLS. */
  readonly tls: boolean;
}

/**
 * Refuses to serve other machines without a token and without TLS.
 *
 * @throws {UnsupportedOperationError} when it would.
 */
export function requireProtection({ host }: ListenAddress, { token, tls }: Protection): void {
  if (isLoopback(host) || token !== null || tls) return;
  throw new UnsupportedOperationError(
    `Cannot serve at ${host}: other machines reach it, and neither a token nor TLS keeps anybody ` +
      "out. Give --token-file, or --tls-cert and --tls-key, or listen at 127.0.0.1.",
  );
}

/** A fresh token: 192 bits of chance. */
export function freshToken(): string {
  return randomBytes(24).toString("base64url");
}

const SHORTEST_TOKEN = 16;

function fail(what: string, path: string, why: string, cause?: unknown): never {
  throw new UnsupportedOperationError(`Cannot use "${path}" as ${what}: ${why}.`, { cause });
}

function readNamed(what: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    return fail(what, path, error instanceof Error ? error.message : String(error), error);
  }
}

/** A certificate and its key: their files, or what is in them (PEM). */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

function parse<T>(what: string, path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return fail(what, path, `it cannot be read as PEM without a passphrase (${why})`, error);
  }
}

/**
 * Reads a certificate and its key, and looks whether they can be served with: not every runtime does,
 * and would then listen and fail each connection.
 *
 * @throws {UnsupportedOperationError} when one cannot be read, they do not belong together, or the
 * certificate is not valid now.
 */
export function readCertificate(paths: Certificate): Certificate {
  const [what, whatKey] = ["the certificate", "the certificate's key"];
  const cert = readNamed(what, paths.cert);
  const key = readNamed(whatKey, paths.key);
  const certificate = parse(what, paths.cert, () => new X509Certificate(cert));
  const privateKey = parse(whatKey, paths.key, () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    fail(whatKey, paths.key, `it belongs to another one than "${paths.cert}"`);
  }
  const { validFrom, validTo } = certificate;
  const now = Date.now();
  if (now < Date.parse(validFrom) || now > Date.parse(validTo)) {
    fail(what, paths.cert, `it is valid from ${validFrom} to ${validTo}, and not now`);
  }
  return { cert, key };
}

/**
 * Reads a token from a file that only its owner can read, or that a secret was mounted as.
 *
 * @throws {UnsupportedOperationError} when it cannot be read, everybody can read it, or it is no token.
 */
export function readToken(path: string): string {
  const what = "the token's file";
  const token = readNamed(what, path).trim();
  if (!/^[\x21-\x7e]+$/.test(token) || token.length < SHORTEST_TOKEN) {
    fail(what, path, `a token has ${SHORTEST_TOKEN} characters or more, and no blanks`);
  }
  if (process.platform !== "win32" && (statSync(path).mode & 0o007) !== 0) {
    fail(what, path, `everybody can read it. Close it: chmod o= "${path}"`);
  }
  return token;
}
