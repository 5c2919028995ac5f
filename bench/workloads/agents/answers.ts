/**
 * What the model answers: random words and calls, from a seed and a digest of the request, so that
 * the same question always has the same answer.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { paragraph, phrase, sentence, title, word } from "../support/prose.ts";
import { type Random, seeded } from "../support/random.ts";
import type { Delta, Expression, ModelRequest, ToolArguments, ToolName } from "./protocol.ts";

const TASKS = { least: 3, most: 5 } as const;
const DEPTH = 4;
const ACCEPTED = 0.75;
const BRANCHING = 0.7;
/** Characters of a piece of a call's arguments. */
const PIECE = 12;
/** Calls in one answer, at most. */
const CALLS = 2;

function expression(random: Random, depth: number): Expression {
  const operand = () =>
    depth > 1 && random.next() < BRANCHING
      ? expression(random, depth - 1)
      : random.between(1, 10_000);
  const operation = random.pick(["add", "subtract", "multiply", "divide"] as const);
  return { operation, left: operand(), right: operand() };
}

const ARGUMENTS: { readonly [N in ToolName]: (random: Random) => ToolArguments<N> } = {
  plan: (random) => ({
    tasks: Array.from(
      { length: random.between(TASKS.least, TASKS.most) },
      () => ({ title: title(random), question: sentence(random) }),
    ),
  }),
  calculate: (random) => ({ expression: expression(random, DEPTH) }),
  retrieve: (random) => ({ query: phrase(random, 8), count: random.between(3, 6) }),
  rewrite: (random) => ({ minimum: random.between(0, 80), label: word(random) }),
  review: (random) => ({ accepted: random.next() < ACCEPTED, remark: sentence(random) }),
};

/** The events of the answer to a request, whose bytes are `body`. */
export function* answer(seed: number, request: ModelRequest, body: string): Generator<Delta> {
  const hash = createHash("sha256").update(String(seed)).update(body).digest();
  const random = seeded(hash.readInt32LE(0));
  for (const token of paragraph(random).split(" ")) yield { content: `${token} ` };
  const { tools } = request;
  if (tools.length === 0) return;
  const calls = tools.length === 1 ? 1 : random.between(1, CALLS);
  for (let index = 0; index < calls; index++) {
    const name = random.pick(tools);
    yield { index, name };
    const text = JSON.stringify(ARGUMENTS[name](random));
    for (let at = 0; at < text.length; at += PIECE) {
      yield { index, arguments: text.slice(at, at + PIECE) };
    }
  }
}
