/**
 * What `offheap env` prints when it refuses: `eval "$(offheap env)"; exec …` must not go on. Apart from
 * the formats, as it is needed where nothing else can be loaded.
 *
 * @module
 */

/** Ends the shell that evaluates it; one that somebody types into stays. */
export const SHELL_REFUSAL = "case $- in *i*) (exit 125) ;; *) exit 125 ;; esac";

/** The formats that no shell evaluates; a name of no format may be a shell's, misspelt. */
const FOR_OTHERS: readonly string[] = ["dotenv", "docker", "systemd", "json"];

/** Whether it may be a shell that evaluates what `env` prints with these options. */
export function isForShell(options: readonly string[]): boolean {
  const format = /(?:^|\0)(?:-f|--format)[=\0]?([^\0]*)/.exec(options.join("\0"))?.[1];
  return format === undefined || !FOR_OTHERS.includes(format);
}
