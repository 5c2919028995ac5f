/**
 * The changelog's sections: `## [Unreleased]`, `## 1.2.3 - 2026-01-31`.
 *
 * @module
 */

const HEADING = /^## .*$/gm;
const UNRELEASED = "## [Unreleased]";

interface Section {
  readonly heading: string;
  readonly body: string;
  readonly start: number;
  readonly end: number;
}

function sectionsOf(text: string): Section[] {
  const headings = [...text.matchAll(HEADING)];
  return headings.map((match, index) => {
    const [heading] = match;
    const end = headings[index + 1]?.index ?? text.length;
    const body = text.slice(match.index + heading.length, end).trim();
    return { heading, body, start: match.index, end };
  });
}

function isOf(section: Section, version: string): boolean {
  return section.heading.split(/[\s[\]]+/)[1] === version;
}

/**
 * What the changelog says of a version, without its heading.
 *
 * @throws {Error} when it has no such section, or an empty one.
 */
export function releaseNotes(text: string, version: string): string {
  const section = sectionsOf(text).find((candidate) => isOf(candidate, version));
  if (section !== undefined && section.body !== "") return section.body;
  throw new Error(`Cannot determine what changed: CHANGELOG.md says nothing of version ${version}`);
}

/**
 * The changelog with what is unreleased under a version's heading, and an empty section above. A
 * section of that version that has no date yet gets it, and comes after what is unreleased.
 *
 * @throws {Error} when there is nothing to release, or the version was released before.
 */
export function releaseChangelog(text: string, version: string, date: string): string {
  const sections = sectionsOf(text);
  const unreleased = sections.find(({ heading }) => heading === UNRELEASED);
  if (unreleased === undefined) {
    throw new Error(`Cannot release ${version}: CHANGELOG.md has no section "${UNRELEASED}"`);
  }
  const prepared = sections.find((section) => isOf(section, version));
  if (prepared !== undefined && !/not released yet/.test(prepared.heading)) {
    throw new Error(`Cannot release ${version}: CHANGELOG.md has it already (${prepared.heading})`);
  }
  const bodies = [unreleased.body, prepared?.body ?? ""].filter((body) => body !== "");
  if (bodies.length === 0) {
    throw new Error(
      `Cannot release ${version}: CHANGELOG.md lists no change since the last one`,
    );
  }
  const rest = sections.filter((section) => section !== unreleased && section !== prepared);
  const parts = [
    text.slice(0, sections[0]?.start).trim(),
    UNRELEASED,
    `## ${version} - ${date}\n\n${bodies.join("\n\n")}`,
    ...rest.map(({ heading, body }) => `${heading}\n\n${body}`.trim()),
  ];
  return `${parts.join("\n\n")}\n`;
}
