/**
 * Source maps: the map of a bundle and those of its modules as one, from the bundle to the sources.
 *
 * @module
 */

/** The fields of a source map that are used here. */
export interface SourceMap {
  /** Always 3. */
  readonly version: 3;
  /** The sources, relative to the map. */
  readonly sources: readonly string[];
  /** Names; none are kept. */
  readonly names: readonly string[];
  /** The mappings, encoded. */
  readonly mappings: string;
}

/** A mapping: the column, and where it comes from: the source's number, its line, its column. */
export type Segment = readonly [
  column: number,
  source: number,
  line: number,
  sourceColumn: number,
];

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Each digit has five bits and a flag for one more; the lowest bit of a number is its sign. */
function decodeNumbers(text: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const character of text) {
    const digit = DIGITS.indexOf(character);
    if (digit < 0) throw new RangeError(`Cannot read a source map: "${character}" is no digit`);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit >= 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return numbers;
}

function encodeNumber(number: number): string {
  let rest = number < 0 ? (-number << 1) | 1 : number << 1;
  let text = "";
  do {
    const digit = rest & 31;
    rest >>= 5;
    text += DIGITS[rest > 0 ? digit | 32 : digit];
  } while (rest > 0);
  return text;
}

/** The mappings of each line, in the order of their columns. */
export function decodeMappings(mappings: string): Segment[][] {
  let source = 0;
  let line = 0;
  let sourceColumn = 0;
  return mappings.split(";").map((text) => {
    let column = 0;
    return text.split(",").flatMap((part): Segment[] => {
      const [first, ...rest] = decodeNumbers(part);
      if (first === undefined) return [];
      column += first;
      if (rest.length < 3) return [];
      source += rest[0] ?? 0;
      line += rest[1] ?? 0;
      sourceColumn += rest[2] ?? 0;
      return [[column, source, line, sourceColumn]];
    });
  });
}

/** The opposite of {@linkcode decodeMappings}. */
export function encodeMappings(lines: readonly (readonly Segment[])[]): string {
  let last: Segment = [0, 0, 0, 0];
  return lines.map((segments) => {
    last = [0, last[1], last[2], last[3]];
    return segments.map((segment) => {
      const before = last;
      last = segment;
      return segment.map((value, index) => encodeNumber(value - (before[index] ?? 0))).join("");
    }).join(",");
  }).join(";");
}

/** A module's own map, and the path of its only source as the result shall have it. */
export interface ModuleMap {
  /** The module's mappings, decoded. */
  readonly lines: readonly (readonly Segment[])[];
  /** The source's path. */
  readonly source: string;
}

/** Leaves what leads to another line: a stack needs no more, and a map is a third as large. */
function dropColumns(segments: readonly Segment[]): Segment[] {
  return segments.filter(([, source, line], index) => {
    const before = segments[index - 1];
    return before === undefined || before[1] !== source || before[2] !== line;
  });
}

/**
 * The map of a bundle to the sources of its modules.
 *
 * @param bundle The bundle's map, whose sources are modules.
 * @param moduleOf The map of a module, by its name in the bundle's map; `null` for one without.
 * @param linesBefore How many lines were put before those that the bundle's map counts.
 */
export function composeMaps(
  bundle: SourceMap,
  moduleOf: (name: string) => ModuleMap | null,
  linesBefore: number,
): SourceMap {
  const modules = bundle.sources.map(moduleOf);
  const sources: string[] = [];
  const lines = decodeMappings(bundle.mappings).map((segments) =>
    dropColumns(segments.flatMap(([column, source, line, sourceColumn]): Segment[] => {
      const module = modules[source];
      const origin = module?.lines[line]?.findLast(([start]) => start <= sourceColumn);
      if (module === null || module === undefined || origin === undefined) return [];
      if (!sources.includes(module.source)) sources.push(module.source);
      return [[column, sources.indexOf(module.source), origin[2], origin[3]]];
    }))
  );
  const mappings = ";".repeat(linesBefore) + encodeMappings(lines);
  return { version: 3, sources, names: [], mappings };
}
