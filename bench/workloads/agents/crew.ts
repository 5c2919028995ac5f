/**
 * The crew of agents: a planner, workers with tools, a memory, a reviewer; and one run of it.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { sentence } from "../support/prose.ts";
import type { Random } from "../support/random.ts";
import { type Due, type Graph, runGraph } from "./graph.ts";
import { DIMENSIONS, embed, Knowledge } from "./knowledge.ts";
import type { Material } from "./material.ts";
import type { Scratch } from "./memory.ts";
import type { Answer, ToolCall } from "./model.ts";
import type { Message, ModelRequest, ToolArguments, ToolName } from "./protocol.ts";
import { callTool, type Workplace } from "./tools.ts";

/** Texts that a run is given. */
const ATTACHED = 5;
/** How often a worker asks for tools before it has its result: in turn, by its index. */
const TURNS = [2, 3, 1] as const;
/** How often a plan is made before its result is taken as it is. */
const ROUNDS = 2;
/** Summaries that the reviewer is shown. */
const RECALLED = 3;
const WORKER_TOOLS: readonly ToolName[] = ["calculate", "retrieve", "rewrite"];

/** A worker: its conversation, and what its tools work on. */
interface Worker extends Workplace {
  readonly messages: Message[];
  calls: readonly ToolCall[];
  turns: number;
}

/** The state of a run. */
interface Run {
  readonly ask: (asked: ModelRequest) => Promise<Answer>;
  readonly random: Random;
  readonly scratch: Scratch;
  readonly material: Material;
  readonly attached: Knowledge;
  readonly summaries: Knowledge;
  readonly conversation: Message[];
  readonly hash: Hash;
  workers: Worker[];
  rounds: number;
}

const user = (content: string): Message => ({ role: "user", content });

/** The call of the one tool that the model was offered. */
function onlyCall<N extends ToolName>({ calls }: Answer, name: N): ToolArguments<N> {
  const [call] = calls;
  if (call?.name !== name) throw new Error(`Cannot go on: the model did not call "${name}"`);
  return call.arguments as ToolArguments<N>;
}

async function plan(run: Run): Promise<Due[]> {
  const { scratch, material, attached, random } = run;
  const answer = await run.ask({ messages: run.conversation, tools: ["plan"] });
  run.conversation.push({ role: "assistant", content: answer.text });
  run.rounds++;
  run.workers = onlyCall(answer, "plan").tasks.map(({ title, question }, index) => ({
    scratch,
    knowledge: [material.shared, attached],
    document: scratch.bytes(random.pick(material.documents)),
    messages: [{ role: "system", content: title }, user(question)],
    calls: [],
    turns: TURNS[index % TURNS.length] as number,
  }));
  return run.workers.map((_, index) => ({ node: "worker", index }));
}

async function work({ workers, ask }: Run, index: number): Promise<Due[]> {
  const worker = workers[index] as Worker;
  const tools = worker.turns-- > 0 ? WORKER_TOOLS : [];
  const { text, calls } = await ask({ messages: worker.messages, tools });
  worker.messages.push({ role: "assistant", content: text });
  worker.calls = calls;
  return [{ node: calls.length === 0 ? "memory" : "tools", index }];
}

function useTools({ workers }: Run, index: number): Promise<Due[]> {
  const worker = workers[index] as Worker;
  for (const call of worker.calls) {
    const content = JSON.stringify({ tool: call.name, result: callTool(worker, call) });
    worker.messages.push({ role: "tool", content });
  }
  return Promise.resolve([{ node: "worker", index }]);
}

/** Sums up what each worker has done; the conversations themselves are forgotten. */
async function remember(run: Run): Promise<Due[]> {
  const { workers, scratch, summaries, hash, ask } = run;
  const texts = await Promise.all(
    workers.map(async ({ messages }) => {
      const { text } = await ask({ messages: [...messages, user("Sum it up.")], tools: [] });
      return text;
    }),
  );
  for (const text of texts) {
    summaries.add(text, scratch.bytes(text), scratch.floats(DIMENSIONS));
    hash.update(text);
  }
  for (const { messages, document } of workers) {
    hash.update(JSON.stringify(messages)).update(document);
  }
  run.workers = [];
  return [{ node: "reviewer", index: 0 }];
}

async function review(run: Run): Promise<Due[]> {
  const { conversation, summaries, scratch, hash } = run;
  const question = embed(conversation[0]?.content ?? "", scratch.floats(DIMENSIONS));
  for (const { text } of summaries.search(question, RECALLED)) conversation.push(user(text));
  const answer = await run.ask({ messages: conversation, tools: ["review"] });
  const { accepted, remark } = onlyCall(answer, "review");
  hash.update(remark);
  if (accepted || run.rounds === ROUNDS) return [];
  conversation.push({ role: "assistant", content: answer.text }, user(remark));
  return [{ node: "planner", index: 0 }];
}

const CREW: Graph<Run> = {
  planner: { run: plan },
  worker: { run: work },
  tools: { run: useTools },
  memory: { run: remember, joins: true },
  reviewer: { run: review },
};

/** What came of a run. */
export interface RunResult {
  /** How many times a node ran. */
  readonly steps: number;
  readonly digest: string;
}

/** Runs the crew once. The scratch memory may be freed afterwards. */
export async function runCrew(
  ask: Run["ask"],
  random: Random,
  scratch: Scratch,
  material: Material,
): Promise<RunResult> {
  const attached = new Knowledge();
  for (let left = ATTACHED; left > 0; left--) {
    for (const text of random.pick(material.attachments)) {
      attached.add(text, scratch.bytes(text), scratch.floats(DIMENSIONS));
    }
  }
  const run: Run = {
    ask,
    random,
    scratch,
    material,
    attached,
    summaries: new Knowledge(),
    conversation: [user(sentence(random))],
    hash: createHash("sha256"),
    workers: [],
    rounds: 0,
  };
  const steps = await runGraph(CREW, "planner", run);
  return { steps, digest: run.hash.digest("hex") };
}
