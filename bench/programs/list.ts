/**
 * Real programs, each as a command line of `offheap compare`.
 *
 * @module
 */
import { join } from "node:path";
import { ROOT } from "../../tools/paths.ts";
import type { Runtime } from "../../tools/runtimes.ts";

/** How much is done. */
export type Scale = "test" | "full";

/** A program. */
export interface ProgramSpec {
  readonly id: string;
  readonly title: string;
  /** The options, and the command. */
  readonly words: (scale: Scale, port: number) => readonly string[];
}

const PROGRAMS = join(ROOT, "bench", "programs");
/** The last TypeScript that is JavaScript; of 7 on the compiler is a static program of Go's. */
const TSC = join(ROOT, "node_modules/@arethetypeswrong/core/node_modules/typescript/bin/tsc");

function serverIn({ spec, binary }: Runtime): ProgramSpec {
  return {
    id: `http-${spec.name}`,
    title: `HTTP server, ${spec.title}`,
    words: (scale, port) => {
      const [rate, duration, idle] = scale === "test" ? [50, "1s", "100ms"] : [300, "2s", "1500ms"];
      return [
        ...["--requests", `http://127.0.0.1:${port}/`, "--rate", `${rate}`],
        ...["--duration", duration, "--idle-after", idle],
        ...["--", binary, ...spec.run, join(PROGRAMS, "server.ts"), `${port}`],
      ];
    },
  };
}

/**
 * The programs: a server in each runtime, the others in Node.
 *
 * @param runtimes Those that were found; without Node 26 there is a server in the others only.
 */
export function programsFor(runtimes: readonly Runtime[]): ProgramSpec[] {
  const node = runtimes.find(({ spec }) => spec.name === "node26");
  if (node === undefined) return runtimes.map(serverIn);
  const script = (...words: readonly string[]): string[] => [
    "--",
    ...[node.binary, ...node.spec.run, ...words],
  ];
  return [
    ...runtimes.map(serverIn),
    {
      id: "sharp",
      title: "images by sharp, Node 26",
      words: (scale) => [
        ...["--metric", "images/s: ([0-9.]+)", "--higher-is-better"],
        ...script(join(PROGRAMS, "images.ts"), scale === "test" ? "1" : "5"),
      ],
    },
    {
      id: "tsc",
      title: "tsc 5.6, Node 26",
      words: () =>
        script(
          ...[TSC, "--noEmit", "--skipLibCheck", "--module", "nodenext", "--target", "esnext"],
          ...["--allowImportingTsExtensions", "--types", "node"],
          join(ROOT, "lib/watch/compare/judge.ts"),
        ),
    },
    {
      id: "documents",
      title: "a document burst, Node 26",
      words: (scale) => {
        const [rounds, idle] = scale === "test" ? ["1", "100"] : ["2", "1500"];
        return script(
          join(ROOT, "examples/document-pipeline.ts"),
          "--rounds",
          rounds,
          "--idle",
          idle,
        );
      },
    },
  ];
}
