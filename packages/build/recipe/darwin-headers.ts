/**
 * Headers of macOS that zig does not bring, as far as the allocators use them. They come last in
 * the search: those of an Apple SDK are taken first.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const DIRECTORY = "offheap-headers";

/** Declarations by Apple's documentation of CommonCrypto. */
const HEADERS: Readonly<Record<string, string>> = {
  "CommonCrypto/CommonCryptoError.h": `#include <stdint.h>
typedef int32_t CCCryptorStatus;
typedef CCCryptorStatus CCRNGStatus;
enum { kCCSuccess = 0 };
`,
  "CommonCrypto/CommonRandom.h": `#include <stddef.h>
#include <CommonCrypto/CommonCryptoError.h>
CCRNGStatus CCRandomGenerateBytes(void *bytes, size_t count);
`,
  // Its numbers are used on Linux only.
  "sys/syscall.h": "",
};

/**
 * Writes the headers below a source directory.
 *
 * @returns The flags that make a compiler that runs there find them.
 */
export function writeDarwinHeaders(source: string): string[] {
  for (const [name, text] of Object.entries(HEADERS)) {
    const path = join(source, DIRECTORY, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return ["-idirafter", DIRECTORY];
}
