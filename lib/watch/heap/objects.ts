/**
 * V8's own sampling of objects, by the runtime's inspector: they are in memory that V8 takes from the
 * system itself, so that no other source has them.
 *
 * @module
 */
import type { Session } from "node:inspector";
import process from "node:process";
import { javaScriptFrame } from "./code-names.ts";
import type { HeapFrame, HeapSample } from "./types.ts";

/** Sampling that goes on. */
export interface ObjectSampling {
  /** What is in use. */
  samples(): Promise<HeapSample[]>;
  /** Ends it. */
  stop(): Promise<void>;
}

const NO_INSPECTOR = "this runtime has no sampling of objects that a program can start";

/** Some runtimes answer at once, some later, and some never. */
const LIMIT_MS = 5000;

/** A question of the inspector's protocol. */
function ask<R>(session: Session, method: string, params: object = {}): Promise<R> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`${method} was not answered`)), LIMIT_MS);
    session.post(method, params, (error: Error | null, result: unknown) => {
      clearTimeout(limit);
      if (error === null || error === undefined) resolve(result as R);
      else reject(new Error(error.message, { cause: error }));
    });
  });
}

/**
 * Starts it.
 *
 * @param interval The bytes between two samples, on average.
 * @returns Why not, where the runtime cannot.
 */
export async function sampleObjects(interval: number): Promise<ObjectSampling | string> {
  const inspector = process.getBuiltinModule("node:inspector");
  if (inspector?.Session === undefined) return NO_INSPECTOR;
  const session = new inspector.Session();
  try {
    session.connect();
    await ask(session, "HeapProfiler.startSampling", { samplingInterval: interval });
  } catch (error) {
    return `${NO_INSPECTOR} (${error instanceof Error ? error.message : error})`;
  }
  return {
    async samples() {
      const { profile } = await ask<{ profile: Sampled }>(
        session,
        "HeapProfiler.getSamplingProfile",
      );
      return samplesOf(profile);
    },
    async stop() {
      await ask(session, "HeapProfiler.stopSampling");
      session.disconnect();
    },
  };
}

/** A function in a stack, by the inspector's protocol (`HeapProfiler.SamplingHeapProfileNode`). */
interface Node {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  readonly selfSize: number;
  readonly children: readonly Node[];
}

/** `HeapProfiler.SamplingHeapProfile`. */
interface Sampled {
  readonly head: Node;
  readonly samples: readonly { readonly nodeId: number }[];
}

/** Frames that stand for no function. */
const PLACEHOLDER = /^\((?:root|GC|V8 API|[A-Z_ ]+)\)$/;

function frameOf({ callFrame: { functionName, url, lineNumber, columnNumber } }: Node): HeapFrame {
  const frame = javaScriptFrame(functionName, url, lineNumber + 1, columnNumber + 1);
  return { ...frame, address: 0 };
}

function samplesOf({ head, samples }: Sampled): HeapSample[] {
  const counts = new Map<number, number>();
  for (const { nodeId } of samples) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
  const found: HeapSample[] = [];
  // Deep recursion makes deep trees: they are walked without recursion.
  const waiting: { node: Node; above: readonly HeapFrame[] }[] = [{ node: head, above: [] }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, above } = next;
    const stack = PLACEHOLDER.test(node.callFrame.functionName) ? above : [frameOf(node), ...above];
    if (node.selfSize > 0) {
      found.push({
        source: "javascript",
        stack,
        // V8 scales the bytes of its samples itself, and does not say of how many objects they are.
        inUse: { bytes: node.selfSize, objects: 0 },
        allocated: null,
        sampled: counts.get(node.id) ?? 0,
      });
    }
    for (const child of node.children) waiting.push({ node: child, above: stack });
  }
  return found;
}
