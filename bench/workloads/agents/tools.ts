/**
 * The tools that workers call.
 *
 * @module
 */
import type { ToolCall } from "./model.ts";
import { DIMENSIONS, embed, type Knowledge } from "./knowledge.ts";
import type { Scratch } from "./memory.ts";
import type { Expression, Operand } from "./protocol.ts";

/** What a worker's tools work on. */
export interface Workplace {
  readonly scratch: Scratch;
  /** What is searched: what all runs share, and what only this run has. */
  readonly knowledge: readonly Knowledge[];
  /** A JSON document of the worker's own, as UTF-8. */
  document: Uint8Array;
}

const OPERATIONS: Readonly<
  Record<Expression["operation"], (left: number, right: number) => number>
> = {
  add: (left, right) => left + right,
  subtract: (left, right) => left - right,
  multiply: (left, right) => left * right,
  divide: (left, right) => left / right,
};

function valueOf(operand: Operand): number {
  if (typeof operand === "number") return operand;
  return OPERATIONS[operand.operation](valueOf(operand.left), valueOf(operand.right));
}

function calculate(expression: Expression): unknown {
  const value = valueOf(expression);
  // A model gets its mistakes as an answer, and goes on.
  return Number.isFinite(value) ? { value } : { error: "The value is not a finite number." };
}

/** The most alike of all that is known. */
function retrieve({ scratch, knowledge }: Workplace, query: string, count: number): unknown {
  const question = embed(query, scratch.floats(DIMENSIONS));
  return knowledge.flatMap((each) => each.search(question, count))
    .sort((left, right) => right.likeness - left.likeness)
    .slice(0, count);
}

/** A record of a JSON document. */
export interface StockRecord {
  readonly id: number;
  readonly name: string;
  readonly price: number;
  readonly labels: readonly string[];
  readonly places: readonly { readonly city: string; readonly quantity: number }[];
  readonly remark: string;
}

const decoder = new TextDecoder();
/** Records that the model is shown of a document. */
const SHOWN = 3;

/** Labels the records above a price, sorts them to the front, and puts the document back. */
function rewrite(workplace: Workplace, minimum: number, label: string): unknown {
  const records = JSON.parse(decoder.decode(workplace.document)) as StockRecord[];
  const changed = records.map((each) =>
    each.price > minimum ? { ...each, labels: [...each.labels, label] } : each
  ).sort((left, right) => right.price - left.price || left.id - right.id);
  workplace.document = workplace.scratch.bytes(JSON.stringify(changed));
  const labelled = changed.filter(({ labels }) => labels.includes(label)).length;
  return { labelled, size: workplace.document.length, first: changed.slice(0, SHOWN) };
}

/**
 * Calls a tool.
 *
 * @throws {Error} for one that is no worker's.
 */
export function callTool(workplace: Workplace, call: ToolCall): unknown {
  switch (call.name) {
    case "calculate":
      return calculate(call.arguments.expression);
    case "retrieve":
      return retrieve(workplace, call.arguments.query, call.arguments.count);
    case "rewrite":
      return rewrite(workplace, call.arguments.minimum, call.arguments.label);
    default:
      throw new Error(`Cannot call a tool: "${call.name}" is no worker's`);
  }
}
