/**
 * What of the machine bears on the figures.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import type { MachineInfo } from "./results.ts";

const HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage/enabled";
const GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
const SYSTEM = "/etc/os-release";

function contentOf(path: string): string | null {
  return existsSync(path) ? readFileSync(path, "utf8").trim() : null;
}

/** The word in brackets, as in `always [madvise] never`. */
function chosenSetting(text: string | null): string {
  return /\[([^\]]+)\]/.exec(text ?? "")?.[1] ?? "not offered by the kernel";
}

/** Describes this machine, and how busy it is now. */
export function describeMachine(): MachineInfo {
  const flags = contentOf("/proc/cpuinfo") ?? "";
  const name = /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(contentOf(SYSTEM) ?? "")?.[1];
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memory: totalmem(),
    system: name ?? "unknown",
    kernel: release(),
    libc: execFileSync("getconf", ["GNU_LIBC_VERSION"], { encoding: "utf8" }).trim(),
    hugePages: chosenSetting(contentOf(HUGE_PAGES)),
    governor: contentOf(GOVERNOR) ?? "not visible",
    virtual: /^flags\s*:.*\bhypervisor\b/m.test(flags),
    load: loadavg().map((value) => Math.round(value * 100) / 100),
  };
}
