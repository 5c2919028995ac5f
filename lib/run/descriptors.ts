/**
 * Distinguishes the descriptors that came in from those that the runtime has opened since. Linux.
 *
 * A descriptor that came in was not marked close-on-exec: it would not have come. So one that is not
 * marked now is not the runtime's, and of those that are, the runtime has marked some that came in
 * and opened the others.
 *
 * @module
 */
import type { StartChanges } from "../../ffi/types.ts";

/** One of a process's descriptors. */
export interface Descriptor {
  /** The descriptor itself. */
  readonly number: number;
  /** What it leads to, as `/proc/PID/fd` has it: a path, or such as `pipe:[4242]`. */
  readonly link: string;
  /** The text of `/proc/PID/fdinfo`. */
  readonly info: string;
}

/** What else is known, asked only where a descriptor itself does not show it. */
export interface DescriptorHistory {
  /** The parent's descriptor of a number; `null` when it has none, or that cannot be seen. */
  readonly ofParent: (number: number) => Descriptor | null;
  /** Whether it was made before the runtime started. */
  readonly isOlder: (number: number) => boolean;
}

const CLOSE_ON_EXEC = 0o2000000;

/** Where the runtimes that look for a gap begin to. */
const FIRST_GAP = 16;

/**
 * What every event loop has, and by what two descriptors are known to be one thing; `null` where
 * nothing shows it.
 */
const LOOP_KINDS: Readonly<Record<string, RegExp | null>> = {
  "anon_inode:[eventpoll]": null,
  "anon_inode:[io_uring]": null,
  "anon_inode:[eventfd]": /^eventfd-id:.*$/m,
};

/**
 * Whether it leads to one of Bun's caches: that of what it has transpiled, which its threads write
 * meanwhile, or those that the environment names.
 */
export function isOfCache({ link }: Descriptor, named: readonly string[]): boolean {
  const path = `${link}/`;
  return path.includes("/@t@/") || named.some((beginning) => path.startsWith(beginning));
}

function flagsOf({ info }: Descriptor): number {
  return Number.parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? "0", 8);
}

/** Whether `execve` closes it. */
export function isMarked(descriptor: Descriptor): boolean {
  return (flagsOf(descriptor) & CLOSE_ON_EXEC) !== 0;
}

/** The flags of the open file, `O_NONBLOCK` among them. */
export function fileFlags(descriptor: Descriptor): number {
  return flagsOf(descriptor) & ~CLOSE_ON_EXEC;
}

function isLoops(descriptor: Descriptor, { ofParent }: DescriptorHistory): boolean {
  const identity = LOOP_KINDS[descriptor.link];
  if (identity === undefined) return false;
  // That the parent has one of the kind at this number, not marked, shows nothing: Bun's are not
  // marked, and its children get none of them.
  const here = identity?.exec(descriptor.info)?.[0];
  if (here === undefined) return true;
  const parents = ofParent(descriptor.number);
  return parents?.link !== descriptor.link || identity?.exec(parents.info)?.[0] !== here;
}

/** A pipe that leads from the process to itself, as a loop has for signals, and `make` for its jobs. */
function isLoopsPipe(
  { number, link }: Descriptor,
  all: readonly Descriptor[],
  { ofParent, isOlder }: DescriptorHistory,
): boolean {
  if (!link.startsWith("pipe:") || all.filter((one) => one.link === link).length < 2) {
    return false;
  }
  return ofParent(number)?.link !== link && !isOlder(number);
}

/**
 * The numbers of the descriptors that came in and that the runtime has marked since.
 *
 * @param all This process's descriptors, the standard streams left out.
 */
export function markedSinceStart(
  all: readonly Descriptor[],
  marks: StartChanges["marks"],
  history: DescriptorHistory,
): number[] {
  if (marks === "none") return [];
  const marked = all.filter(isMarked);
  const loops = marked.filter((one) =>
    isLoops(one, history) || (marks === "before-gap" && isLoopsPipe(one, marked, history))
  );
  // The lowest free numbers are taken first, and the loops have more than there are below the first
  // gap: theirs begin where that was, and so does all that was opened after them.
  const gap = marks === "before-gap"
    ? Math.min(...loops.map(({ number }) => number).filter((number) => number >= FIRST_GAP))
    : Infinity;
  const own = new Set(loops);
  return marked.filter((one) => !own.has(one) && one.number < gap).map(({ number }) => number);
}
