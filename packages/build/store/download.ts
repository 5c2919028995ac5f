/**
 * Fetching one file, with patience only where it helps.
 *
 * @module
 */
import { copyFileSync, createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { isNoSpace, noSpace } from "../toolchain/shell.ts";

/** How long a server may take for its first answer, and later for the next piece. */
const FIRST_ANSWER_SECONDS = 5;
const NEXT_PIECE_SECONDS = 20;

/** A file could not be fetched; the message says why, in a few words. */
export class DownloadError extends Error {
  override name = "DownloadError";
}

/**
 * Writes what a URL holds to a file.
 *
 * @throws {DownloadError} when it cannot be had.
 */
export async function download(
  url: string,
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  try {
    if (new URL(url).protocol === "file:") copyFileSync(fileURLToPath(url), path);
    else await downloadHttp(url, path, signal);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof DownloadError) throw error;
    if (isNoSpace(error)) throw noSpace(`download ${url}`, path);
    throw new DownloadError(`${hostOf(url)} could not be reached: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

async function downloadHttp(url: string, path: string, signal?: AbortSignal): Promise<void> {
  const watchdog = new AbortController();
  const bark = (seconds: number): NodeJS.Timeout =>
    setTimeout(
      () => watchdog.abort(new DownloadError(`${hostOf(url)} gave no answer for ${seconds} s`)),
      seconds * 1000,
    );
  let timer = bark(FIRST_ANSWER_SECONDS);
  const signals = signal === undefined ? [watchdog.signal] : [watchdog.signal, signal];
  try {
    const response = await fetch(url, { signal: AbortSignal.any(signals) });
    if (!response.ok || response.body === null) {
      throw new DownloadError(`${hostOf(url)} answered ${response.status} for ${url}`);
    }
    const pieces = async function* (body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const piece of body) {
        clearTimeout(timer);
        timer = bark(NEXT_PIECE_SECONDS);
        yield piece;
      }
    };
    await pipeline(Readable.from(pieces(response.body)), createWriteStream(path));
  } catch (error) {
    throw watchdog.signal.aborted ? watchdog.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}

function hostOf(url: string): string {
  const { host, protocol } = new URL(url);
  return host === "" ? protocol : host;
}

/** The deepest cause says most: fetch itself says only that it failed. */
function reasonOf(error: unknown): string {
  let reason = String(error);
  let cause: unknown = error;
  while (cause instanceof Error) {
    if (cause.message !== "") reason = cause.message;
    cause = cause instanceof AggregateError ? cause.errors[0] : cause.cause;
  }
  return reason;
}
