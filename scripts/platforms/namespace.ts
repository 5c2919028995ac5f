/**
 * Private user and mount namespaces that have another system's files in `/usr` and `/etc` and run another processor's programs, so that the runtimes and what they start find all of it where
 * they look. No root is needed, and the machine stays as it is.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../tools/paths.ts";

/** What a namespace has. */
export interface NamespaceContents {
  /** Directories with `usr` and `etc` that are laid over the machine's. */
  readonly roots: readonly string[];
  /** A directory with packages that are laid over `node_modules`. */
  readonly modules?: string;
  /** Whether programs for arm64 are run by qemu, which one of the roots has to hold. */
  readonly arm64?: boolean;
  /** Whether what runs in it ends with its first process: for programs that leave servers. */
  readonly alone?: boolean;
  /** A directory that every namespace has empty and for itself. */
  readonly own?: string;
}

/** The ELF header of an arm64 program: its first bytes, and which bits of them count. */
const ARM64_MAGIC = String
  .raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`;
const ARM64_MASK = String
  .raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`;

/** P keeps the first argument as it was given; F opens the emulator once, for all roots to come. */
const ARM64_FORMAT =
  `:offheap-arm64:M::${ARM64_MAGIC}:${ARM64_MASK}:/usr/bin/qemu-aarch64-static:PF`;

/** The words in front of a command that runs in such a namespace. */
export function namespacePrefix(contents: NamespaceContents): string[] {
  const words = ["unshare", "--user", "--map-root-user", "--mount"];
  if (contents.alone === true) words.push("--pid", "--fork", "--kill-child");
  words.push(join(ROOT, "scripts", "platforms", "namespace.sh"));
  for (const directory of ["usr", "etc"]) {
    const layers = contents.roots.map((root) => join(root, directory)).filter(existsSync);
    if (layers.length > 0) words.push("overlay", layers.map(escape).join(":"), `/${directory}`);
  }
  if (contents.modules !== undefined) {
    words.push("overlay", escape(contents.modules), join(ROOT, "node_modules"));
  }
  if (contents.arm64 === true) words.push("binfmt", ARM64_FORMAT);
  if (contents.own !== undefined) words.push("private", contents.own);
  if (contents.alone === true) words.push("proc");
  return [...words, "--"];
}

/** In mount options a colon parts directories, and a comma options. */
function escape(path: string): string {
  return path.replace(/[\\:,]/g, String.raw`\$&`);
}

/**
 * Makes sure that such a namespace can be made here.
 *
 * @throws {Error} when it cannot, with what the system said.
 */
export function requireNamespace(contents: NamespaceContents): void {
  const [command = "", ...words] = [...namespacePrefix(contents), "true"];
  const { status, stderr, error } = spawnSync(command, words, {
    encoding: "utf8",
    timeout: 30_000,
  });
  if (status === 0) return;
  const said = error?.message ?? stderr.trim().split("\n").at(-1);
  throw new Error(
    `no private namespace with overlays${contents.arm64 === true ? " and binfmt_misc" : ""} can ` +
      `be made here (${said}); Linux 6.7 or newer that lets users make namespaces, or root, is needed`,
  );
}
