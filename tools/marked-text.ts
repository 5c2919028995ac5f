/**
 * Parts of a document that programs write: each between the marks `<!-- name:begin -->` and
 * `<!-- name:end -->`, which stay.
 *
 * @module
 */

/**
 * A text with the part between a name's marks replaced.
 *
 * @param content Markdown; blank lines go around it.
 * @throws {RangeError} when the marks are not there, each once and in order.
 */
export function withPart(text: string, name: string, content: string): string {
  const begin = `<!-- ${name}:begin -->`;
  const end = `<!-- ${name}:end -->`;
  const [before, rest, ...more] = text.split(begin);
  const [, after, ...moreEnds] = (rest ?? "").split(end);
  if (before === undefined || after === undefined || more.length > 0 || moreEnds.length > 0) {
    throw new RangeError(
      `Cannot write "${name}": the text must have ${begin} and ${end}, once and in this order`,
    );
  }
  return `${before}${begin}\n\n${content.trim()}\n\n${end}${after}`;
}

/** A part's content that the formatter leaves as it is: it would wrap the lines of tables. */
export function unformatted(content: string): string {
  return `<!-- deno-fmt-ignore-start -->\n\n${content.trim()}\n\n<!-- deno-fmt-ignore-end -->`;
}

/** The names of all parts of a text, in their order. */
export function partsOf(text: string): string[] {
  return [...text.matchAll(/<!-- ([\w-]+):begin -->/g)].map(([, name = ""]) => name);
}
