/**
 * jemalloc's sampling of the heap.
 *
 * @module
 */
import type { SamplingControl, SamplingState } from "../sampling.ts";
import { MallctlNamespace } from "./namespace.ts";

const UNPREPARED = "jemalloc was started without profiling: start the program by " +
  '"offheap run --heap-profiling -- …"';

/** Opens the sampling of the jemalloc in an object. */
export function openJemallocSampling(object: string | null): SamplingControl {
  const namespace = new MallctlNamespace(object);
  const state = (): SamplingState => {
    if (namespace.readIfKnown("opt.prof") !== true) {
      return { refused: UNPREPARED, active: false, interval: null };
    }
    return {
      refused: null,
      active: namespace.read("prof.active"),
      interval: 2 ** namespace.read("prof.lg_sample"),
    };
  };
  return {
    state,
    start(interval) {
      if (interval !== undefined && interval !== state().interval) {
        namespace.write("prof.reset", Math.log2(interval));
      }
      namespace.write("prof.active", true);
    },
    stop: () => namespace.write("prof.active", false),
    dump: (path) => namespace.write("prof.dump", path),
  };
}
