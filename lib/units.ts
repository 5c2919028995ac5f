/**
 * Figures as people read them.
 *
 * @module
 */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** Bytes with the unit that makes a short number. */
export function formatBytes(bytes: number): string {
  if (bytes < 0) return `-${formatBytes(-bytes)}`;
  let value = bytes;
  let unit = 0;
  while (Number(value.toFixed(1)) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

const DURATIONS = [
  { unit: "d", seconds: 86400 },
  { unit: "h", seconds: 3600 },
  { unit: "m", seconds: 60 },
  { unit: "s", seconds: 1 },
] as const;

/** A time as its two largest units: `3d 4h`, `12m 5s`, `7s`. */
export function formatAge(seconds: number): string {
  const whole = Math.floor(seconds);
  const first = DURATIONS.findIndex((each) => whole >= each.seconds);
  const [large, small] = DURATIONS.slice(first < 0 ? -1 : first);
  if (large === undefined || small === undefined) return `${whole}s`;
  const count = Math.floor(whole / large.seconds);
  const rest = Math.floor(whole % large.seconds / small.seconds);
  return `${count}${large.unit} ${rest}${small.unit}`;
}

const TIME_UNITS = [["s", 1], ["ms", 1e-3], ["µs", 1e-6]] as const;

/** A measured time with the unit that makes a short number. */
export function formatSeconds(seconds: number): string {
  const rounded = Number(seconds.toPrecision(3));
  const [unit, size] = TIME_UNITS.find(([, size]) => rounded >= size) ?? ["µs", 1e-6];
  return `${rounded < 1000 ? (rounded / size).toPrecision(3) : Math.round(seconds)} ${unit}`;
}
