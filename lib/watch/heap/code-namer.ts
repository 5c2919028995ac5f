/**
 * Names of machine code that was made at run time, by the runtime's map and source maps.
 *
 * @module
 */
import type { CodeMap } from "./code-map.ts";
import { chooseCode, returnOffset } from "./code-choice.ts";
import { javaScriptFrame, readCodeName } from "./code-names.ts";
import { findCode, type MappedCode } from "./perf-map.ts";
import { SourceMaps } from "./source-maps.ts";
import type { HeapFrame } from "./types.ts";

/** What is needed of a process. */
interface CodeSpace {
  readonly open: (path: string) => string;
  readonly codeMap: CodeMap | null;
  readonly compiled: string | null;
}

/** Code that no map names. */
const UNKNOWN = "(code without a name)";

/** A return address is of the instruction after the call, which may be another function's. */
export function callAt(address: number): number {
  return address - 1;
}

/** Names the code of one process. */
export class CodeNamer {
  readonly #codes: ReadonlyMap<number, readonly MappedCode[]>;
  readonly #call: number | null;
  readonly #maps: SourceMaps;
  readonly #frames = new Map<string, HeapFrame>();

  private constructor(codes: ReadonlyMap<number, readonly MappedCode[]>, maps: SourceMaps) {
    this.#codes = codes;
    this.#call = returnOffset(codes.values());
    this.#maps = maps;
  }

  /** Looks up addresses in the process's map. */
  static async open(
    addresses: readonly number[],
    { open, codeMap, compiled }: CodeSpace,
  ): Promise<CodeNamer> {
    const codes = codeMap === null
      ? new Map()
      : await findCode(codeMap.path, codeMap.bytes, addresses.map(callAt));
    return new CodeNamer(codes, new SourceMaps(open, compiled));
  }

  /** The function at an address, at the moment that a stack is marked with. */
  frameOf(address: number, mark: number | null): HeapFrame {
    const name = chooseCode(this.#codes.get(callAt(address)) ?? [], mark, this.#call) ?? UNKNOWN;
    const key = `${address}\0${name}`;
    let frame = this.#frames.get(key);
    if (frame === undefined) {
      frame = this.#read(name, address);
      this.#frames.set(key, frame);
    }
    return frame;
  }

  /** What is to be said of the names. */
  notes(): string[] {
    return [...this.#maps.faults].map(([file, why]) =>
      `The source map of ${file} cannot be read: ${why}.`
    );
  }

  #read(name: string, address: number): HeapFrame {
    const frame = readCodeName(name);
    const { kind, file, line, column } = frame;
    if (kind !== "javascript" || file === null) return { ...frame, address };
    const place = this.#maps.find({ file, line, column });
    return { ...javaScriptFrame(frame.name, place.file, place.line, place.column), address };
  }
}
