/**
 * offheap gives Deno, Bun and Node programs mimalloc and jemalloc: it picks the one for the
 * operating system, proves by evidence which allocator serves memory, and puts whole processes
 * under it.
 *
 * @example Prove which allocator serves this process
 * ```ts
 * import { verifyAllocator } from "@offheap/offheap";
 *
 * const { processAllocator, processAllocatorVerified } = verifyAllocator();
 * console.log(processAllocator, processAllocatorVerified);
 * ```
 *
 * @module
 */
export type { RuntimeInfo } from "./ffi/types.ts";
export {
  BuildError,
  LaunchError,
  LibraryLoadError,
  type LoadAttempt,
  MallctlError,
  OffheapError,
  PermissionError,
  SymbolError,
  SystemInfoError,
  UnsupportedRuntimeError,
  VerificationError,
} from "./lib/errors.ts";
export {
  type AllocatorInfo,
  getAllocatorInfo,
  type OptionValue,
} from "./lib/info/allocator-info.ts";
export {
  type HealthCheck,
  type HealthCheckName,
  type HealthReport,
  type HealthStatus,
  type HealthThresholds,
} from "./lib/info/health.ts";
export { healthCheck } from "./lib/info/health-check.ts";
export { getSystemInfo, type SystemInfo } from "./lib/info/system-info.ts";
export { launchEnvironment, type LaunchOptions } from "./lib/launch/plan.ts";
export { PROFILE_NAMES, type ProfileName } from "./lib/launch/profiles.ts";
export type { Variant } from "./lib/library/manifest.ts";
export type { LibraryOrigin } from "./lib/library/resolve.ts";
export {
  ALLOCATOR_NAMES,
  ALLOCATOR_POLICY,
  type AllocatorChoice,
  type AllocatorName,
  type AllocatorPolicyRow,
  type AllocatorRequest,
  type AllocatorSelection,
  selectAllocator,
} from "./lib/policy.ts";
export type {
  Evidence,
  EvidenceCheck,
  EvidenceScope,
  LibraryReport,
  ProcessAllocator,
  RuntimeAllocator,
  Verification,
} from "./lib/verify/types.ts";
export { requireAllocator } from "./lib/verify/require.ts";
export { verifyAllocator, type VerifyOptions } from "./lib/verify/verify.ts";
export { VERSION } from "./lib/version.ts";
