/**
 * The run-time options that switch on the guards of the `secure` variant; most are off by default.
 * One table, with the reasons beside it.
 *
 * @module
 */

/** Environment variables for one allocator, from a version on. */
export interface SecureOptions {
  /** The allocator. */
  readonly allocator: "jemalloc" | "mimalloc";
  /** The first version that has these options. */
  readonly since: string;
  /** The variables. */
  readonly environment: Readonly<Record<string, string>>;
}

/** jemalloc's options, which go into one variable. */
const JEMALLOC_OPTIONS: readonly string[] = [
  // Freed blocks at page boundaries are filled, held back, and checked for writes before reuse.
  // 12 is the smallest that jemalloc takes; it raises it where its pages are larger.
  "lg_san_uaf_align:12",
  // 5.3.0 flushes a bin down to half, although blocks held back may leave less than that in it:
  // it then crashes. Flushing all of it avoids that.
  "lg_tcache_flush_small_div:16",
  // Unreadable pages around one extent in so many. A guard costs two memory mappings of the 65,530
  // that Linux gives a process by default: with a guard around each large block, malloc fails at
  // 45,000 of them.
  "san_guard_large:16",
  "san_guard_small:64",
];

/** For each allocator, the newest row that a version has reached is the one that counts. */
export const SECURE_OPTIONS: readonly SecureOptions[] = [
  {
    allocator: "jemalloc",
    since: "5.3.0",
    environment: { MALLOC_CONF: JEMALLOC_OPTIONS.join(",") },
  },
  {
    allocator: "mimalloc",
    since: "2.0.0",
    // Without it a double free is passed over in silence. Corruption ends the process in any case.
    environment: { MIMALLOC_SHOW_ERRORS: "1" },
  },
  {
    allocator: "mimalloc",
    since: "2.1.9",
    environment: {
      MIMALLOC_SHOW_ERRORS: "1",
      // One allocation in so many gets a guard page behind it; the default is one in 4,000.
      MIMALLOC_GUARDED_SAMPLE_RATE: "1000",
    },
  },
];

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  for (let index = 0; index < 3; index++) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * The environment variables that switch the guards of a secure build on.
 *
 * @param version The allocator's version, such as `2.0.9`.
 * @returns An empty object for a version that has no such options.
 */
export function secureEnvironment(
  allocator: "jemalloc" | "mimalloc",
  version: string,
): Readonly<Record<string, string>> {
  const row = SECURE_OPTIONS.findLast((options) =>
    options.allocator === allocator && compareVersions(version, options.since) >= 0
  );
  return row?.environment ?? {};
}

/** The same, as single options: a variable of several is taken apart. */
export function secureOptions(
  allocator: "jemalloc" | "mimalloc",
  version: string,
): { name: string; value: string }[] {
  return Object.entries(secureEnvironment(allocator, version)).flatMap(([name, value]) =>
    name !== "MALLOC_CONF" ? [{ name, value }] : value.split(",").map((pair) => {
      const [key = "", setting = ""] = pair.split(":", 2);
      return { name: key, value: setting };
    })
  );
}
