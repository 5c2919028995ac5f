/**
 * Plots as SVG elements: each in a wide and a narrow form, of which the page shows one.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import type { Document, Element } from "../dom.ts";
import { maker } from "../dom.ts";

/** A form of a chart. */
export interface Form {
  readonly name: "wide" | "narrow";
  /** In CSS pixels. */
  readonly width: number;
  readonly fontSize: number;
}

/** Both forms: for a page's column, and for a telephone. */
export const FORMS: readonly Form[] = [
  { name: "wide", width: 720, fontSize: 12 },
  { name: "narrow", width: 340, fontSize: 11 },
];

/** What a chart is drawn from: options of Plot without what all charts share. */
export type Options = Plot.PlotOptions & { readonly height: number };

const COORDINATES = new Set([
  ...["d", "transform", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height"],
]);
const LONG_FRACTION = /(\.\d{2})\d+/g;

/** Hundredths of a pixel are enough, and make the page half as large. */
function shorten(svg: Element): void {
  for (const element of svg.querySelectorAll("*")) {
    for (const { name, value } of [...element.attributes]) {
      if (COORDINATES.has(name)) element.setAttribute(name, value.replace(LONG_FRACTION, "$1"));
    }
  }
}

/** Draws one form of a chart; the label is the text for readers who cannot see it. */
export function draw(
  document: Document,
  { width, fontSize }: Form,
  label: string,
  options: Options,
): Element {
  // Plot asks for a browser's document, of which linkedom's has what it uses.
  const svg = Plot.plot({ ...options, document, width } as Plot.PlotOptions) as unknown as Element;
  for (const style of [...svg.querySelectorAll("style")]) style.remove();
  svg.setAttribute("font-size", String(fontSize));
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  svg.setAttribute("class", "plot");
  svg.prepend(maker(document)("svg:title", {}, label));
  shorten(svg);
  return svg;
}

/** About how wide a text is, in pixels: few characters are wider than 0.6 of their height. */
export function textWidth(text: string, { fontSize }: Form): number {
  return text.length * fontSize * 0.6;
}

/**
 * The ticks of a logarithmic axis that fit: as many as can be of the candidates, those first
 * taken first.
 *
 * @param gap The least distance of two ticks in pixels.
 * @param length The axis's length in pixels.
 */
export function roomyTicks(
  candidates: readonly number[],
  [low, high]: readonly [number, number],
  length: number,
  gap: number,
): number[] {
  const place = (value: number): number => Math.log(value / low) / Math.log(high / low) * length;
  const taken: number[] = [];
  for (const value of candidates) {
    if (value < low || value > high) continue;
    if (taken.every((other) => Math.abs(place(other) - place(value)) >= gap)) taken.push(value);
  }
  return taken.sort((a, b) => a - b);
}
