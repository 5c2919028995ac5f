/**
 * Stacks of JavaScript as text.
 *
 * @module
 */

/** A function or a constructor. */
export type Callee = ((...args: never[]) => unknown) | (abstract new (...args: never[]) => unknown);

/**
 * The callers of a function, a line each; empty when it is not on the stack; without one all frames. As
 * text at once: V8 keeps the objects of all frames alive for as long as it has not made one.
 */
export function captureStack(frames: number, below?: Callee): string {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const holder: { stack?: string } = {};
  try {
    Error.stackTraceLimit = frames;
    // A program's own may give anything, or throw.
    Reflect.deleteProperty(Error, "prepareStackTrace");
    Error.captureStackTrace(holder, below);
    return framesOf(holder.stack ?? "");
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    if (prepareStackTrace !== undefined) Error.prepareStackTrace = prepareStackTrace;
  }
}

function framesOf(stack: string): string {
  return stack.split("\n").filter((line) => /^\s*at /.test(line)).map((line) => line.trim()).join(
    "\n",
  );
}
