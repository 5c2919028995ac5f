/**
 * `#!` lines, by the Linux kernel's rules.
 *
 * @module
 */
import { decodeExact } from "../exact-text.ts";

/** How many bytes of a script the kernel looks at. */
export const SHEBANG_BYTES = 256;

/** What a `#!` line asks for. */
export interface Shebang {
  /** The interpreter's path. */
  readonly interpreter: string;
  /** All that follows it, as one argument; `null` when nothing does. */
  readonly argument: string | null;
}

/**
 * Reads the `#!` line at the start of a file's first {@linkcode SHEBANG_BYTES} bytes.
 *
 * @returns `null` when there is none that the kernel would accept: no `#!`, no interpreter, or an
 * interpreter's name that is truncated.
 */
export function parseShebang(head: Uint8Array): Shebang | null {
  const seen = head.subarray(0, SHEBANG_BYTES);
  if (seen[0] !== 0x23 || seen[1] !== 0x21) return null;
  const newline = seen.indexOf(0x0a);
  const truncated = newline === -1 && head.length >= SHEBANG_BYTES;
  const end = newline === -1 ? seen.length : newline;
  const line = (decodeExact(seen.subarray(2, end)).split("\0")[0] ?? "").replace(/^[ \t]+/, "");
  const match = /^([^ \t]+)(?:[ \t]+(.*?))?[ \t]*$/s.exec(line);
  const interpreter = match?.[1];
  if (interpreter === undefined) return null;
  if (truncated && !/[ \t]/.test(line)) return null;
  return { interpreter, argument: match?.[2] || null };
}
