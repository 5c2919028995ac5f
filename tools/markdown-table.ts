/**
 * Tables in Markdown as `deno fmt` lays them out, so that a generated part of a document is not
 * reformatted.
 *
 * @module
 */

/** The least that a column's rule takes. */
const LEAST = 3;

/**
 * A table whose columns are padded to their widest cell.
 *
 * @param head The names of the columns.
 * @param rows Cells that are Markdown already: a bar in one ends it.
 * @param words How many columns, from the first on, are set to the left; the rest are numbers.
 */
export function layoutTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  words: number = head.length,
): string {
  const widths = head.map((name, column) =>
    Math.max(LEAST, name.length, ...rows.map((row) => row[column]?.length ?? 0))
  );
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const padded = (row: readonly string[]): string =>
    line(widths.map((width, column) => {
      const cell = row[column] ?? "";
      return column < words ? cell.padEnd(width) : cell.padStart(width);
    }));
  const rule = widths.map((width, column) =>
    column < words ? "-".repeat(width) : `${"-".repeat(width - 1)}:`
  );
  return [padded(head), line(rule), ...rows.map(padded)].join("\n");
}
