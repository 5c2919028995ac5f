/**
 * What is known of the system, the runtime and both allocators.
 *
 * @module
 */
import { availableParallelism, release } from "node:os";
import process from "node:process";
import { withPermission } from "../../../ffi/errors.ts";
import type { RuntimeInfo } from "../../../ffi/types.ts";
import type { Variant } from "../../library/manifest.ts";
import { manifestOf } from "../../library/resolve.ts";
import { hostTarget } from "../../library/target.ts";
import { FIGURES, withPermissions } from "../../permissions.ts";
import type { AllocatorName, ProcessAllocator } from "../../allocators/mod.ts";
import { system } from "../../system/mod.ts";
import type { VerifyOptions } from "../../verify/options.ts";
import { verifyAllocator } from "../../verify/verify.ts";
import { VERSION } from "../../version.ts";
import { readMemory } from "./memory.ts";

/** What {@linkcode getSystemInfo} reports. */
export interface SystemInfo {
  /** offheap's version. */
  readonly version: string;
  /** The JavaScript runtime. */
  readonly runtime: RuntimeInfo;
  /** The operating system, as `process.platform` names it. */
  readonly platform: string;
  /** The processor, as `process.arch` names it. */
  readonly arch: string;
  /** The C library's name and version, such as `glibc 2.36`. */
  readonly libc: string;
  /** The kernel's release. */
  readonly kernel: string;
  /** The size of a page of memory, in bytes. */
  readonly pageSize: number;
  /** Processors that this process may use. */
  readonly cpuCount: number;
  /** Memory that this process may use, in bytes: the host's, or its control group's limit. */
  readonly totalMemory: number;
  /** The allocator of offheap's own blocks. */
  readonly memoryAllocator: AllocatorName;
  /** Whether evidence proved it. */
  readonly memoryAllocatorVerified: boolean;
  /** Who serves libc's `malloc` in this process. */
  readonly processAllocator: ProcessAllocator;
  /** Its version; `null` when it could not be read. */
  readonly processAllocatorVersion: string | null;
  /** Whether evidence proved it. */
  readonly processAllocatorVerified: boolean;
  /** The version of the allocator of offheap's own blocks; `null` when it could not be read. */
  readonly allocatorVersion: string | null;
  /** The target that native libraries are built for here, such as `linux-x64-gnu`. */
  readonly buildTarget: string;
  /** How the library was built; `null` when no manifest says. */
  readonly buildProfile: Variant | null;
  /** How long this process has run, in seconds. */
  readonly uptimeSeconds: number;
}

/**
 * Reports what is known of the system, the runtime and both allocators.
 *
 * @throws {TypeError | RangeError} for bad options.
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment; Deno
 * reads `/proc` with `--allow-all` only.
 */
export function getSystemInfo(options: VerifyOptions = {}): SystemInfo {
  return withPermissions(FIGURES, () => readSystemInfo(options));
}

function readSystemInfo(options: VerifyOptions): SystemInfo {
  const found = verifyAllocator(options);
  const { name, version } = system().libc();
  const { library } = found;
  return {
    version: VERSION,
    runtime: found.runtime,
    platform: found.platform,
    arch: found.arch,
    libc: version === null ? name : `${name} ${version}`,
    kernel: withPermission("read the kernel's release", "--allow-sys", release),
    pageSize: system().pageSize(),
    cpuCount: withPermission("count processors", "--allow-sys", availableParallelism),
    totalMemory: readMemory().total,
    memoryAllocator: found.memoryAllocator,
    memoryAllocatorVerified: found.memoryAllocatorVerified,
    processAllocator: found.processAllocator,
    processAllocatorVersion: found.processAllocatorVersion,
    processAllocatorVerified: found.processAllocatorVerified,
    allocatorVersion: found.memoryAllocatorVersion,
    buildTarget: hostTarget().name,
    buildProfile: library === null ? null : manifestOf(library.path)?.variant ?? null,
    uptimeSeconds: process.uptime(),
  };
}
