/**
 * offheap gives Deno, Bun and Node programs mimalloc and jemalloc: it picks the one for the
 * operating system, proves by evidence which allocator serves memory, puts whole processes under
 * it, and hands out native memory that cannot be used after it is freed.
 *
 * @example Prove which allocator serves this process
 * ```ts
 * import { verifyAllocator } from "@offheap/offheap";
 *
 * const { processAllocator, processAllocatorVerified } = verifyAllocator();
 * console.log(processAllocator, processAllocatorVerified);
 * ```
 *
 * @example Native memory
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const block = memory.allocate(1024);
 * block.bytes.fill(1);
 * block.free();
 * console.log(block.bytes.length);
 * memory.close();
 * ```
 *
 * @module
 */
import "./lib/supported.ts";

export { openLibrary } from "./ffi/open-library.ts";
export type {
  Address,
  Arguments,
  Call,
  Calls,
  NativeLibrary,
  NativePointer,
  ParameterType,
  ParameterTypes,
  ResultType,
  ResultTypes,
  RuntimeInfo,
  SymbolSignature,
  SymbolTable,
} from "./ffi/types.ts";
export {
  BlockError,
  type BlockErrorReason,
  BuildError,
  ClosedError,
  HeapProfileError,
  LaunchError,
  LibraryClosedError,
  LibraryLoadError,
  type LoadAttempt,
  MallctlError,
  OffheapError,
  OutOfMemoryError,
  PermissionError,
  PoolExhaustedError,
  SymbolError,
  SystemInfoError,
  UnsupportedOperationError,
  UnsupportedRuntimeError,
  VerificationError,
} from "./lib/errors.ts";
export {
  ALLOCATOR_NAMES,
  type AllocatorName,
  type ProcessAllocator,
} from "./lib/allocators/mod.ts";
export type { OptionValue } from "./lib/allocators/types.ts";
export { type AllocatorInfo, getAllocatorInfo } from "./lib/watch/info/allocator-info.ts";
export type {
  HealthCheck,
  HealthCheckName,
  HealthReport,
  HealthStatus,
  HealthThresholds,
} from "./lib/watch/info/health.ts";
export { healthCheck } from "./lib/watch/info/health-check.ts";
export { type Mallctl, mallctl, openMallctl } from "./lib/watch/memory/mallctl.ts";
export {
  MALLCTL_COMMANDS,
  MALLCTL_KEYS,
  MALLCTL_SETTINGS,
  MALLCTL_WRITABLE_KEYS,
  type MallctlCommand,
  type MallctlKeys,
  type MallctlName,
  type WritableMallctl,
} from "./lib/allocators/jemalloc/keys.ts";
export {
  MALLCTL_MUTEX_COUNTERS,
  MALLCTL_MUTEXES,
  MALLCTL_STATISTICS,
  type MallctlMutexKeys,
} from "./lib/allocators/jemalloc/statistics-keys.ts";
export type { MallctlValue } from "./lib/allocators/jemalloc/mallctl.ts";
export type { WritableValue } from "./lib/allocators/jemalloc/namespace.ts";
export type { MallctlType, MallctlValues } from "./lib/allocators/jemalloc/value-types.ts";
export {
  ALLOCATOR_FIGURES,
  type AllocatorFigure,
  type AllocatorFigures,
  type Figures,
} from "./lib/allocators/statistics.ts";
export { collectProcess, decayProcess, purgeProcess } from "./lib/watch/memory/act.ts";
export { processMemory, type ProcessMemoryOptions } from "./lib/watch/memory/process-memory.ts";
export {
  type CountedAllocator,
  type Fragmentation,
  FRAGMENTATION_FIGURES,
  type FragmentationFigure,
  GROUP_FIGURES,
  type GroupFigure,
  type GroupFigures,
  JAVASCRIPT_FIGURES,
  type JavaScriptFigure,
  type JavaScriptFigures,
  KERNEL_FIGURES,
  type KernelFigure,
  type KernelFigures,
  MEMORY_PARTS,
  type MemoryPart,
  type PartName,
  type ProcessMemory,
} from "./lib/watch/memory/types.ts";
export {
  type InstrumentOptions,
  type MetricMeter,
  type MetricObserver,
  type MetricRegistry,
  registerMetrics,
} from "./lib/watch/metrics/register.ts";
export type {
  MemoryPressure,
  PressureReading,
  PressureSource,
} from "./lib/watch/pressure/gauge.ts";
export type { OwnLimit } from "./lib/watch/pressure/sources.ts";
export { onMemoryPressure, type PressureOptions } from "./lib/watch/pressure/watch.ts";
export { diagnoseMemory, type DiagnoseOptions } from "./lib/watch/doctor/memory/diagnose.ts";
export type { MemoryParts } from "./lib/watch/doctor/memory/observation.ts";
export type { Trend } from "./lib/watch/doctor/memory/trend.ts";
export type {
  MemoryFinding,
  MemoryReport,
  MemoryTrends,
  MemoryVerdict,
  PurgeOutcome,
} from "./lib/watch/doctor/memory/types.ts";
export { heapProfile, type HeapProfileOptions, type HeapProfiler } from "./lib/watch/heap/api.ts";
export { heapProfileHandler, heapProfileListener } from "./lib/watch/heap/handler.ts";
export { keepHeapProfiles, type KeepOptions } from "./lib/watch/heap/keep.ts";
export {
  type FrameKind,
  HEAP_SOURCES,
  type HeapAmount,
  type HeapFrame,
  type HeapMapping,
  type HeapProfile,
  type HeapSample,
  type HeapSource,
} from "./lib/watch/heap/types.ts";
export { getSystemInfo, type SystemInfo } from "./lib/watch/info/system-info.ts";
export type { AgentOptions } from "./lib/run/agent.ts";
export type { HeapProfilingOptions } from "./lib/run/heap-profiling.ts";
export { launchEnvironment, type LaunchOptions } from "./lib/run/plan.ts";
export { PROFILE_NAMES, type ProfileName } from "./lib/allocators/profiles.ts";
export {
  type IntegrityOptions,
  type IntegrityReport,
  type IntegrityVerdict,
  type LibraryIntegrity,
  verifyIntegrity,
} from "./lib/library/integrity.ts";
export type { Variant } from "./lib/library/manifest.ts";
export type { LibraryOrigin } from "./lib/library/resolve.ts";
export type { AdoptOptions, Allocator, AllocatorStatistics } from "./lib/memory/allocator.ts";
export type { OpenOptions } from "./lib/memory/open.ts";
export type {
  Arena,
  ArenaAllocateOptions,
  ArenaFromOptions,
  ArenaMark,
  ArenaOptions,
  ArenaStatistics,
} from "./lib/memory/arena/arena.ts";
export type {
  AllocateFromOptions,
  AllocateOptions,
  BlockAllocator,
  ReallocateOptions,
} from "./lib/memory/blocks/block-allocator.ts";
export type { Block } from "./lib/memory/blocks/block.ts";
export type { BlockHandle } from "./lib/memory/blocks/transfer.ts";
export type { ViewConstructor, ViewOf } from "./lib/memory/shared/views.ts";
export type { Borrowed, BorrowOptions } from "./lib/memory/borrow.ts";
export type { ContextFunctions, NativeFunctions } from "./lib/memory/functions.ts";
export type { Heap, HeapStatistics } from "./lib/memory/heap/heap.ts";
export type { LeakKind, LeakLevel, LeakReport } from "./lib/memory/leaks.ts";
export type { Lease } from "./lib/memory/pool/lease.ts";
export type { Pool, PoolOptions, PoolStatistics, WaitOptions } from "./lib/memory/pool/pool.ts";
export type { CachedAllocator, CachedStatistics } from "./lib/memory/cached/cached.ts";
export type { RawAllocator } from "./lib/memory/raw.ts";
export type { Purged } from "./lib/memory/purge.ts";
export { borrow } from "./lib/memory/borrow.ts";
export { cStringLength } from "./lib/memory/c-string.ts";
export { openAllocator } from "./lib/memory/open.ts";
export { nativeAddress, nativePointer } from "./lib/memory/pointer.ts";
export {
  ALLOCATOR_POLICY,
  type AllocatorChoice,
  type AllocatorPolicyRow,
  type AllocatorRequest,
  type AllocatorSelection,
  selectAllocator,
} from "./lib/allocators/policy.ts";
export type {
  Evidence,
  EvidenceCheck,
  EvidenceScope,
  LibraryReport,
  RuntimeAllocator,
  Verification,
} from "./lib/verify/types.ts";
export { requireAllocator } from "./lib/verify/require.ts";
export type { VerifyOptions } from "./lib/verify/options.ts";
export { verifyAllocator } from "./lib/verify/verify.ts";
export { VERSION } from "./lib/version.ts";
