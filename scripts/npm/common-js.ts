/**
 * ES modules of the bundler's as CommonJS, which every tool can load: `require` in all of them,
 * `import` in Node, Deno and bundlers. There is one module, and so one state, however a program
 * loads it; and a runtime starts it sooner, without its loader of ES modules.
 *
 * The bundler's own CommonJS would not do: it writes the path of this machine for `import.meta.url`,
 * calls `require` for builtin modules, which a bundle of the user's may not have, and makes no
 * chunks.
 *
 * @module
 */
import vm from "node:vm";
import { nodeRefusal } from "../../ffi/node-floor.ts";

/** A module that was made CommonJS. */
export interface CommonJs {
  /** The code. */
  readonly text: string;
  /** How many lines were put before the module's own; none was added or removed behind them. */
  readonly linesBefore: number;
}

/** How a kind of module comes by others. */
export interface Loading {
  /** The first lines. */
  readonly prelude: readonly string[];
  /** The modules that it may import. */
  readonly imports: RegExp;
  /** The function that gives one. */
  readonly load: string;
}

/** A Node that is too old for the library is told so, with its version as an expression. */
function refusal(): string {
  const message = nodeRefusal("load offheap", "0.0.0")?.message ?? "";
  const [before, after] = message.split("0.0.0").map((text) => JSON.stringify(text));
  return `${before} + globalThis.process.versions.node + ${after}`;
}

/** What a bundler puts in the place of `__filename` may be nothing, or a path that is none. */
function ownUrl(load: string): string {
  return "const offheapMeta = { url: " +
    `typeof __filename === "string" && ${load}("node:path").isAbsolute(__filename) ` +
    `? ${load}("node:url").pathToFileURL(__filename).href : undefined };`;
}

/** The library may be bundled again, into what has no `require`. */
export const BUNDLED_LIBRARY: Loading = {
  prelude: [
    '"use strict";',
    "const offheapBuiltin = globalThis.process.getBuiltinModule;",
    `if (offheapBuiltin === undefined) throw new Error(${refusal()});`,
    ownUrl("offheapBuiltin"),
  ],
  imports: /^node:/,
  load: "offheapBuiltin",
};

/** The command line has chunks and packages. */
export const COMMAND_FILES: Loading = {
  prelude: ['"use strict";', ownUrl("require")],
  imports: /./,
  load: "require",
};

const HASHBANG = /^#!.*\n/;
const IMPORT = /^import\s*(?:([\w$*{},\s]+?)\s*from\s*)?"([^"]+)";$/gm;
const DYNAMIC = /\bimport\("([^"]+)"\)/g;
const EXPORT = /^export \{([^{}]*)\};$/gm;
const META = /\bimport\.meta\b/g;

/** An import that is left, of a module that may not be imported. */
const LEFT = /\bimport\(".*/;

/** The declarations for what stands between `import` and `from`. */
function declarations(clause: string, got: string): string {
  const names = /\{([^]*)\}/.exec(clause)?.[1];
  const whole = clause.replace(/\{[^]*\}/, "").split(",").map((part) => part.trim())
    .filter((part) => part !== "").map((part) => part.replace(/^\* as /, ""));
  return [
    ...whole.map((name) => `const ${name} = ${got};`),
    ...(names === undefined
      ? []
      : [`const {${names.replaceAll(" as ", ": ").replaceAll("\n", " ")}} = ${got};`]),
  ].join(" ");
}

/** The assignments for the names of an `export`. */
function assignments(names: string): string {
  const all = names.split(",").map((name) => name.trim()).filter((name) => name !== "");
  return all.map((name) => {
    const [own = "", shown = own] = name.split(" as ");
    return `exports.${shown} = ${own};`;
  }).join("\n");
}

/**
 * Makes CommonJS of an ES module. Its imports come first, as they do there.
 *
 * @param module The module, with a statement a line.
 * @throws {Error} when something is left that CommonJS has not, or that it may not import.
 */
export function toCommonJs(module: string, { prelude, imports, load }: Loading): CommonJs {
  const hashbang = HASHBANG.exec(module)?.[0] ?? "";
  const loads: string[] = [];
  const body = module.slice(hashbang.length)
    .replaceAll(IMPORT, (statement, clause: string | undefined, name: string) => {
      if (!imports.test(name)) return statement;
      const got = `${load}("${name}")`;
      loads.push(clause === undefined ? `${got};` : declarations(clause, got));
      return statement.replaceAll(/[^\n]/g, "");
    })
    .replaceAll(
      DYNAMIC,
      (call, name: string) =>
        imports.test(name) ? `Promise.resolve().then(() => ${load}("${name}"))` : call,
    )
    .replaceAll(EXPORT, (_, names: string) => assignments(names))
    .replaceAll(META, "offheapMeta");
  const before = [...prelude, ...loads];
  const text = [...before, body].join("\n");
  requireScript(text);
  return { text: `${hashbang}${text}`, linesBefore: before.length };
}

/** A parser tells what is left of an ES module: a line of a text in the code may look like it, too. */
function requireScript(text: string): void {
  let left = LEFT.exec(text)?.[0];
  try {
    new vm.Script(`(function (exports, require, __filename) {${text}\n})`);
  } catch (error) {
    left = error instanceof Error ? error.message : String(error);
  }
  if (left !== undefined) throw new Error(`Cannot make CommonJS of a module: it has "${left}"`);
}
