/**
 * Readers of documents: the text of each kind, and small pictures of a picture.
 *
 * @module
 */
import "./prototype.ts";
import { load } from "cheerio";
import { XMLParser } from "fast-xml-parser";
import mammoth from "mammoth";
import Papa from "papaparse";
import sharp from "sharp";
import { extractText, getDocumentProxy } from "unpdf";
import type { Kind } from "./make.ts";

/** What is in a document. */
export interface Content {
  readonly text: string;
  /** Small pictures, as encoded bytes. */
  readonly pictures: readonly Buffer[];
}

type Read = (bytes: Buffer) => Promise<Content>;

// Where musl or a preloaded jemalloc is found, sharp would use a thread a core, and else one: the
// same for all, or the number of threads would be measured and not the allocator.
sharp.concurrency(1);

const textual = (text: string): Content => ({ text, pictures: [] });

async function readPdf(bytes: Buffer): Promise<Content> {
  // The library takes its bytes away, and refuses a Buffer.
  const document = await getDocumentProxy(new Uint8Array(bytes));
  try {
    const { text } = await extractText(document, { mergePages: true });
    return textual(text);
  } finally {
    await document.loadingTask.destroy();
  }
}

async function readDocx(bytes: Buffer): Promise<Content> {
  const { value, messages } = await mammoth.convertToHtml({ buffer: bytes });
  const fault = messages.find(({ type }) => type === "error");
  if (fault !== undefined) throw new Error(`Cannot read a DOCX: ${fault.message}`);
  return textual(htmlText(value));
}

function readCsv(bytes: Buffer): Promise<Content> {
  const { data, errors } = Papa.parse<Record<string, unknown>>(bytes.toString(), {
    header: true,
    dynamicTyping: true,
  });
  const fault = errors[0];
  if (fault !== undefined) throw new Error(`Cannot read a CSV: ${fault.message}`);
  const line = (row: Record<string, unknown>): string =>
    Object.entries(row).map(([name, value]) => `${name}: ${value}`).join("; ");
  return Promise.resolve(textual(data.map(line).join("\n")));
}

const parser = new XMLParser({ ignoreAttributes: false });

/** The leaves of a parsed tree, depth first. */
function leaves(node: unknown, into: string[]): string[] {
  if (typeof node !== "object" || node === null) into.push(String(node));
  else for (const child of Object.values(node)) leaves(child, into);
  return into;
}

function readXml(bytes: Buffer): Promise<Content> {
  return Promise.resolve(textual(leaves(parser.parse(bytes.toString(), true), []).join("\n")));
}

function htmlText(html: string): string {
  const $ = load(html);
  $("script, style, nav").remove();
  return $("h1, h2, p, li, td").map((_, each) => $(each).text()).get().join("\n");
}

const WIDTHS = { large: 640, small: 160 } as const;

/** Pictures of two sizes, in two formats, and what a search would find the picture by. */
async function readPicture(bytes: Buffer): Promise<Content> {
  const { format, width, height, channels, space } = await sharp(bytes).metadata();
  const pictures = await Promise.all([
    sharp(bytes).resize(WIDTHS.large).jpeg({ quality: 75 }).toBuffer(),
    sharp(bytes).resize(WIDTHS.small).webp({ quality: 70, effort: 2 }).toBuffer(),
  ]);
  return { text: JSON.stringify({ format, width, height, channels, space }), pictures };
}

/** The decoded size of a picture, in bytes. Encoded bytes would differ between processors. */
export async function decodedSize(bytes: Buffer): Promise<number> {
  const { info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  return info.width * info.height * info.channels;
}

/** How a document of each kind is read. */
export const READERS: Readonly<Record<Kind, Read>> = {
  pdf: readPdf,
  docx: readDocx,
  csv: readCsv,
  xml: readXml,
  html: (bytes) => Promise.resolve(textual(htmlText(bytes.toString()))),
  jpeg: readPicture,
  png: readPicture,
};
