/**
 * What Linux reports about a running process: the files of `/proc/PID`, and its memory.
 *
 * @module
 */
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { isPermissionRefusal, permissionError } from "../../../ffi/errors.ts";
import { DoctorError } from "../../errors.ts";
import { errorCode } from "../../system/files.ts";
import { type MemoryFile, openMemoryFile } from "../../system/linux-memory.ts";

/** The files of `/proc/PID` that are read. */
export type ProcessFile = "auxv" | "cmdline" | "environ" | "maps" | "stat" | "status";

/** The memory of a process. */
export interface OpenedMemory {
  /**
   * The bytes at an address.
   *
   * @throws {RangeError} when not all of them can be read.
   */
  read(address: number, length: number): Uint8Array;
  /** The 64-bit number at an address; above 2^53 it is no address, and comes out inexact. */
  word(address: number): number;
  /** Ends the use of the memory. */
  close(): void;
}

/** A running process, as a source of facts. */
export interface ProcessSource {
  /** Its process ID. */
  readonly pid: number;
  /** Its directory: `/proc/PID`. */
  readonly directory: string;
  /**
   * The contents of one of its files.
   *
   * @throws {DoctorError} when the process is gone, or this user may not read it.
   */
  read(name: ProcessFile): Uint8Array;
  /** The path of its program; `null` for a thread of the kernel. */
  executable(): string | null;
  /** The processes that it started; empty where the kernel does not say. */
  children(): readonly number[];
  /**
   * Opens its memory for reading.
   *
   * @throws {DoctorError} when this user may not read it.
   */
  openMemory(): OpenedMemory;
}

const DECODER = new TextDecoder();

const GONE: readonly string[] = ["ENOENT", "ESRCH"];
const REFUSED: readonly string[] = ["EACCES", "EPERM"];

/** Looks at a process of this system; nothing is read yet. */
export function openProcess(pid: number): ProcessSource {
  const directory = `/proc/${pid}`;
  return {
    pid,
    directory,
    read: (name) =>
      attempt(pid, `${directory}/${name}`, () => readFileSync(`${directory}/${name}`)),
    executable() {
      try {
        return readlinkSync(`${directory}/exe`).replace(/ \(deleted\)$/, "");
      } catch (error) {
        if (errorCode(error) === "ENOENT") return null;
        throw translate(pid, `${directory}/exe`, error);
      }
    },
    children() {
      try {
        const text = readFileSync(`${directory}/task/${pid}/children`, "utf8");
        return text.split(" ").filter((part) => part !== "").map(Number);
      } catch (error) {
        // A kernel without CONFIG_PROC_CHILDREN has no such file.
        if (errorCode(error) === "ENOENT") return [];
        throw translate(pid, `${directory}/task/${pid}/children`, error);
      }
    },
    openMemory: () => openMemory(pid, `${directory}/mem`),
  };
}

/** The text of such a file. */
export function readText(source: ProcessSource, name: ProcessFile): string {
  return DECODER.decode(source.read(name));
}

/** The NUL-terminated strings of such a file. */
export function readStrings(source: ProcessSource, name: "cmdline" | "environ"): string[] {
  const text = readText(source, name);
  return text === "" ? [] : text.replace(/\0+$/, "").split("\0");
}

/** Why the memory of processes may not be read, and what to do. */
function memoryRefusal(pid: number): DoctorError {
  return new DoctorError(
    `Cannot read the memory of process ${pid}: this user may not trace it. Run offheap as root, ` +
      "or as the process's user with kernel.yama.ptrace_scope=0; in a container, grant SYS_PTRACE.",
  );
}

function openMemory(pid: number, path: string): OpenedMemory {
  let file: MemoryFile;
  try {
    file = openMemoryFile(path);
  } catch (error) {
    throw REFUSED.includes(errorCode(error)) && !isPermissionRefusal(error)
      ? memoryRefusal(pid)
      : translate(pid, path, error);
  }
  function read(address: number, length: number): Uint8Array {
    let bytes: Uint8Array | null;
    try {
      bytes = file.read(address, length);
    } catch (error) {
      // The process may have ended meanwhile.
      throw new RangeError(unreadable(pid, address, length), { cause: error });
    }
    if (bytes === null) throw new RangeError(unreadable(pid, address, length));
    return bytes;
  }
  return {
    read,
    word: (address) => Number(new DataView(read(address, 8).buffer).getBigUint64(0, true)),
    close: () => file.close(),
  };
}

function unreadable(pid: number, address: number, length: number): string {
  return `the ${length} bytes at 0x${address.toString(16)} of process ${pid} cannot be read`;
}

/**
 * Reads something of a process.
 *
 * @throws {DoctorError} when the process is gone, or this user may not read it.
 */
export function attempt<R>(pid: number, path: string, action: () => R): R {
  try {
    return action();
  } catch (error) {
    throw translate(pid, path, error);
  }
}

/** What is said where there is no `/proc`. */
export const NO_PROC = "there is no /proc here. Mount it (mount -t proc proc /proc)";

/** Why `/proc` shows nothing of a process, as a clause, with what to do. */
export function whyUnseen(pid: number): string {
  if (!existsSync("/proc/self")) return NO_PROC;
  return isHidden(pid)
    ? "/proc hides it from this user (hidepid). Run offheap as the user who runs it, or as root"
    : "there is no such process, or it has ended. " +
      "Give the process ID of a running one, as ps shows it";
}

/** Whether a process is there, and `/proc` does not have it. */
function isHidden(pid: number): boolean {
  if (existsSync(`/proc/${pid}`)) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return errorCode(error) === "EPERM" && !isPermissionRefusal(error);
  }
}

/** Turns an error of the file system into a sentence about the process. */
function translate(pid: number, path: string, error: unknown): unknown {
  if (isPermissionRefusal(error)) {
    return permissionError(`read "${path}"`, "--allow-read", error);
  }
  const code = errorCode(error);
  if (GONE.includes(code)) {
    return new DoctorError(`Cannot examine process ${pid}: ${whyUnseen(pid)}.`, { cause: error });
  }
  if (REFUSED.includes(code)) {
    return new DoctorError(
      `Cannot examine process ${pid}: this user may not read "${path}". ` +
        "Run offheap as the user who runs the process, or as root; a container needs SYS_PTRACE.",
      { cause: error },
    );
  }
  return error;
}

/** Whether an error says that this user may not look at the process, and not that it has ended. */
export function isRefused(error: DoctorError): boolean {
  return REFUSED.includes(errorCode(error.cause));
}
