/**
 * How `offheap env` writes variables down.
 *
 * @module
 */

import { REQUIRE_VARIABLE } from "../run/own-variables.ts";
import { FIRST_PROCESS } from "../run/requirement.ts";

/** A way to write variables down. */
export type EnvironmentFormat = "sh" | "dotenv" | "docker" | "systemd" | "json";

type Variables = Readonly<Record<string, string>>;

/** What every reader of such files takes as it is; `docker run --env-file` knows no quotes. */
const PLAIN = /^[A-Za-z0-9_./:,@%+=-]*$/;

/** Within single quotes a POSIX shell takes everything but the quote itself as it is. */
function quoteForShell(value: string): string {
  return value !== "" && PLAIN.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}

/** Readers differ in what they undo within double quotes, and agree on single ones. */
function quoteForDotenv(value: string): string {
  if (PLAIN.test(value)) return value;
  return /['\\\n]/.test(value) ? quoteDouble(value, /["\\$`]/g) : `'${value}'`;
}

function requireLine(name: string, value: string): string {
  if (!/[\r\n]/.test(value)) return value;
  throw new RangeError(
    `Cannot write ${name} for a Dockerfile: its value must be a single line; got ${
      JSON.stringify(value)
    }`,
  );
}

/** Double quotes, with backslashes before what would end or expand them. */
function quoteDouble(value: string, special: RegExp): string {
  return `"${value.replaceAll(special, "\\$&")}"`;
}

function eachLine(line: (name: string, value: string) => string): (variables: Variables) => string {
  return (variables) =>
    Object.entries(variables).map(([name, value]) => line(name, value)).join("\n");
}

/**
 * How a format requires an allocator, so that the process ends when it does not serve it. A shell
 * knows the process, which is its own: also where `$$` is that of the shell around it. A container and
 * a unit do not know it yet, and it is the first. Programs that read the others decide themselves.
 */
export const REQUIREMENTS: Readonly<
  Partial<Record<EnvironmentFormat, (requirement: string) => string>>
> = {
  sh: (requirement) =>
    `read -r ${REQUIRE_VARIABLE} 2>/dev/null </proc/self/stat || ${REQUIRE_VARIABLE}=$$; ` +
    `export ${REQUIRE_VARIABLE}="\${${REQUIRE_VARIABLE}%% *}:"${quoteForShell(requirement)}`,
  docker: (requirement) => writeFirst("docker", requirement),
  systemd: (requirement) => writeFirst("systemd", requirement),
};

function writeFirst(format: EnvironmentFormat, requirement: string): string {
  return ENVIRONMENT_FORMATS[format]({ [REQUIRE_VARIABLE]: `${FIRST_PROCESS}:${requirement}` });
}

/** Every format: dotenv, Docker's `ENV` and systemd's `Environment=` quote each in their own way. */
export const ENVIRONMENT_FORMATS: Readonly<
  Record<EnvironmentFormat, (variables: Variables) => string>
> = {
  sh: eachLine((name, value) => `export ${name}=${quoteForShell(value)}`),
  dotenv: eachLine((name, value) => `${name}=${quoteForDotenv(value)}`),
  docker: eachLine((name, value) =>
    `ENV ${name}=${quoteDouble(requireLine(name, value), /["\\$]/g)}`
  ),
  systemd: eachLine((name, value) =>
    `Environment=${
      quoteDouble(`${name}=${value.replaceAll("%", "%%")}`, /["\\]/g).replaceAll("\n", "\\n")
    }`
  ),
  json: (variables) => JSON.stringify(variables, null, 2),
};
