/**
 * What the machine preloads into every program, kept from the tests: most of them say who serves
 * `malloc` where nobody asked for anything.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";

const SYSTEM_PRELOAD = "/etc/ld.so.preload";

/** Within a mount namespace: the list is empty, and what follows takes the process's place. */
const HIDE = [
  "sh",
  "-c",
  `mount --bind /dev/null ${SYSTEM_PRELOAD} && exec "$@"`,
  "sh",
];

/** By root, and by others: these keep their user ID, and lose the rights that mounting took. */
const NAMESPACES: readonly (readonly string[])[] = [
  ["unshare", "--mount", ...HIDE],
  [
    ...["unshare", "--map-current-user", "--keep-caps", "--mount", ...HIDE],
    ...["setpriv", "--ambient-caps=-all", "--inh-caps=-all"],
  ],
];

function systemPreload(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}

/**
 * The words in front of a command that is to see nothing of `/etc/ld.so.preload`; none where there
 * is nothing in it.
 *
 * @throws {Error} where it cannot be hidden.
 */
export function withoutSystemPreload(): readonly string[] {
  const text = process.platform === "linux" ? systemPreload(SYSTEM_PRELOAD) : "";
  if (text === "") return [];
  for (const words of NAMESPACES) {
    const [command = "", ...args] = words;
    if (spawnSync(command, [...args, "true"], { stdio: "ignore" }).status === 0) return words;
  }
  throw new Error(
    `Cannot run the tests: ${SYSTEM_PRELOAD} preloads "${text}" into every program here, and it ` +
      "cannot be hidden from them, for which unshare has to make a mount namespace. Run them as " +
      "root, or where the file is empty.",
  );
}
