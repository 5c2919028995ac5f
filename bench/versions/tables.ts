/**
 * The report as the tables of docs/development/allocator-versions.md.
 *
 * @module
 */
import { escapeCell, markdownTable } from "../report/markdown.ts";
import { ratioText, valueText } from "../report/numbers.ts";
import type { Table } from "../report/table.ts";
import { FIGURES } from "./cases.ts";
import type { Figure, Judged, Report } from "./report.ts";

/** The unit of the throughput in the table. */
const COUNTS = "documents";

const OVERVIEW = FIGURES.filter(({ short }) => short !== undefined);

function figure(figures: readonly Figure[], id: string): Figure | undefined {
  return figures.find((one) => one.id === id);
}

/** The runtimes in which a build was proven each time, and how often in the others. */
function proofText({ proofs }: Judged): string {
  return proofs.map(({ runtime, proven, times }) =>
    proven === times ? runtime : `${runtime}: ${proven} of ${times}`
  ).join(", ");
}

function overviewRow(name: string, from: string, proofs: string, figures: readonly Figure[]) {
  const cells = OVERVIEW.map(({ id }) => {
    const found = figure(figures, id);
    return found === undefined ? "" : ratioText(found.median);
  });
  return [name, from, proofs, ...cells];
}

/** A row for each version: medians over the system's allocator. */
function overview(report: Report): Table {
  return {
    name: "versions",
    title: "",
    words: 3,
    head: ["version", "built from", "proven in", ...OVERVIEW.map(({ short = "" }) => short)],
    rows: [
      ...report.builds.map((build) =>
        overviewRow(
          `${build.allocator} ${build.version}`,
          build.from,
          proofText(build),
          build.figures,
        )
      ),
      overviewRow("glibc again", "the system’s", "", report.noise),
    ],
  };
}

function detail({ id, title }: { id: string; title: string }, figures: readonly Figure[]) {
  const found = figure(figures, id);
  if (found === undefined) return [];
  const ratios = [found.median, found.least, found.greatest].map(ratioText);
  return [[title, valueText(found, COUNTS), ...ratios]];
}

/** Everything of one version. */
function details(build: Judged): string {
  const table = markdownTable({
    name: build.id,
    title: "",
    words: 1,
    head: ["figure", "value", "over glibc’s", "least", "greatest"],
    rows: FIGURES.flatMap((spec) => detail(spec, build.figures)),
  });
  const proofs = build.proofs.map(({ runtime, proven, times, problem }) =>
    `- ${runtime}: proven ${proven} of ${times} times` +
    (problem === null ? "" : ` (${escapeCell(problem)})`)
  );
  return [
    `### ${escapeCell(build.title)}`,
    `Built from: ${escapeCell(build.from)}.`,
    proofs.join("\n"),
    table,
  ]
    .filter((part) => part !== "").join("\n\n");
}

/** The parts of the document, by the names of their marks. */
export function versionParts(report: Report): Map<string, string> {
  const { machine, rounds, started, missing } = report;
  const runtimes = Object.entries(report.runtimes)
    .map(([name, version]) => `${name.replace(/ \d+$/, "")} ${version}`);
  const about = [
    `Measured on ${started.slice(0, 10)}: ${rounds} paired ${rounds === 1 ? "round" : "rounds"}, ` +
    `${machine.processor}, ${machine.cores} cores, ${machine.system}, ${machine.libc}, transparent ` +
    `huge pages ${machine.hugePages}, load ${machine.load.join(", ")} at the start; ` +
    `${runtimes.join(", ")}; offheap ${report.offheap}.`,
    ...missing.map(({ title, reason }) => `Left out: ${title} (${reason}).`),
  ];
  return new Map([
    [
      "versions-overview",
      [escapeCell(about.join(" ")), markdownTable(overview(report))].join("\n\n"),
    ],
    ["versions-details", report.builds.map(details).join("\n\n")],
  ]);
}
