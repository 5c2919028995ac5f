/**
 * Reading the small text files of /proc and /sys.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { isPermissionRefusal } from "../../ffi/errors.ts";
import { OffheapError, PermissionError } from "../errors.ts";

const ABSENT: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR"]);
/** Node's word for its permission model; any other refusal is Deno's. */
const NODE_REFUSAL = "ERR_ACCESS_DENIED";
/** Deno's own message tells the flag: for /proc and /sys that is `--allow-all`. */
const ADVISED_FLAG = /--allow-[a-z-]+/;

/**
 * Reads a text file whole; `null` when there is no such file.
 *
 * @throws {PermissionError} when the runtime's permissions do not allow it.
 * @throws {OffheapError} `ERR_OFFHEAP_SYSTEM_INFO` when the system refuses.
 */
export function readTextIfPresent(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = errorCode(error);
    if (ABSENT.has(code)) return null;
    if (isPermissionRefusal(error)) {
      const flag = code === NODE_REFUSAL
        ? "--allow-fs-read"
        : ADVISED_FLAG.exec(error.message)?.[0] ?? "--allow-read";
      throw new PermissionError(`read "${path}"`, flag, { cause: error });
    }
    throw new OffheapError(
      "ERR_OFFHEAP_SYSTEM_INFO",
      `Cannot read "${path}": ${code || error}. Check that it is a file which this user may read.`,
      { cause: error },
    );
  }
}

/** Makes the error for a system file whose contents are not what the kernel documents. */
export function malformed(path: string, wanted: string, got: string): OffheapError {
  return new OffheapError(
    "ERR_OFFHEAP_SYSTEM_INFO",
    `Cannot understand "${path}": it must hold ${wanted}; got ${JSON.stringify(got.slice(0, 80))}.`,
  );
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}
