/**
 * Flags and the version script that all ELF libraries are linked with.
 *
 * @module
 */

/**
 * Why each: `-Bsymbolic` keeps two copies of one allocator in a process from calling into each
 * other; nodelete, since threads and exit handlers outlive a close; now and relro, since a lazy
 * binding inside malloc could call malloc.
 */
export const LINK_FLAGS: readonly string[] = [
  "-Wl,-Bsymbolic",
  "-Wl,-z,nodelete",
  "-Wl,-z,now",
  "-Wl,-z,relro",
  "-Wl,--as-needed",
];

/** The version script that exports these symbols and nothing else. */
export function versionScript(required: readonly string[], optional: readonly string[]): string {
  const lines = [
    ...required,
    // A glob may match nothing; lld refuses an exact name that is not defined.
    ...optional.map((name) => `[${name.slice(0, 1)}]${name.slice(1)}`),
  ];
  return `{\n  global:\n${lines.map((line) => `    ${line};\n`).join("")}  local: *;\n};\n`;
}
