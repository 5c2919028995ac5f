/**
 * Text that keeps bytes which are no UTF-8: what the kernel hands a process as its arguments and its
 * environment are bytes, and a runtime replaces what it cannot read.
 *
 * Such a byte becomes a lone surrogate, U+DC80 to U+DCFF, as Python's `surrogateescape` has it: the
 * rest can be read and compared as usual, and nothing that is text looks like it.
 *
 * @module
 */

/** The surrogate of the byte 0; those of 0x80 to 0xff are in use. */
const ESCAPE_BASE = 0xdc00;

const ENCODER = new TextEncoder();
// A byte order mark is a character like any other here.
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Lone surrogates only: those of a pair are one character. */
const ESCAPED = /([\uDC80-\uDCFF])/u;

/** How many bytes a character takes, by its first; 0 when none begins so. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

function decodeOrNull(bytes: Uint8Array): string | null {
  try {
    return DECODER.decode(bytes);
  } catch {
    // Bytes that are no UTF-8 are an ordinary answer.
    return null;
  }
}

/** Decodes UTF-8; each byte that belongs to no character becomes a lone surrogate. */
export function decodeExact(bytes: Uint8Array): string {
  const whole = decodeOrNull(bytes);
  if (whole !== null) return whole;
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at] ?? 0;
    const length = sequenceLength(first);
    const character = length === 0 ? null : decodeOrNull(bytes.subarray(at, at + length));
    text += character ?? String.fromCharCode(ESCAPE_BASE + first);
    at += character === null ? 1 : length;
  }
  return text;
}

/** The bytes that {@linkcode decodeExact} was given; of other text, its UTF-8. */
export function encodeExact(text: string): Uint8Array {
  if (isText(text)) return ENCODER.encode(text);
  const parts = text.split(ESCAPED).map((part) =>
    isText(part) ? ENCODER.encode(part) : Uint8Array.of(part.charCodeAt(0) - ESCAPE_BASE)
  );
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Whether all of it is text, so that a runtime can pass it on as a name or a path. */
export function isText(text: string): boolean {
  return !ESCAPED.test(text);
}
