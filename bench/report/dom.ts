/**
 * The document that charts and page are built in, by linkedom. Text becomes text nodes, so nothing
 * of the results can become markup.
 *
 * @module
 */
import { parseHTML } from "linkedom";

/** What is used of an element. */
export interface Element {
  readonly outerHTML: string;
  readonly children: Iterable<Element>;
  readonly attributes: Iterable<{ readonly name: string; readonly value: string }>;
  append(...children: readonly (Element | string)[]): void;
  prepend(...children: readonly (Element | string)[]): void;
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  querySelectorAll(selector: string): Iterable<Element>;
  remove(): void;
}

/** What is used of a document. */
export interface Document {
  readonly head: Element;
  readonly body: Element;
  readonly documentElement: Element;
  createElement(name: string): Element;
  createElementNS(namespace: string, name: string): Element;
  toString(): string;
}

/** A new, empty document. */
export function newDocument(): Document {
  const empty = '<!doctype html><html lang="en"><head></head><body></body></html>';
  return Reflect.get(parseHTML(empty), "document") as Document;
}

/** A function that makes elements. */
export type Maker = (
  name: string,
  attributes?: Readonly<Record<string, string>>,
  ...children: readonly (Element | string)[]
) => Element;

const SVG = "http://www.w3.org/2000/svg";

/** Makes elements of a document; those of SVG have names that begin with `svg:`. */
export function maker(document: Document): Maker {
  return (name, attributes = {}, ...children) => {
    const element = name.startsWith("svg:")
      ? document.createElementNS(SVG, name.slice("svg:".length))
      : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
}
