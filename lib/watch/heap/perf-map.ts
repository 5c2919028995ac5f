/**
 * The names of machine code that was made at run time, by the map that V8 writes with
 * `--perf-basic-prof`: `/tmp/perf-PID.map`, a line for each piece of code, in the order in which they were
 * made. A map grows to many megabytes; it is read in pieces, and only names that are asked for are kept.
 *
 * @module
 */
import { createReadStream } from "node:fs";
import { lowerBound } from "../../sorted.ts";

/** A map is read in pieces of this size. */
const PIECE_BYTES = 65_536;

/** Far more than a line has: a file with longer ones is no map. */
const LONGEST_LINE = 65_536;

/** A text as it was written, which does not keep the piece alive that it was read in. */
function ownText(text: string): string {
  return Buffer.from(text, "latin1").toString();
}

/** A piece of code that an address is, or was, in. */
export interface MappedCode {
  /** Its name. */
  readonly name: string;
  /** Where in it the address is. */
  readonly offset: number;
  /** Where in the map it is written. */
  readonly written: number;
}

/**
 * Finds the code that addresses are in. Code is thrown away, and its place is used again: there may be
 * several, in the order in which they were made.
 *
 * @param bytes How much of the map was there when the addresses were taken.
 */
export async function findCode(
  path: string,
  bytes: number,
  addresses: Iterable<number>,
): Promise<Map<number, MappedCode[]>> {
  const wanted = Float64Array.from(new Set(addresses)).sort();
  const found = new Map<number, MappedCode[]>();
  if (wanted.length === 0 || bytes === 0) return found;
  const take = (line: string, written: number): void => {
    const sizeAt = line.indexOf(" ") + 1;
    const nameAt = line.indexOf(" ", sizeAt) + 1;
    if (sizeAt === 0 || nameAt === 0) return;
    const start = Number.parseInt(line.slice(0, sizeAt - 1), 16);
    const end = start + Number.parseInt(line.slice(sizeAt, nameAt - 1), 16);
    let at = lowerBound(wanted, start);
    if (!((wanted[at] ?? Infinity) < end)) return;
    const name = ownText(line.slice(nameAt));
    for (let address = wanted[at]; address !== undefined && address < end; address = wanted[at]) {
      const all = found.get(address) ?? [];
      all.push({ name, offset: address - start, written });
      found.set(address, all);
      at++;
    }
  };
  const stream = createReadStream(path, {
    // A character for each byte: places in the file are counted.
    encoding: "latin1",
    end: bytes - 1,
    highWaterMark: PIECE_BYTES,
  });
  let rest = "";
  let place = 0;
  for await (const piece of stream) {
    const lines = (rest + piece).split("\n");
    // The last one may go on in the next piece, or is truncated.
    rest = lines.pop() ?? "";
    if (rest.length > LONGEST_LINE) break;
    for (const line of lines) {
      take(line, place);
      place += line.length + 1;
    }
  }
  return found;
}
