/**
 * The header, load commands, segments and sections of a Mach-O file.
 *
 * @module
 */
import { ByteReader, type ByteSource } from "./bytes.ts";
import {
  BUILD_VERSION,
  COMMAND,
  DYLIB_COMMANDS,
  type DylibKind,
  PLATFORMS,
  VERSION_MIN_COMMANDS,
} from "./macho-constants.ts";

/** A load command: a number, and a place in the file. */
export interface LoadCommand {
  /** Its kind (`LC_*`). */
  readonly command: number;
  /** Where it begins. */
  readonly at: number;
  /** Its size in bytes. */
  readonly size: number;
}

/** A section of a segment. */
export interface MachOSection {
  /** The segment's name, such as `__DATA`. */
  readonly segment: string;
  /** Its own name. */
  readonly name: string;
  /** Its type: the lowest byte of its flags. */
  readonly type: number;
}

/** A library that is needed. */
export interface MachODylib {
  /** Its install name, such as `/usr/lib/libSystem.B.dylib`. */
  readonly name: string;
  /** How it is needed; a `weak` one may be missing. */
  readonly kind: DylibKind;
  /** The version that it was linked with, such as `1356.0.0`. */
  readonly currentVersion: string;
  /** The least version that will do. */
  readonly compatibilityVersion: string;
}

/** The oldest system that a file is for. */
export interface MachOMinimum {
  /** `macos`, `ios`, …, or `platform N`. */
  readonly platform: string;
  /** The oldest version, such as `13.0`. */
  readonly version: string;
  /** The version of the development kit. */
  readonly sdk: string;
}

const HEADER_BYTES = 32;
const MIN_COMMAND_BYTES = 8;
const SEGMENT_BYTES = 72;
const SECTION_BYTES = 80;
const NAME_BYTES = 16;

/** A Mach-O file that is being read. */
export interface MachOImage {
  /** Where its bytes come from. */
  readonly source: ByteSource;
  /** Reads numbers. */
  readonly file: ByteReader;
  /** The load commands in order. */
  readonly commands: readonly LoadCommand[];
}

/** Opens a file for one processor, and walks its load commands. */
export function openImage(source: ByteSource): MachOImage {
  const file = new ByteReader(source, true, 64);
  const commands: LoadCommand[] = [];
  const end = HEADER_BYTES + file.u32(20);
  let at = HEADER_BYTES;
  for (let left = file.u32(16); left > 0; left--) {
    const size = file.u32(at + 4);
    if (size < MIN_COMMAND_BYTES || at + size > end) {
      throw new RangeError(`a load command of ${size} bytes`);
    }
    commands.push({ command: file.u32(at), at, size });
    at += size;
  }
  return { source, file, commands };
}

/** The first command with one of these numbers. */
export function findCommand(
  image: MachOImage,
  ...numbers: readonly number[]
): LoadCommand | undefined {
  return image.commands.find(({ command }) => numbers.includes(command));
}

/** All sections; every segment must be within the file. */
export function readSections({ source, file, commands }: MachOImage): MachOSection[] {
  return commands.filter(({ command }) => command === COMMAND.segment).flatMap(({ at, size }) => {
    if (file.word(at + 40) + file.word(at + 48) > source.size) {
      throw new RangeError("a segment ends past the end of the file");
    }
    const count = file.u32(at + 64);
    if (SEGMENT_BYTES + count * SECTION_BYTES > size) throw new RangeError(`${count} sections`);
    return Array.from({ length: count }, (_, index): MachOSection => {
      const section = at + SEGMENT_BYTES + index * SECTION_BYTES;
      return {
        name: file.text(section, NAME_BYTES),
        segment: file.text(section + NAME_BYTES, NAME_BYTES),
        type: file.u32(section + 64) & 0xff,
      };
    });
  });
}

/** The address that the file's first byte gets in memory: that of the segment which holds it. */
export function baseAddress({ file, commands }: MachOImage): number {
  const first = commands.find(({ command, at }) =>
    command === COMMAND.segment && file.word(at + 40) === 0 && file.word(at + 48) > 0
  );
  return first === undefined ? 0 : file.word(first.at + 24);
}

/** The libraries that are needed, in order; and the file's own install name. */
export function readDylibs(
  { file, commands }: MachOImage,
): { readonly installName: string | null; readonly needed: readonly MachODylib[] } {
  const needed: MachODylib[] = [];
  let installName: string | null = null;
  for (const command of commands) {
    const kind = DYLIB_COMMANDS[command.command];
    if (kind === undefined) continue;
    const name = readText(file, command, 8);
    if (kind === "own") installName = name;
    else {
      needed.push({
        name,
        kind,
        currentVersion: versionText(file.u32(command.at + 16), 3),
        compatibilityVersion: versionText(file.u32(command.at + 20), 3),
      });
    }
  }
  return { installName, needed };
}

/** The oldest system that the file is for; `null` when it does not say. */
export function readMinimum(image: MachOImage): MachOMinimum | null {
  const { file } = image;
  const build = findCommand(image, BUILD_VERSION);
  if (build !== undefined) {
    const platform = file.u32(build.at + 8);
    return minimum(file, PLATFORMS[platform] ?? `platform ${platform}`, build.at + 12);
  }
  const older = image.commands.find(({ command }) => VERSION_MIN_COMMANDS[command] !== undefined);
  const platform = VERSION_MIN_COMMANDS[older?.command ?? 0];
  return older === undefined || platform === undefined
    ? null
    : minimum(file, platform, older.at + 8);
}

function minimum(file: ByteReader, platform: string, at: number): MachOMinimum {
  return {
    platform,
    version: versionText(file.u32(at), 2),
    sdk: versionText(file.u32(at + 4), 2),
  };
}

/** The string of a load command: the number in a field says where in the command it begins. */
function readText(file: ByteReader, { at, size }: LoadCommand, field: number): string {
  const start = file.u32(at + field);
  if (start > size) throw new RangeError(`a string past its load command, at ${start}`);
  return file.text(at + start, size - start);
}

/** Versions are packed into 16, 8 and 8 bits; a last part of 0 beyond the least is left out. */
function versionText(packed: number, least: number): string {
  const parts = [packed >>> 16, (packed >>> 8) & 0xff, packed & 0xff];
  return parts.slice(0, parts[2] === 0 ? least : 3).join(".");
}
