/**
 * Keeping Node 26 from crashing when a thread ends. Its optimising compiler makes direct calls of
 * native functions, in the background. When a thread ends meanwhile, what describes the functions
 * is freed before the compiler is done with it, and the whole process dies of a failed check or a
 * segmentation fault (seen in 26.10 with its FFI alone, without offheap).
 *
 * @module
 */
import process from "node:process";
import type { RawFunction } from "./bind-library.ts";

/** Waits for all compilation in the background, and needs V8's own syntax to be allowed. */
const AWAIT_COMPILER = "%FinalizeOptimization()";

function awaitCompiler(): void {
  // Not imported: `offheap run` need not wait for what it does not use.
  const v8 = process.getBuiltinModule("node:v8");
  const vm = process.getBuiltinModule("node:vm");
  v8.setFlagsFromString("--allow-natives-syntax");
  new vm.Script(AWAIT_COMPILER).runInThisContext();
  v8.setFlagsFromString("--no-allow-natives-syntax");
}

let waits = false;

/** For the main thread, whose end is foreseen: it waits for the compiler. */
export function awaitCompilerAtExit(): void {
  if (!waits) process.once("exit", awaitCompiler);
  waits = true;
}

/**
 * All functions of this thread that are called indirectly. The compiler makes direct calls only of
 * a function that it knows for certain: it knows none that is looked up here by its place.
 */
const functions: RawFunction[] = [];

type Invoke = (place: number, ...args: unknown[]) => unknown;

function at(place: number): RawFunction {
  return functions[place] as RawFunction;
}

/** A call for each number of arguments: passing them on as a list would cost more than the call. */
const INVOKE: readonly Invoke[] = [
  (place) => at(place)(),
  (place, a) => at(place)(a),
  (place, a, b) => at(place)(a, b),
  (place, a, b, c) => at(place)(a, b, c),
  (place, a, b, c, d) => at(place)(a, b, c, d),
];

function invokeAny(place: number, ...args: unknown[]): unknown {
  return at(place)(...args);
}

/** For other threads, which may be ended at any moment: the function, called indirectly. */
export function callIndirectly(native: RawFunction, count: number): RawFunction {
  if (functions.length === 0) teachIndirection();
  const place = functions.push(native) - 1;
  const invoke = INVOKE[count] ?? invokeAny;
  switch (count) {
    case 0:
      return () => invoke(place);
    case 1:
      return (a) => invoke(place, a);
    case 2:
      return (a, b) => invoke(place, a, b);
    case 3:
      return (a, b, c) => invoke(place, a, b, c);
    case 4:
      return (a, b, c, d) => invoke(place, a, b, c, d);
    default:
      return (...args) => invoke(place, ...args);
  }
}

/** Calls of different functions at the start, or each place would be taken for one function's. */
function teachIndirection(): void {
  functions.push((a) => a, (_, b) => b, () => null);
  for (const invoke of [...INVOKE, invokeAny]) {
    for (let round = 0; round < 30; round++) invoke(round % 3);
  }
}
