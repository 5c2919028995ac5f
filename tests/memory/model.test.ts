/*
 * Random programs over all of the interface, beside a model of what they must find: that no two
 * pieces of memory overlap, that each keeps its bytes and its alignment, that views end with it,
 * and that all is counted. Programs come from fast-check, which makes a failing one small.
 *
 * OFFHEAP_MODEL_OPERATIONS=5000000 npm test -- memory-model --runtime bun --timeout 7200
 *   does so many operations against each library, not the usual number.
 * OFFHEAP_MODEL_SEED=1234 npm test -- memory-model
 *   begins with that seed. Each seed is printed before its programs are run, for crashes; the next
 *   one is a number higher.
 * OFFHEAP_MODEL_SEED=1234:5:0:1 npm test -- memory-model
 *   runs the one program that a failure names. It may take what programs before it have left in
 *   memory; then the seed alone sees it again.
 * OFFHEAP_MODEL_TRACE=1
 *   prints each operation before it is done: the last one is what crashed.
 */
import { test } from "node:test";
import { effort, inTurn } from "../support/effort.ts";
import {
  modelLimit,
  requireCoverage,
  runModel,
  wantedOperations,
} from "../support/memory-model/run.ts";

for (const allocator of inTurn("jemalloc", "mimalloc")) {
  test(`${allocator}: random programs find memory as the model has it`, modelLimit(), async () => {
    const wanted = wantedOperations(effort(5_000, 120_000));
    requireCoverage(await runModel(`release ${allocator}`, { allocator }, wanted), wanted);
  });
}
