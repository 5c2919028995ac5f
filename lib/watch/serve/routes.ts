/**
 * What is asked for, and what is answered.
 *
 * @module
 */
import { purgeOther } from "../doctor/memory/diagnose.ts";
import { METRICS_TYPE } from "../metrics/text.ts";
import type { Answer } from "./answer.ts";
import { describeProcess, detailProcess } from "./api.ts";
import type { Machine, MachineLook, WatchedProcess } from "./machine.ts";
import { scrapeText } from "./metrics.ts";
import { PAGE_FILES } from "./page/files.ts";
import type { Profiles } from "./profiles.ts";

/** What is answered from. */
export interface Sources {
  /** The processes. */
  readonly machine: Machine;
  /** The heap profiles that were taken; `null` where only metrics are served. */
  readonly profiles: Profiles | null;
}

/** A way to ask. */
interface Route {
  readonly method: "GET" | "POST";
  readonly path: RegExp;
  /** Whether it needs no token: what it answers holds no figures, or its name is a secret itself. */
  readonly isOpen: boolean;
  /** Whether it is there with `--metrics-only`. */
  readonly metrics: boolean;
  answer(sources: Sources, words: readonly string[]): Promise<Answer> | Answer;
}

const JSON_TYPE = "application/json; charset=utf-8";

function json(value: unknown, status = 200): Answer {
  return { status, type: JSON_TYPE, body: JSON.stringify(value) };
}

/** An answer that says what is wrong. */
export function problem(status: number, message: string): Answer {
  return json({ error: message }, status);
}

const GONE = problem(404, "there is no such process, or this user may not look at it");

/** Does something with a process that is there. */
async function withProcess(
  { machine }: Sources,
  [digits]: readonly string[],
  use: (watched: WatchedProcess, look: MachineLook) => Promise<Answer> | Answer,
): Promise<Answer> {
  const look = await machine.look();
  const watched = look.processes.find(({ listed }) => String(listed.pid) === digits);
  return watched === undefined ? GONE : await use(watched, look);
}

/** What can be asked, for whoever begins with `/api`. */
const API = {
  get: ["/api/processes", "/api/processes/PID"],
  post: ["/api/processes/PID/purge", "/api/processes/PID/snapshot"],
} as const;

const ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: /^\/metrics$/,
    isOpen: false,
    metrics: true,
    answer: async ({ machine }) => ({
      status: 200,
      type: METRICS_TYPE,
      body: scrapeText(await machine.look()),
    }),
  },
  {
    method: "GET",
    path: /^\/healthz$/,
    isOpen: true,
    metrics: true,
    answer: () => ({ status: 200, type: "text/plain; charset=utf-8", body: "ok\n" }),
  },
  ...Object.entries(PAGE_FILES).map(([name, { type, body }]): Route => ({
    method: "GET",
    path: new RegExp(`^/${name.replaceAll(".", "\\.")}$`),
    isOpen: true,
    metrics: false,
    answer: () => ({ status: 200, type, body }),
  })),
  {
    method: "GET",
    path: /^\/api$/,
    isOpen: false,
    metrics: false,
    answer: () => json(API),
  },
  {
    method: "GET",
    path: /^\/api\/processes$/,
    isOpen: false,
    metrics: false,
    async answer({ machine }) {
      const { at, processes, hidden } = await machine.look();
      return json({
        at,
        hidden,
        processes: processes.map((each) => describeProcess(machine, each)),
      });
    },
  },
  {
    method: "GET",
    path: /^\/api\/processes\/(\d{1,10})$/,
    isOpen: false,
    metrics: false,
    answer: (sources, words) =>
      withProcess(sources, words, (watched) => json(detailProcess(sources.machine, watched))),
  },
  {
    method: "POST",
    path: /^\/api\/processes\/(\d{1,10})\/purge$/,
    isOpen: false,
    metrics: false,
    answer: (sources, words) =>
      withProcess(sources, words, async ({ listed }) => {
        const purged = await purgeOther(listed.pid);
        return typeof purged === "string" ? problem(409, purged) : json(purged);
      }),
  },
  {
    method: "POST",
    path: /^\/api\/processes\/(\d{1,10})\/snapshot$/,
    isOpen: false,
    metrics: false,
    answer: (sources, words) =>
      withProcess(sources, words, async ({ listed }) => {
        const taken = await sources.profiles?.take(listed.pid) ?? "no profiles are taken here";
        return typeof taken === "string" ? problem(409, taken) : json(taken);
      }),
  },
  {
    method: "GET",
    path: /^\/profiles\/([\w-]{43})\.(html|pb\.gz)$/,
    isOpen: true,
    metrics: false,
    answer: ({ profiles }, [id = "", kind = ""]) =>
      profiles?.file(id, kind) ?? problem(404, "there is no such profile; the last few are kept"),
  },
];

/** A route that was found. */
export interface FoundRoute {
  /** Whether it needs no token. */
  readonly isOpen: boolean;
  /** Answers. */
  answer(sources: Sources): Promise<Answer> | Answer;
}

/**
 * Finds what is asked for; a number is the status of why there is nothing: 404, or 405 for another method.
 *
 * @param metricsOnly Whether there is nothing but metrics.
 */
export function findRoute(method: string, path: string, metricsOnly: boolean): FoundRoute | number {
  const fitting = ROUTES.filter((route) =>
    route.path.test(path) && (route.metrics || !metricsOnly)
  );
  if (fitting.length === 0) return 404;
  const asked = method === "HEAD" ? "GET" : method;
  const route = fitting.find((each) => each.method === asked);
  if (route === undefined) return 405;
  const words = route.path.exec(path)?.slice(1) ?? [];
  return { isOpen: route.isOpen, answer: (sources) => route.answer(sources, words) };
}
