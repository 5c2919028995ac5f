/**
 * The build's options, checked.
 *
 * @module
 */
import { BUILT_ALLOCATORS } from "../../../lib/allocators/mod.ts";
import { type Variant, VARIANTS } from "../../../lib/library/manifest.ts";
import { BuildError } from "../../../lib/errors.ts";
import type { BuildOptions } from "../types.ts";

/** What `allocator` may be. */
export const ALLOCATOR_CHOICES: readonly NonNullable<BuildOptions["allocator"]>[] = [
  "all",
  ...BUILT_ALLOCATORS,
];

/** What `variant` may be. */
export const VARIANT_CHOICES: readonly Variant[] = VARIANTS;

const KINDS: Readonly<Record<keyof BuildOptions, string>> = {
  allocator: "string",
  jemallocVersion: "string",
  mimallocVersion: "string",
  source: "string",
  target: "string",
  variant: "string",
  force: "boolean",
  outDirectory: "string",
  buildsDirectory: "string",
  cacheDirectory: "string",
  upstream: "string",
  debian: "boolean",
  environment: "object",
  signal: "object",
  progress: "object",
};

const CHOICES: Readonly<Partial<Record<keyof BuildOptions, readonly string[]>>> = {
  allocator: ALLOCATOR_CHOICES,
  variant: VARIANT_CHOICES,
};

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/**
 * Asserts that options are known, of the right kind, and go together.
 *
 * @throws {TypeError} for an unknown option or one of the wrong kind.
 * @throws {RangeError} for an unknown value.
 * @throws {BuildError} for options that do not go together.
 */
export function checkOptions(options: BuildOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot build: options must be an object; got ${show(options)}`);
  }
  const kinds: Readonly<Record<string, string>> = KINDS;
  const choices: Readonly<Record<string, readonly string[]>> = CHOICES;
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) {
      throw new TypeError(
        `Cannot build: the option must be one of ${Object.keys(kinds).join(", ")}; got ${name}`,
      );
    }
    if (typeof value !== kind || value === null) {
      throw new TypeError(`Cannot build: ${name} must be of type ${kind}; got ${show(value)}`);
    }
    if (value === "") throw new RangeError(`Cannot build: ${name} must not be empty; got ""`);
    if (choices[name] !== undefined && !choices[name].includes(value)) {
      throw new RangeError(
        `Cannot build: ${name} must be one of ${choices[name].join(", ")}; got ${show(value)}`,
      );
    }
  }
  checkTogether(options);
}

function checkTogether(options: BuildOptions): void {
  const { allocator = "all", source, upstream } = options;
  if (source !== undefined && allocator === "all") {
    throw new BuildError(
      `Cannot use --source for all allocators: pass ${
        BUILT_ALLOCATORS.map((name) => `"--allocator ${name}"`).join(" or ")
      } with it.`,
    );
  }
  for (const name of BUILT_ALLOCATORS) {
    if (options[`${name}Version`] === undefined || ["all", name].includes(allocator)) continue;
    throw new BuildError(
      `Cannot use --${name}-version with --allocator ${allocator}: ${name} would not be built.`,
    );
  }
  if (upstream !== undefined && !/^(https?|file):\/\//.test(upstream)) {
    throw new RangeError(
      `Cannot build: upstream must be an https:, http: or file: URL; got ${show(upstream)}`,
    );
  }
}
