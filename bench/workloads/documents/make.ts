/**
 * Makers of documents: one of each kind, from random numbers that a seed repeats.
 *
 * @module
 */
import { buffer } from "node:stream/consumers";
import { Document, HeadingLevel, Packer, Paragraph, Table, TableCell, TableRow } from "docx";
import { XMLBuilder } from "fast-xml-parser";
import Papa from "papaparse";
import PDFDocument from "pdfkit";
import sharp, { type Sharp } from "sharp";
import type { Random } from "../support/random.ts";
import { paragraph, paragraphs, phrase, sentence, title, word } from "../support/prose.ts";

/** Kinds of documents; each is the ending of its files' names. */
export const KINDS = ["pdf", "docx", "csv", "xml", "html", "jpeg", "png"] as const;
export type Kind = typeof KINDS[number];

type Make = (random: Random) => Promise<Uint8Array>;

/** Most documents are short and few are long: a random number to this power says how long. */
const SKEW = 4;

/** A length, seldom near the most. */
function skewed(random: Random, least: number, most: number): number {
  return least + Math.floor(random.next() ** SKEW * (most - least + 1));
}

/** A date that does not depend on the clock. */
const CREATED = new Date(Date.UTC(2024, 0, 1));

function makePdf(random: Random): Promise<Uint8Array> {
  const document = new PDFDocument({
    size: "A4",
    info: { Title: title(random), CreationDate: CREATED, ModDate: CREATED },
  });
  const whole = buffer(document);
  for (let chapter = skewed(random, 1, 6); chapter > 0; chapter--) {
    document.fontSize(18).text(title(random)).moveDown();
    document.fontSize(11);
    for (const text of paragraphs(random, 2, 5)) {
      document.text(text, { align: "justify" }).moveDown(0.5);
    }
    if (chapter > 1) document.addPage();
  }
  document.end();
  return whole;
}

function wordTable(random: Random): Table {
  const columns = random.between(3, 5);
  const row = (): TableRow =>
    new TableRow({
      children: Array.from(
        { length: columns },
        () => new TableCell({ children: [new Paragraph(phrase(random, 2))] }),
      ),
    });
  return new Table({ rows: Array.from({ length: random.between(2, 5) }, row) });
}

async function makeDocx(random: Random): Promise<Uint8Array> {
  const children: (Paragraph | Table)[] = [];
  for (let chapter = skewed(random, 1, 6); chapter > 0; chapter--) {
    children.push(new Paragraph({ text: title(random), heading: HeadingLevel.HEADING_1 }));
    for (const text of paragraphs(random, 2, 5)) children.push(new Paragraph(text));
    children.push(wordTable(random));
  }
  return await Packer.toBuffer(new Document({ title: title(random), sections: [{ children }] }));
}

function makeCsv(random: Random): Promise<Uint8Array> {
  const rows = Array.from({ length: skewed(random, 60, 1500) }, (_, index) => ({
    id: index + 1,
    name: title(random),
    city: word(random),
    quantity: random.between(1, 500),
    price: (random.next() * 1000).toFixed(2),
    active: random.next() < 0.5,
    // Commas, quotes and line ends make fields that must be quoted.
    remark: random.next() < 0.2 ? `"${word(random)}",\n${phrase(random, 4)}` : sentence(random),
  }));
  return Promise.resolve(Buffer.from(Papa.unparse(rows)));
}

function makeXml(random: Random): Promise<Uint8Array> {
  const record = (_: unknown, index: number) => ({
    "@_id": index + 1,
    "@_language": random.pick(["de", "en", "fr", "pl"]),
    title: title(random),
    author: Array.from({ length: random.between(1, 3) }, () => phrase(random, 2)),
    price: { "@_currency": random.pick(["EUR", "USD"]), "#text": random.between(5, 90) },
    abstract: `${sentence(random)} <${word(random)} & ${word(random)}> ${sentence(random)}`,
  });
  const builder = new XMLBuilder({ ignoreAttributes: false, format: true });
  const records = Array.from({ length: skewed(random, 20, 400) }, record);
  const text = builder.build({
    "?xml": { "@_version": "1.0", "@_encoding": "UTF-8" },
    catalogue: { record: records },
  });
  return Promise.resolve(Buffer.from(text));
}

function makeHtml(random: Random): Promise<Uint8Array> {
  const item = (): string =>
    `<li class="${word(random)}"><a href="/${word(random)}">` +
    `${phrase(random, 3)}</a></li>`;
  const items = (least: number, most: number): string =>
    Array.from({ length: random.between(least, most) }, item).join("\n");
  const section = (): string =>
    `<section id="${word(random)}"><h2>${title(random)}</h2>\n` +
    paragraphs(random, 2, 6).map((text) => `<p>${text} <em>${word(random)}</em></p>`).join("\n") +
    `<ul>${items(3, 9)}</ul></section>`;
  const sections = Array.from({ length: skewed(random, 2, 25) }, section).join("\n");
  const html = `<!DOCTYPE html><html lang="en"><head><title>${title(random)}</title>` +
    `<style>.${word(random)} { margin: 0 }</style></head><body><nav><ul>${
      items(8, 20)
    }</ul></nav>` +
    `<main><h1>${title(random)}</h1>${sections}</main>` +
    `<script>window.state = "${paragraph(random)}";</script></body></html>`;
  return Promise.resolve(Buffer.from(html));
}

const CHANNELS = 3;
/** Pixels are drawn at a quarter of the size and enlarged: noise would compress like no picture. */
const ENLARGED = 4;
const GRAIN = 12;

function picture(random: Random): Sharp {
  const [width, height] = [skewed(random, 80, 400), skewed(random, 60, 300)];
  const pixels = new Uint8Array(width * height * CHANNELS);
  for (let i = 0; i < pixels.length; i++) {
    // A gradient with a little grain.
    pixels[i] = i / pixels.length * 200 + random.between(0, GRAIN);
  }
  return sharp(pixels, { raw: { width, height, channels: CHANNELS } })
    .resize(width * ENLARGED, height * ENLARGED);
}

/** How a document of each kind is made. */
export const MAKERS: Readonly<Record<Kind, Make>> = {
  pdf: makePdf,
  docx: makeDocx,
  csv: makeCsv,
  xml: makeXml,
  html: makeHtml,
  jpeg: (random) => picture(random).jpeg({ quality: 82 }).toBuffer(),
  png: (random) => picture(random).png({ compressionLevel: 4 }).toBuffer(),
};
