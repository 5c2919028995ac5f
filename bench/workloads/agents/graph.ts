/**
 * A graph of agents, run step by step: what is due runs at the same time, and says what is due next.
 *
 * @module
 */

/** A node that is due, with what it is given. */
export interface Due {
  readonly node: string;
  /** Which one of several, for a node that runs several times at once. */
  readonly index: number;
}

/** One node of a graph over a state. */
export interface Node<S> {
  /** Does the node's work and says what is due after it. */
  readonly run: (state: S, index: number) => Promise<readonly Due[]>;
  /** Whether it waits until nothing else is due, and then runs once for all that wanted it. */
  readonly joins?: boolean;
}

/** Nodes by name. */
export type Graph<S> = Readonly<Record<string, Node<S>>>;

/** More than any run takes: a graph that never ends is a fault. */
const MAX_ROUNDS = 100;

/**
 * Runs a graph from a node on.
 *
 * @returns How many times a node ran.
 * @throws {Error} when a node that is due does not exist, or the graph does not end.
 */
export async function runGraph<S>(graph: Graph<S>, start: string, state: S): Promise<number> {
  let due: readonly Due[] = [{ node: start, index: 0 }];
  let steps = 0;
  for (let round = 0; due.length > 0; round++) {
    if (round === MAX_ROUNDS) throw new Error("Cannot run the graph: it does not end");
    const [now, later] = choose(graph, due);
    const next = await Promise.all(
      now.map(({ node, index }) => nodeOf(graph, node).run(state, index)),
    );
    steps += now.length;
    due = [...later, ...next.flat()];
  }
  return steps;
}

function nodeOf<S>(graph: Graph<S>, name: string): Node<S> {
  const node = graph[name];
  if (node === undefined) throw new Error(`Cannot run the graph: there is no node "${name}"`);
  return node;
}

/** What runs now, and what waits. */
function choose<S>(graph: Graph<S>, due: readonly Due[]): [readonly Due[], readonly Due[]] {
  const joins = ({ node }: Due): boolean => nodeOf(graph, node).joins === true;
  const direct = due.filter((each) => !joins(each));
  if (direct.length > 0) return [direct, due.filter(joins)];
  const names = [...new Set(due.map(({ node }) => node))];
  return [names.map((node) => ({ node, index: 0 })), []];
}
