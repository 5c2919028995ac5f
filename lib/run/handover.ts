/**
 * What a command finds of the process that becomes it: descriptors, ignored signals and limits, as
 * they came in. A runtime changes them before any JavaScript runs; what it changed and can still be
 * seen is put back. Linux, by `/proc`; other systems do not report it.
 *
 * @module
 */
import {
  constants as fileConstants,
  fstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
} from "node:fs";
import { constants } from "node:os";
import process from "node:process";
import { isPermissionRefusal, permissionError } from "../../ffi/errors.ts";
import { HANDOVER_SYMBOLS, libcLibrary } from "../../ffi/symbols/libc.ts";
import { ffi } from "../../ffi/mod.ts";
import type { Calls } from "../../ffi/types.ts";
import { LaunchError } from "../errors.ts";
import { startEnvironment } from "../process-start.ts";
import { type Descriptor, fileFlags, isOfCache, markedSinceStart } from "./descriptors.ts";

type LibcCalls = Calls<typeof HANDOVER_SYMBOLS>;

/** After the standard streams, which the shim sees to. */
const FIRST = 3;

/** `fcntl`'s operations, and `setrlimit`'s number for open files. */
const F_SETFD = 2;
const F_SETFL = 4;
const RLIMIT_NOFILE = 7;

const SIG_IGN = 1n;

/** Kernel times of files lag behind the clock by a tick, which is at most 10 ms. */
const CLOCK_LAG_MS = 20;

/**
 * Signals that shells and runtimes ignore for themselves alone, and not for what they start: a parent
 * that ignores them says nothing of its child.
 */
const FOR_THEMSELVES: ReadonlySet<number> = new Set([
  constants.signals.SIGINT,
  constants.signals.SIGQUIT,
  constants.signals.SIGPIPE,
  constants.signals.SIGTERM,
  constants.signals.SIGTSTP,
  constants.signals.SIGTTIN,
  constants.signals.SIGTTOU,
  constants.signals.SIGXFSZ,
]);

/** Reads something of `/proc`; `null` when it is not there, or is not for this user. */
function look<R>(path: string, read: (path: string) => R): R | null {
  try {
    return read(path);
  } catch (error) {
    if (isPermissionRefusal(error)) throw permissionError(`read "${path}"`, "--allow-all", error);
    return null;
  }
}

function readText(path: string): string | null {
  return look(path, (file) => readFileSync(file, "utf8"));
}

function descriptorOf(pid: number | "self", number: number): Descriptor | null {
  const link = look(`/proc/${pid}/fd/${number}`, (path) => readlinkSync(path));
  const info = link === null ? null : readText(`/proc/${pid}/fdinfo/${number}`);
  return link === null || info === null ? null : { number, link, info };
}

/** This process's descriptors; the one by which they are listed is gone by then. */
function ownDescriptors(): Descriptor[] {
  const names = look("/proc/self/fd", (path) => readdirSync(path));
  if (names === null) {
    throw new LaunchError(
      'Cannot hand this process\'s descriptors on to a command: "/proc/self/fd" cannot be read. ' +
        "Mount /proc, and start offheap as a process that may read its own.",
    );
  }
  return names.map(Number).filter((number) => number >= FIRST)
    .flatMap((number) => descriptorOf("self", number) ?? []);
}

/** Leaves out what Bun, as no other runtime, has open of its caches while offheap runs. */
function withoutCaches(all: readonly Descriptor[], version: string): Descriptor[] {
  const { NODE_COMPILE_CACHE, BUN_RUNTIME_TRANSPILER_CACHE_PATH } = startEnvironment().variables;
  const caches = [[NODE_COMPILE_CACHE, `v${version}-`], [BUN_RUNTIME_TRANSPILER_CACHE_PATH, ""]];
  const named = caches.flatMap(([directory = "", beginning]) => {
    const real = directory === "" ? null : look(directory, (path) => realpathSync(path));
    return real === null ? [] : [`${real}/${beginning}`];
  });
  return all.filter((one) => !isOfCache(one, named));
}

/** Every call here answers -1 when it failed. */
function requireDone(answer: number | bigint, what: string): void {
  if (Number(answer) !== -1) return;
  throw new LaunchError(`Cannot hand this process on to a command: ${what} failed.`);
}

function keepOpen(libc: LibcCalls, number: number): void {
  requireDone(libc.fcntl(number, F_SETFD, 0), `keeping descriptor ${number} open`);
}

function handDescriptorsOn(libc: LibcCalls): void {
  const { runtime: { version }, startChanges: { marks } } = ffi();
  if (marks === "none") return;
  // Not `performance.timeOrigin`, for which Node loads a dozen modules.
  const started = Date.now() - 1000 * process.uptime();
  const own = ownDescriptors();
  const all = marks === "all" ? withoutCaches(own, version) : own;
  const numbers = markedSinceStart(all, marks, {
    ofParent: (number) => descriptorOf(process.ppid, number),
    isOlder: (number) => fstatSync(number).ctimeMs < started - CLOCK_LAG_MS,
  });
  for (const number of numbers) keepOpen(libc, number);
}

/** Whether the runtime has read messages from its parent's channel, which wait for a listener. */
function hasReadMessages(): boolean {
  const channel: unknown = Reflect.get(process, "channel");
  if (typeof channel !== "object" || channel === null) return false;
  const key = Object.getOwnPropertySymbols(channel)
    .find(({ description }) => description === "kPendingMessages");
  const waiting: unknown = key === undefined ? undefined : Reflect.get(channel, key);
  return Array.isArray(waiting) && waiting.length > 0;
}

/** The channel of `child_process.fork`: the runtime has opened it for itself. */
function handChannelOn(libc: LibcCalls): void {
  const variable = startEnvironment().variables.NODE_CHANNEL_FD ?? "";
  const channel = /^\d+$/.test(variable) ? descriptorOf("self", Number(variable)) : null;
  if (channel === null) return;
  const { runtime: { name, version }, startChanges } = ffi();
  if (startChanges.readsChannel || hasReadMessages()) {
    throw new LaunchError(
      `Cannot hand the channel of child_process.fork() on to a command: ${name} ${version} reads ` +
        "from it before offheap runs, and what it has read would be lost. Start offheap with Node " +
        "or Bun, and without NODE_OPTIONS that wait; or start it without a channel.",
    );
  }
  keepOpen(libc, channel.number);
  const flags = fileFlags(channel) & ~fileConstants.O_NONBLOCK;
  requireDone(
    libc.fcntl(channel.number, F_SETFL, flags),
    `making descriptor ${channel.number} blocking`,
  );
}

/** The signals that a process ignores, from its `/proc/PID/status`. */
function ignoredSignals(status: string | null): number[] {
  const mask = BigInt(`0x${/^SigIgn:\s*([0-9a-f]+)$/m.exec(status ?? "")?.[1] ?? "0"}`);
  return Object.values(constants.signals).filter((signal) => (mask >> BigInt(signal - 1)) & 1n);
}

/** A signal that the parent ignores was ignored here, too, unless the parent does so for itself. */
function ignoreAgain(libc: LibcCalls): void {
  if (!ffi().startChanges.resetsSignals) return;
  const ignored = new Set(ignoredSignals(readText(`/proc/${process.ppid}/status`)));
  for (const signal of ignored) {
    if (FOR_THEMSELVES.has(signal)) continue;
    requireDone(libc.signal(signal, SIG_IGN), `ignoring signal ${signal}`);
  }
}

/** The soft and the hard limit of open files. */
function openFiles(pid: number | "self"): readonly [bigint, bigint] | null {
  const match = /^Max open files +(\d+) +(\d+) /m.exec(readText(`/proc/${pid}/limits`) ?? "");
  return match === null ? null : [BigInt(match[1] ?? ""), BigInt(match[2] ?? "")];
}

/** Runtimes raise the soft limit of open files to the hard one; the parent has what it was. */
function lowerLimit(libc: LibcCalls): void {
  const own = openFiles("self");
  const parents = openFiles(process.ppid);
  if (own === null || parents === null) return;
  const [soft, hard] = parents;
  // With another hard limit somebody has set limits in between, and the parent's say nothing.
  if (hard !== own[1] || soft >= own[0]) return;
  requireDone(libc.setrlimit(RLIMIT_NOFILE, BigUint64Array.of(soft, hard)), "limiting open files");
}

/**
 * Puts back what the runtime has changed of this process and a command would keep.
 *
 * @throws {LaunchError} when that cannot be done, or the runtime has read from a channel that the
 * command is to have.
 * @throws {PermissionError} when the runtime does not permit to read `/proc`.
 */
export function handProcessOn(): void {
  if (process.platform !== "linux") return;
  const { calls } = ffi().open(libcLibrary(), HANDOVER_SYMBOLS);
  handDescriptorsOn(calls);
  handChannelOn(calls);
  ignoreAgain(calls);
  lowerLimit(calls);
}
