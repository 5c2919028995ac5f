/**
 * sha256 by Node's own OpenSSL, called over `node:ffi`: loading `node:crypto` takes longer than the
 * rest of a launch.
 *
 * @module
 */
import { PermissionError, SymbolError } from "../errors.ts";
import { type Adapter, type Calls, NULL, type SymbolTable } from "../types.ts";

const DIGEST_SYMBOLS = {
  EVP_sha256: { parameters: [], result: "pointer" },
  EVP_MD_CTX_new: { parameters: [], result: "pointer" },
  EVP_MD_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_DigestInit_ex: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  EVP_DigestUpdate: { parameters: ["pointer", "buffer", "usize"], result: "i32" },
  EVP_DigestFinal_ex: { parameters: ["pointer", "buffer", "pointer"], result: "i32" },
} as const satisfies SymbolTable;

type DigestCalls = Calls<typeof DIGEST_SYMBOLS>;

const SHA256_BYTES = 32;

let calls: DigestCalls | null | undefined;

function bind({ open }: Adapter): DigestCalls | null {
  try {
    return open(null, DIGEST_SYMBOLS).calls;
  } catch (error) {
    // Without the permission, or OpenSSL among the program's symbols, there is node:crypto.
    if (error instanceof PermissionError || error instanceof SymbolError) return null;
    throw error;
  }
}

/** OpenSSL answers 1 for what it has done. */
function requireDone(answer: number): void {
  if (answer !== 1) throw new Error("Cannot compute a sha256: OpenSSL refuses.");
}

/** The sha256 of pieces in a row, in hexadecimal; `null` where this OpenSSL cannot be called. */
export function opensslSha256(adapter: Adapter, pieces: Iterable<Uint8Array>): string | null {
  calls = calls === undefined ? bind(adapter) : calls;
  if (calls === null) return null;
  const context = calls.EVP_MD_CTX_new();
  const digest = new Uint8Array(SHA256_BYTES);
  try {
    requireDone(calls.EVP_DigestInit_ex(context, calls.EVP_sha256(), NULL));
    for (const piece of pieces) {
      requireDone(calls.EVP_DigestUpdate(context, piece, piece.length));
    }
    requireDone(calls.EVP_DigestFinal_ex(context, digest, NULL));
  } finally {
    calls.EVP_MD_CTX_free(context);
  }
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
