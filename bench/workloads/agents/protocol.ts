/**
 * What agents and the model say to each other, in the manner of the services for chat completions.
 *
 * @module
 */
import { z } from "zod";

/** One message of a conversation. */
export interface Message {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string;
}

const Amount = z.number().int().positive();

/** A sum as a tree: what a calculator works out. */
export interface Expression {
  readonly operation: "add" | "subtract" | "multiply" | "divide";
  readonly left: Operand;
  readonly right: Operand;
}
export type Operand = number | Expression;

const Expression: z.ZodType<Expression> = z.object({
  operation: z.enum(["add", "subtract", "multiply", "divide"]),
  get left(): z.ZodType<Operand> {
    return z.union([z.number(), Expression]);
  },
  get right(): z.ZodType<Operand> {
    return z.union([z.number(), Expression]);
  },
});

/** Tools by name, with what their arguments must be. */
export const TOOLS = {
  plan: z.object({ tasks: z.array(z.object({ title: z.string(), question: z.string() })).min(1) }),
  calculate: z.object({ expression: Expression }),
  retrieve: z.object({ query: z.string(), count: Amount }),
  rewrite: z.object({ minimum: z.number(), label: z.string() }),
  review: z.object({ accepted: z.boolean(), remark: z.string() }),
} as const;
export type ToolName = keyof typeof TOOLS;
/** The arguments of a tool. */
export type ToolArguments<N extends ToolName> = z.infer<typeof TOOLS[N]>;

/** What an agent asks of the model. */
export interface ModelRequest {
  readonly messages: readonly Message[];
  /** The tools that the model may call; it calls one or two of them, if there are any. */
  readonly tools: readonly ToolName[];
}

/** One event of an answer, the data of a server-sent event. */
export const Delta = z.union([
  z.object({ content: z.string() }),
  /** Part of a call: its name comes first, then its arguments as JSON in pieces. */
  z.object({ index: z.number(), name: z.string() }),
  z.object({ index: z.number(), arguments: z.string() }),
]);
export type Delta = z.infer<typeof Delta>;

/** The data of the event that ends an answer. */
export const DONE = "[DONE]";
