/**
 * Lists of package sources for apt, made from the machine's own.
 *
 * @module
 */

/** What a list is to name. */
export interface SourceList {
  /** Packages, or source packages; a source package may come from wherever packages come from. */
  readonly type: "deb" | "deb-src";
  /** Another suite than those listed, such as `forky`. */
  readonly suite?: string | undefined;
}

const SOURCE_PACKAGES: SourceList = { type: "deb-src" };

/** Beside a suite such as `bookworm` there are `bookworm-updates` and others: they have no newer. */
const WHOLE_SUITE = /^[a-z]+$/;

/**
 * A keyring may be older than the suite. What is taken from there has its sha256 pinned, so nobody
 * has to be trusted for the list.
 */
const PINNED = { list: "trusted=yes", deb822: "Trusted: yes" };

/** `deb [options] URI suite components`. */
const LINE = /^(deb|deb-src)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$/;

/** The one-line format. */
export function deriveList(text: string, wanted: SourceList = SOURCE_PACKAGES): string {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) =>
    !line.includes("cdrom:")
  );
  const derived = lines.flatMap((line) => {
    const [, type, options, uri, suite = "", components] = LINE.exec(line) ?? [];
    if (type === undefined || (wanted.type === "deb" && type !== "deb")) return [];
    if (wanted.suite === undefined) return [line.replace(/^deb(-src)?\s/, `${wanted.type} `)];
    if (!WHOLE_SUITE.test(suite)) return [];
    const all = [options, PINNED.list].filter((part) => part !== undefined).join(" ");
    return [`${wanted.type} [${all}] ${uri} ${wanted.suite} ${components}`.trim()];
  });
  return [...new Set(derived)].map((line) => `${line}\n`).join("");
}

/** The deb822 format. */
export function deriveDeb822(text: string, wanted: SourceList = SOURCE_PACKAGES): string {
  const stanzas = text.split("\n").filter((line) => !line.startsWith("#")).join("\n").split(
    /\n\s*\n/,
  );
  return stanzas.map((stanza) => stanza.trim())
    .filter((stanza) => /^Types:/mi.test(stanza) && !/^Enabled:\s*no\s*$/mi.test(stanza))
    .filter((stanza) => wanted.type !== "deb" || fieldOf(stanza, "Types").includes("deb"))
    .map((stanza) => stanza.replace(/^Types:.*(\n[ \t].*)*/mi, `Types: ${wanted.type}`))
    .flatMap((stanza) => wanted.suite === undefined ? [stanza] : ofSuite(stanza, wanted.suite))
    .map((stanza) => `${stanza}\n`)
    .join("\n");
}

function fieldOf(stanza: string, name: string): string[] {
  const value = new RegExp(`^${name}:((?:.*)(?:\\n[ \\t].*)*)`, "mi").exec(stanza)?.[1] ?? "";
  return value.split(/\s+/).filter((word) => word !== "");
}

function ofSuite(stanza: string, suite: string): string[] {
  if (!fieldOf(stanza, "Suites").some((name) => WHOLE_SUITE.test(name))) return [];
  const changed = stanza.replace(/^Suites:.*(\n[ \t].*)*/mi, `Suites: ${suite}`);
  return [`${changed.replace(/^Trusted:.*\n?/mi, "").trim()}\n${PINNED.deb822}`];
}
