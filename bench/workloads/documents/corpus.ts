/**
 * The corpus: files that a seed and a scale determine, made once and read by every process, so
 * that the memory of making them is in none that is measured.
 *
 * @module
 */
import { fork } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "../../../tools/paths.ts";
import { type Random, seeded } from "../support/random.ts";
import { type Kind, KINDS, MAKERS } from "./make.ts";

/** One file of the corpus. */
export interface CorpusFile {
  readonly path: string;
  readonly kind: Kind;
}

/** Of a hundred documents, how many are of a kind. */
const SHARES: Readonly<Record<Kind, number>> = {
  pdf: 24,
  docx: 10,
  csv: 15,
  xml: 15,
  html: 26,
  jpeg: 6,
  png: 4,
};
const WHOLE = 100;

const CORPORA = join(ROOT, "build", "bench", "corpus");
/** A corpus that other makers or other libraries have made is another corpus. */
const MADE_BY = [
  ...["corpus.ts", "make.ts", "../support/prose.ts"].map((name) =>
    fileURLToPath(new URL(name, import.meta.url))
  ),
  join(ROOT, "package-lock.json"),
];
const MAKER = fileURLToPath(new URL("make-corpus.ts", import.meta.url));

/** The kinds of so many documents: each comes about as often as its share says. */
function kindsOf(count: number, random: Random): Kind[] {
  const bag = KINDS.flatMap((kind) => new Array<Kind>(SHARES[kind]).fill(kind));
  // Each kind once, so that a small corpus has all of them.
  const first = KINDS.slice(0, count);
  return [...first, ...Array.from({ length: count - first.length }, () => random.pick(bag))];
}

/** Where the corpus of a seed and a number of documents is, or will be. */
function corpusDirectory(seed: number, count: number): string {
  const hash = createHash("sha256");
  for (const path of MADE_BY) hash.update(readFileSync(path));
  return join(CORPORA, `documents-${seed}-${count}-${hash.digest("hex").slice(0, 12)}`);
}

/** Makes a corpus in this process. Another process may do the same: the first one's stays. */
export async function makeCorpus(seed: number, count: number): Promise<void> {
  const directory = corpusDirectory(seed, count);
  const unfinished = `${directory}.${randomUUID()}`;
  await mkdir(unfinished, { recursive: true });
  try {
    for (const [index, kind] of kindsOf(count, seeded(seed)).entries()) {
      const bytes = await MAKERS[kind](seeded(seed + (index + 1) * WHOLE));
      await writeFile(join(unfinished, `${String(index).padStart(5, "0")}.${kind}`), bytes);
    }
    await rename(unfinished, directory);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
}

/**
 * The corpus of a seed and a number of documents; a child process makes it when it is missing.
 *
 * @throws {Error} when that process fails; it says why on stderr.
 */
export async function ensureCorpus(seed: number, count: number): Promise<CorpusFile[]> {
  const directory = corpusDirectory(seed, count);
  if (!existsSync(directory)) {
    const child = fork(MAKER, [String(seed), String(count)]);
    const [code, signal] = await once(child, "exit");
    if (code !== 0) throw new Error(`Cannot make the corpus: it ended with ${signal ?? code}`);
  }
  const names = (await readdir(directory)).sort();
  return names.map((name) => ({
    path: join(directory, name),
    kind: extname(name).slice(1) as Kind,
  }));
}
