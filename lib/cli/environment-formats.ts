/**
 * How `offheap env` writes variables down.
 *
 * @module
 */

/** A way to write variables down. */
export type EnvironmentFormat = "sh" | "dotenv" | "docker" | "systemd" | "json";

type Variables = Readonly<Record<string, string>>;

/** Within single quotes a POSIX shell takes everything but the quote itself as it is. */
function quoteForShell(value: string): string {
  return /^[A-Za-z0-9_./:,@%+=-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}

/** Double quotes, with backslashes before what would end or expand them. */
function quoteDouble(value: string, special: RegExp): string {
  return `"${value.replaceAll(special, "\\$&")}"`;
}

function eachLine(line: (name: string, value: string) => string): (variables: Variables) => string {
  return (variables) =>
    Object.entries(variables).map(([name, value]) => line(name, value)).join("\n");
}

/** Every format: dotenv, Docker's `ENV` and systemd's `Environment=` quote each in their own way. */
export const ENVIRONMENT_FORMATS: Readonly<
  Record<EnvironmentFormat, (variables: Variables) => string>
> = {
  sh: eachLine((name, value) => `export ${name}=${quoteForShell(value)}`),
  dotenv: eachLine((name, value) => `${name}=${quoteDouble(value, /["\\$`]/g)}`),
  docker: eachLine((name, value) => `ENV ${name}=${quoteDouble(value, /["\\$]/g)}`),
  systemd: eachLine((name, value) =>
    `Environment=${quoteDouble(`${name}=${value.replaceAll("%", "%%")}`, /["\\]/g)}`
  ),
  json: (variables) => JSON.stringify(variables, null, 2),
};
