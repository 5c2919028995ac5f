/**
 * A small reader of Mach-O files of 64 bits: what a program or library of macOS is made for, what it
 * needs and exports, and what its code signature says and allows. Of a universal file it reads the
 * slice for one processor. It reads the parts it wants, so a program of 100 MB costs little.
 *
 * @module
 */
import process from "node:process";
import { OffheapError } from "../../ffi/errors.ts";
import { type ByteSource, sliceSource } from "./bytes.ts";
import { guardOf, type NamedSource, withFile, withSource } from "./file-source.ts";
import {
  findCommand,
  type MachODylib,
  type MachOImage,
  type MachOMinimum,
  openImage,
  readDylibs,
  readMinimum,
  readSections,
} from "./macho-commands.ts";
import { COMMAND, FILE_TYPES, INTERPOSING_TYPE, THREAD_LOCAL_TYPES } from "./macho-constants.ts";
import { findSlice, isOtherMachO, type MachOSlice, readSlices } from "./macho-fat.ts";
import { describeSignature, findSignature, type MachOSignature } from "./macho-signature.ts";

export type { DylibKind } from "./macho-constants.ts";
export type { MachODylib, MachOMinimum } from "./macho-commands.ts";
export type { MachOSlice } from "./macho-fat.ts";
export type { MachOSignature } from "./macho-signature.ts";

/** A file is not a Mach-O file that can be read, or it is truncated or damaged. */
export class MachOError extends OffheapError {
  static {
    this.prototype.name = "MachOError";
  }

  /** Makes the error with a sentence for the user. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_OFFHEAP_MACHO", message, options);
  }
}

/** What a Mach-O file says of itself, for one processor. */
export interface MachOFile {
  /** The processor by Node's name (`x64`, `arm64`, …), or `cpu N` for one that is not known. */
  readonly arch: string;
  /** The processor by Apple's name, which distinguishes `arm64e`, the system's own, from `arm64`. */
  readonly cpu: string;
  /** All the processors that the file is for: several in a universal file. */
  readonly slices: readonly MachOSlice[];
  /** `executable`, `dylib`, `bundle`, …, or `type N`. */
  readonly type: string;
  /** The library's own name (LC_ID_DYLIB), by which others ask for it; or `null`. */
  readonly installName: string | null;
  /** The libraries that it needs, in order. */
  readonly needed: readonly MachODylib[];
  /** The oldest system that it is for; `null` when it does not say. */
  readonly minimum: MachOMinimum | null;
  /** Whether it replaces functions of others when it is inserted (`__interpose`). */
  readonly interposes: boolean;
  /** Whether it has thread-local variables. */
  readonly threadLocal: boolean;
  /** Whether it has a section `__RESTRICT,__restrict`: dyld then ignores DYLD variables. */
  readonly restrictSection: boolean;
  /** Its UUID in hexadecimal groups, or `null`. */
  readonly uuid: string | null;
  /** What its code signature says; `null` without one. */
  readonly signature: MachOSignature | null;
}

/**
 * Reads a Mach-O file.
 *
 * @param arch The processor whose slice is read, by Node's or Apple's name (`x64`, `arm64e`). When
 * absent, that of the running runtime where there is one, else the first.
 * @throws {MachOError} when it is not a Mach-O file of 64 bits, has no slice for the processor, or
 * is truncated or damaged. Errors of the file system (missing, not readable) come as they are.
 */
export function readMachO(place: string | NamedSource, arch?: string): MachOFile {
  return withSource(place, (source, name) => guarded(name, () => parse(source, name, arch)));
}

/**
 * Opens the Mach-O file at a path, for what a program itself has no use for.
 *
 * @param arch As for {@linkcode readMachO}.
 * @throws {MachOError} as {@linkcode readMachO} does, also when `read` throws a RangeError.
 */
export function readMachOImage<T>(
  path: string,
  read: (image: MachOImage) => T,
  arch?: string,
): T {
  return withFile(
    path,
    (source) => guarded(path, () => read(openSlice(source, path, arch).image)),
  );
}

const guarded = guardOf("Mach-O", MachOError);

interface OpenSlice {
  readonly slices: readonly MachOSlice[];
  readonly slice: MachOSlice;
  readonly image: MachOImage;
}

function openSlice(source: ByteSource, name: string, arch: string | undefined): OpenSlice {
  const slices = readSlices(source);
  if (slices === null) {
    const what = isOtherMachO(source)
      ? "it is a Mach-O file of 32 bits or of another byte order"
      : "it is not a Mach-O file";
    throw new MachOError(`Cannot read "${name}": ${what}.`);
  }
  const slice = arch === undefined
    ? findSlice(slices, process.arch) ?? slices[0]
    : findSlice(slices, arch);
  if (slice === undefined) {
    const list = slices.map(({ cpu }) => cpu).join(", ") || "none";
    throw new MachOError(`Cannot read "${name}" for ${arch ?? "any"}: it is for ${list}.`);
  }
  const image = openImage(sliceSource(source, slice.offset, slice.size));
  return { slices, slice, image };
}

function parse(source: ByteSource, name: string, arch: string | undefined): MachOFile {
  const { slices, slice, image } = openSlice(source, name, arch);
  const sections = readSections(image);
  const uuid = findCommand(image, COMMAND.uuid);
  const signature = findSignature(image);
  const type = image.file.u32(12);
  return {
    arch: slice.arch,
    cpu: slice.cpu,
    slices,
    type: FILE_TYPES[type] ?? `type ${type}`,
    ...readDylibs(image),
    minimum: readMinimum(image),
    interposes: sections.some(({ name, type }) =>
      name === "__interpose" || type === INTERPOSING_TYPE
    ),
    threadLocal: sections.some(({ type }) => THREAD_LOCAL_TYPES.includes(type)),
    restrictSection: sections.some(({ segment, name }) =>
      segment === "__RESTRICT" && name === "__restrict"
    ),
    uuid: uuid === undefined ? null : uuidText(image.file.bytes(uuid.at + 8, 16)),
    signature: signature === null ? null : describeSignature(signature),
  };
}

function uuidText(bytes: Uint8Array): string {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.toUpperCase().replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}
