/**
 * The contract of launching: what is known of a command before it is started, and what each binary
 * format has to answer. `elf.ts` implements it for ELF, `macho.ts` for Mach-O.
 *
 * @module
 */
import type { LibcName } from "../library/target.ts";
import type { CheckedFile, OpenedFile } from "./checked-file.ts";
import type { LaunchPlatform, ProgramFormat } from "./platforms.ts";

/** What a program's or library's binary is made for. */
export interface BinaryTraits {
  /** The format. */
  readonly format: ProgramFormat;
  /** The word size. */
  readonly bits: 32 | 64;
  /** The processor by Node's name, or `machine N`. */
  readonly arch: string;
  /** Whether the lowest byte of a number comes first. */
  readonly littleEndian: boolean;
  /** The C library that it is made for; `null` where it cannot be determined. */
  readonly libc: LibcName | null;
}

/** A program's file. */
export interface ProgramFile extends BinaryTraits {
  /** The path by which it is started. */
  readonly path: string;
  /** The dynamic linker that it asks for; `null` in a static program. */
  readonly interpreter: string | null;
  /** Whether that dynamic linker exists; `true` when none is asked for. */
  readonly interpreterExists: boolean;
  /** The file's mode bits, set-user-ID and set-group-ID included. */
  readonly mode: number;
  /** The file's owner. */
  readonly uid: number;
  /** The file's group. */
  readonly gid: number;
  /** Whether the file carries capabilities. */
  readonly fileCapabilities: boolean;
  /** The sanitizer whose library it asks for, which has a `malloc` of its own; absent elsewhere. */
  readonly sanitizer?: string | undefined;
  /** What macOS's dynamic linker goes by; absent elsewhere. */
  readonly dyld?: DyldFacts | undefined;
}

/** What decides whether macOS's dynamic linker inserts a library into a program. */
export interface DyldFacts {
  /** The file's real path. */
  readonly realPath: string;
  /** The processor by Apple's name, which distinguishes `arm64e` from `arm64`. */
  readonly cpu: string;
  /** Whether it has a section `__RESTRICT,__restrict`, or is signed as restricted. */
  readonly restricted: boolean;
  /** Whether its signature says that it is a part of the system. */
  readonly platformBinary: boolean;
  /** Whether it runs with the hardened runtime. */
  readonly hardenedRuntime: boolean;
  /** Whether an entitlement allows DYLD variables despite the hardened runtime. */
  readonly allowsDyldVariables: boolean;
  /** Whether only the system's libraries, and those of its own team, may be loaded. */
  readonly libraryValidation: boolean;
  /** The team that signed it. */
  readonly team: string | null;
}

/** A shared library that is to be preloaded. */
export interface PreloadLibrary extends BinaryTraits {
  /** Its path. */
  readonly path: string;
  /** What macOS goes by; absent elsewhere. */
  readonly dyld?: {
    /** All the processors that the file is for, by Node's and by Apple's names. */
    readonly slices: readonly { readonly arch: string; readonly cpu: string }[];
    /** The team that signed it; `null` when it was signed by nobody. */
    readonly team: string | null;
  } | undefined;
}

/** One step from the command's file to the program that runs in the end. */
export type LaunchStep =
  | {
    /** A script that the kernel or a shell hands to its interpreter. */
    readonly kind: "script";
    /** The script. */
    readonly path: string;
    /** The interpreter, as the script names it. */
    readonly interpreter: string;
    /** The one argument that a `#!` line may give. */
    readonly argument: string | null;
    /** `shebang`, or `shell` for a script without a `#!` line, which `/bin/sh` runs. */
    readonly by: "shebang" | "shell";
  }
  | {
    /**
     * A program; `env` in a `#!` line is one, and starts the next step. A `wrapper` starts the next
     * one, too, and is static: nothing can be preloaded into it, and nothing has to be.
     */
    readonly kind: "program" | "wrapper";
    /** The program's file. */
    readonly path: string;
    /** What is known of it. */
    readonly program: ProgramFile;
  };

/** A command, looked up and followed to the program that runs in the end. */
export interface Launch {
  /** The command as it was given. */
  readonly command: string;
  /** The file to execute: `execve`'s first argument, relative to the working directory or not. */
  readonly path: string;
  /** `execve`'s second argument, the program's name included. */
  readonly argv: readonly string[];
  /** The environment to execute it in, without the preload: what was given, or what `env` makes. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The directory to execute it in; `null` for the one that was given. */
  readonly directory: string | null;
  /** The file at that path, as it was checked. */
  readonly executed: CheckedFile;
  /** All files that were checked, as they were. */
  readonly files: readonly CheckedFile[];
  /** Every step on the way, the command's own first and the last program last. */
  readonly chain: readonly LaunchStep[];
  /** The program that runs in the end. */
  readonly program: ProgramFile;
  /** The C library of that program. */
  readonly libc: LibcName | null;
}

/** What is to be launched. */
export interface LaunchRequest {
  /** The command: a name to look up in PATH, or a path. */
  readonly command: string;
  /** Its arguments, without the command itself. */
  readonly args?: readonly string[] | undefined;
  /** The environment that the command gets; PATH is taken from here. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The working directory; this process's own without it. */
  readonly cwd?: string | undefined;
  /** The variables that the launch sets, beside the preload: nothing on the way may change them. */
  readonly sets?: readonly string[] | undefined;
}

/** One call of `execve`. */
export interface Execution {
  /** The file. */
  readonly path: string;
  /** The arguments, the program's name included. */
  readonly argv: readonly string[];
  /** The environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The working directory. */
  readonly cwd: string;
}

/** Where one call of `execve` ends. */
export interface Arrival {
  /** The call. */
  readonly execution: Execution;
  /** What the program itself gets as its arguments. */
  readonly argv: readonly string[];
  /** The program. */
  readonly program: ProgramFile;
  /** The file that the call is for: the program, or the first script. */
  readonly executed: CheckedFile;
}

/** What the launcher needs from the system, beyond files. */
export interface LaunchHost {
  /** Whether a file carries capabilities (the extended attribute `security.capability`). */
  readonly fileCapabilities: (path: string) => boolean;
  /** How the system preloads; as on Linux without it. */
  readonly platform?: LaunchPlatform | undefined;
  /** The processor whose part of a universal program runs; this runtime's own without it. */
  readonly arch?: string | undefined;
}

/** Whom this process runs as; it decides whether a program would run in secure-execution mode. */
export interface ProcessIdentity {
  /** The real user. */
  readonly uid: number;
  /** The effective user. */
  readonly euid: number;
  /** The real group. */
  readonly gid: number;
  /** The effective group. */
  readonly egid: number;
  /** Whether set-user-ID and set-group-ID bits are without effect here. */
  readonly noNewPrivileges: boolean;
}

/** What a rule looks at. */
export interface RuleSubject {
  /** The program. */
  readonly program: ProgramFile;
  /** How the program is called in a message. */
  readonly called: string;
  /** The library that is to be preloaded. */
  readonly library: PreloadLibrary;
  /** Whom this process runs as. */
  readonly identity: ProcessIdentity;
}

/** One reason to refuse a launch. */
export interface LaunchRule {
  /** A short stable name. */
  readonly name: string;
  /** `library` rules compare program and library, `program` rules need no library. */
  readonly about: "program" | "library";
  /** The exit status of the refusal. */
  readonly status: 125 | 127;
  /** One sentence on why the launch is refused and what to do; `null` when all is well. */
  readonly refusal: (subject: RuleSubject) => string | null;
}

/** What a binary format has to offer. */
export interface BinaryFormat {
  /** Whether a file's first bytes are this format's. */
  recognises(head: Uint8Array): boolean;
  /**
   * Reads a program.
   *
   * @throws {LaunchError} status 126 when the file is truncated or damaged.
   */
  readProgram(path: string, opened: OpenedFile, host: LaunchHost): ProgramFile;
  /**
   * Reads a library that is to be preloaded. `libc` is what its manifest says.
   *
   * @throws {LaunchError} status 125 when it is missing, unreadable, of another format or damaged.
   */
  readLibrary(path: string, libc?: LibcName | null): PreloadLibrary;
  /** Every reason to refuse, in the order in which they are asked. */
  readonly rules: readonly LaunchRule[];
}
