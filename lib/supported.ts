/**
 * Refuses a Node that is too old, before any other module of offheap is evaluated: the first one
 * that `mod.ts` imports. It looks at a number, and at nothing else.
 *
 * @module
 */
import { nodeRefusal } from "../ffi/node-floor.ts";

const refusal = nodeRefusal("load offheap");
if (refusal !== null) throw refusal;
