/**
 * Reading Prometheus's text format, as far as offheap writes it.
 *
 * @module
 */

/** One series. */
export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const UNESCAPED: Readonly<Record<string, string>> = { n: "\n" };

/** Reads the samples; throws for a line that is not one, and for a series that comes twice. */
export function parseMetrics(text: string): ParsedSample[] {
  const seen = new Set<string>();
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
    const [, name = "", list = "", value = ""] =
      /^([a-z_][a-z0-9_]*)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (-?[\d.e+-]+)$/.exec(line) ??
        [];
    if (name === "" || seen.has(`${name}{${list}`)) throw new Error(`not a sample: ${line}`);
    seen.add(`${name}{${list}`);
    const labels = [...list.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map((
      [, key, escaped = ""],
    ) => [key, escaped.replace(/\\(.)/g, (_, each: string) => UNESCAPED[each] ?? each)] as const);
    return { name, labels: Object.fromEntries(labels), value: Number(value) };
  });
}

/** The samples of a name, and of labels. */
export function pick(
  samples: readonly ParsedSample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): ParsedSample[] {
  return samples.filter((each) =>
    each.name === name &&
    Object.entries(labels).every(([label, value]) => each.labels[label] === value)
  );
}
