/**
 * The file of a dump: it is where the agent says, and who says it may be anybody. What is read, perhaps by
 * root, and removed has to be a dump of that very process.
 *
 * @module
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../../system/files.ts";

/** A process with a dump. */
export interface DumpingProcess {
  /** Its directory in `/proc`. */
  readonly directory: string;
  /** Its process ID, as its own namespace has it. */
  readonly ownPid: number;
}

/** More than any process's samples have. */
const MAX_BYTES = 512 * 2 ** 20;

/**
 * Reads a dump and removes its file; a string in `refused` says why not.
 *
 * @param dump The path, as the process sees it.
 */
export function takeDumpFile(
  { directory, ownPid }: DumpingProcess,
  dump: string,
): { readonly text: string; readonly file: string } | { readonly refused: string } {
  // `ffi/native/agent/dumps.c` names it, beside the socket.
  const name = new RegExp(`^(?:/[^/\\0]+)*/offheap(?:-\\d+)?/${ownPid}\\.\\d+\\.heap$`);
  if (!name.test(dump) || dump.split("/").some((part) => part === "." || part === "..")) {
    return {
      refused: `its agent names a file that is no dump of its own: ${JSON.stringify(dump)}`,
    };
  }
  const file = join(directory, "root", dump);
  try {
    const text = readOwn(file, statSync(directory).uid);
    if (text === null) return { refused: `the dump "${file}" is not a file of the process's user` };
    rmSync(file, { force: true });
    return { text, file };
  } catch (error) {
    if (errorCode(error) === "") throw error;
    return { refused: `its dump "${file}" cannot be read: ${errorCode(error)}` };
  }
}

/** A file that a user owns alone; `null` for a link, and for what is another's. */
function readOwn(file: string, uid: number): string | null {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const descriptor = openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const status = fstatSync(descriptor);
    const isOwn = status.isFile() && status.uid === uid && status.nlink === 1;
    return isOwn && status.size <= MAX_BYTES ? readFileSync(descriptor, "latin1") : null;
  } finally {
    closeSync(descriptor);
  }
}
