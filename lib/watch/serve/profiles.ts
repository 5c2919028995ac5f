/**
 * Heap profiles that were taken from the page: the last few are kept, each under a name that nobody can
 * guess, as a page that a browser opens has no header for the token.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { OffheapError } from "../../errors.ts";
import { renderFlameGraph } from "../heap/flame-graph.ts";
import { encodeProfile } from "../heap/pprof.ts";
import { samplingState, takeHeapProfile } from "../heap/take.ts";
import type { Answer } from "./answer.ts";

/** How many are kept. */
const MOST = 8;

/** For how long a process is sampled that is not sampled all the time, in milliseconds. */
const SAMPLED_MS = 10_000;

/** A profile as files. */
interface ProfileFiles {
  /** The flame graph. */
  readonly page: string;
  /** The profile for pprof. */
  readonly profile: Uint8Array;
}

/** All that is in use, where the process is sampled; else what is allocated from now on, and kept. */
async function takeFiles(pid: number): Promise<ProfileFiles> {
  const { active } = await samplingState(pid);
  const profile = await takeHeapProfile(pid, active ? {} : { milliseconds: SAMPLED_MS });
  return { page: renderFlameGraph(profile), profile: await encodeProfile(profile) };
}

/** Where a profile is. */
export interface TakenProfile {
  /** The path of its flame graph. */
  readonly page: string;
  /** The path of the profile for pprof. */
  readonly profile: string;
}

/** The flame graph's own script and style are in it; nothing else is let in, and it has no origin. */
const PAGE_POLICY = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; " +
  "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The profiles that were taken. */
export class Profiles {
  readonly #kept = new Map<string, ProfileFiles>();
  readonly #taking = new Map<number, Promise<ProfileFiles>>();

  /** Takes one; a string says why there is none. */
  async take(pid: number): Promise<TakenProfile | string> {
    try {
      const files = await this.#takeOnce(pid);
      const id = randomBytes(32).toString("base64url");
      this.#kept.set(id, files);
      for (const old of [...this.#kept.keys()].slice(0, -MOST)) this.#kept.delete(old);
      return { page: `/profiles/${id}.html`, profile: `/profiles/${id}.pb.gz` };
    } catch (error) {
      if (error instanceof OffheapError) return error.message;
      throw error;
    }
  }

  /** Whoever asks while a process is sampled gets that profile. */
  async #takeOnce(pid: number): Promise<ProfileFiles> {
    const taking = this.#taking.get(pid) ?? takeFiles(pid);
    this.#taking.set(pid, taking);
    try {
      return await taking;
    } finally {
      this.#taking.delete(pid);
    }
  }

  /** A file of one; `null` where there is none. */
  file(id: string, kind: string): Answer | null {
    const files = this.#kept.get(id);
    if (files === undefined) return null;
    return kind === "html"
      ? {
        status: 200,
        type: "text/html; charset=utf-8",
        body: files.page,
        headers: { "Content-Security-Policy": PAGE_POLICY },
      }
      : {
        status: 200,
        type: "application/octet-stream",
        body: files.profile,
        headers: { "Content-Disposition": 'attachment; filename="heap.pb.gz"' },
      };
  }
}
