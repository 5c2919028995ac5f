/**
 * A thread of the workload: it ends by itself when it has reported.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { type Order, sampleCalls } from "./sampling.ts";

const report = await sampleCalls(workerData as Order, () => parentPort?.postMessage("ready"));
parentPort?.postMessage(report);
