/**
 * The rules about set-user-ID and set-group-ID programs, which are the same for all formats.
 *
 * @module
 */
import { basename } from "node:path";
import type { LaunchRule, ProcessIdentity, ProgramFile } from "./types.ts";

const SET_USER_ID = 0o4000;
/** Without the group's execute bit, set-group-ID marks a file for locking and grants nothing. */
const SET_GROUP_ID = 0o2010;

/** What all refusals for secure-execution mode have in common. */
export const SECURE = "so the dynamic linker would drop the preload";

/** What to do about a program that starts another, as the end of a refusal. */
export function startAfter({ path }: ProgramFile): string {
  return `; if it only starts another program, put offheap after it: ` +
    `"${basename(path)} … offheap run -- COMMAND".`;
}

/** The user that the program would run as, by the kernel's rule. */
function effectiveUser(program: ProgramFile, identity: ProcessIdentity): number {
  const granted = (program.mode & SET_USER_ID) !== 0 && !identity.noNewPrivileges;
  return granted ? program.uid : identity.euid;
}

function effectiveGroup(program: ProgramFile, identity: ProcessIdentity): number {
  const granted = (program.mode & SET_GROUP_ID) === SET_GROUP_ID && !identity.noNewPrivileges;
  return granted ? program.gid : identity.egid;
}

/** Programs that would run as another user or group. */
export const IDENTITY_RULES: readonly LaunchRule[] = [
  {
    name: "set-user-id",
    about: "program",
    status: 125,
    refusal: ({ program, called, identity }) =>
      effectiveUser(program, identity) === identity.uid
        ? null
        : `${called} would run as user ${effectiveUser(program, identity)} while user ` +
          `${identity.uid} starts it (set-user-ID), ${SECURE}. ` +
          `Start offheap as that user${startAfter(program)}`,
  },
  {
    name: "set-group-id",
    about: "program",
    status: 125,
    refusal: ({ program, called, identity }) =>
      effectiveGroup(program, identity) === identity.gid
        ? null
        : `${called} would run as group ${effectiveGroup(program, identity)} while group ` +
          `${identity.gid} starts it (set-group-ID), ${SECURE}. ` +
          `Start offheap as that group${startAfter(program)}`,
  },
];
