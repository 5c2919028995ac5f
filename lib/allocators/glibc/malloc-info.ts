/**
 * glibc's `malloc_info`: a report of all arenas as XML. It has the sums of `mallinfo2`, in every
 * glibc, and no structure as its result, which no foreign function interface takes.
 *
 * @module
 */
import { MALLOC_INFO_SYMBOLS, PROCESS_MALLOC_SYMBOLS } from "../../../ffi/symbols/libc.ts";
import { readBytes } from "../../../ffi/symbols/memory.ts";
import { ffi } from "../../../ffi/mod.ts";
import { type Address, NULL } from "../../../ffi/types.ts";

/** What is said of an arena, or of all of them, in bytes. */
export interface MallocSums {
  /** In free blocks, those at the arenas' ends included. */
  readonly free: number;
  /** In the arenas. */
  readonly system: number;
  /** Of the arenas, what may be written to. */
  readonly writable: number;
  /** In blocks that were mapped for themselves, which no arena has. */
  readonly mapped: number;
}

/** The whole report. */
export interface MallocInfo {
  /** Each arena, in the order of their numbers. */
  readonly arenas: readonly MallocSums[];
  /** All together. */
  readonly all: MallocSums;
}

const ROW = /<(total|system|aspace) type="(\w+)"(?: count="\d+")? size="(\d+)"\/>/g;

/** Where an arena ends; the sums over all arenas follow the last one. */
const ARENA_END = "</heap>";

function parseSums(text: string): MallocSums {
  const rows = new Map([...text.matchAll(ROW)].map(([, kind, type, size]) => [
    `${kind} ${type}`,
    Number(size),
  ]));
  const size = (row: string): number => {
    const bytes = rows.get(row);
    if (bytes !== undefined) return bytes;
    throw new RangeError(`Cannot read malloc_info: it has no row "${row}"`);
  };
  return {
    free: size("total fast") + size("total rest"),
    system: size("system current"),
    writable: size("aspace mprotect"),
    mapped: rows.get("total mmap") ?? 0,
  };
}

/**
 * Reads the text of a report.
 *
 * @throws {RangeError} when it is no such text.
 */
export function parseMallocInfo(text: string): MallocInfo {
  const parts = text.split(ARENA_END);
  const all = parseSums(parts.at(-1) ?? "");
  return { arenas: parts.slice(0, -1).map(parseSums), all };
}

/** A report that can be asked for again and again. */
export interface MallocInfoReader {
  /** Asks for it. */
  read(): MallocInfo;
  /** Ends the use of its functions. */
  close(): void;
}

const SEEK_SET = 0;
const WORD = 8;

/** Opens one stream in memory for all reports, so that asking changes as little as it can. */
export function openMallocInfo(): MallocInfoReader {
  const symbols = { ...PROCESS_MALLOC_SYMBOLS, ...MALLOC_INFO_SYMBOLS };
  const { calls, close } = ffi().open(null, symbols);
  const words = calls.malloc(2 * WORD);
  const stream = words === NULL ? NULL : calls.open_memstream(words, words + WORD as Address);
  if (stream === NULL) {
    if (words !== NULL) calls.free(words);
    close();
    throw new RangeError("Cannot read malloc_info: there is no memory for it");
  }
  return {
    read() {
      const failed = calls.fseek(stream, 0, SEEK_SET) !== 0 || calls.malloc_info(0, stream) !== 0 ||
        calls.fflush(stream) !== 0;
      if (failed) throw new RangeError("Cannot read malloc_info: its stream failed");
      const [text = 0n, length = 0n] = new BigUint64Array(readBytes(words, 2 * WORD).buffer);
      const bytes = readBytes(Number(text) as Address, Number(length));
      return parseMallocInfo(new TextDecoder().decode(bytes));
    },
    close() {
      calls.fclose(stream);
      const [text = 0n] = new BigUint64Array(readBytes(words, WORD).buffer);
      calls.free(Number(text) as Address);
      calls.free(words);
      close();
    },
  };
}
