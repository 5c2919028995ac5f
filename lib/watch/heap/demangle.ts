/**
 * Names of C++ and Rust functions, from what compilers make of them: without parameters and template
 * arguments, which fill screens. A name of a form that is not known stays as it is.
 *
 * @module
 */

/** Names that a letter stands for after `S`. */
const ABBREVIATIONS: Readonly<Record<string, string>> = {
  t: "std",
  a: "std::allocator",
  b: "std::basic_string",
  s: "std::string",
  i: "std::istream",
  o: "std::ostream",
  d: "std::iostream",
};

/** What opens something that ends at an `E`: names, arguments, expressions, literals, functions. */
const OPENING = /[NIXLJF]|D[tT]/y;

/** A literal whose type was read. */
const TYPED = "L:";

/** How a namespace without a name is called. */
const ANONYMOUS = "_GLOBAL__N_1";

/** The last part of a Rust function's name is a hash. */
const RUST_HASH = /^h[0-9a-f]{16}$/;

/** What Rust writes for characters that names cannot have. */
const RUST_ESCAPES: Readonly<Record<string, string>> = {
  "$LT$": "<",
  "$GT$": ">",
  "$RF$": "&",
  "$BP$": "*",
  "$C$": ",",
  "$u20$": " ",
  "$u7b$": "{",
  "$u7d$": "}",
  "..": "::",
};

/** A reader of one mangled name; what it does not know is a RangeError. */
class Reader {
  #at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The name, of its parts or of one. */
  name(): string[] {
    // What is within a function, such as a lambda, is called by that function.
    if (this.#take(/Z/y)) return [...this.name(), "{local}"];
    if (!this.#take(/N[rVK]*[RO]?/y)) {
      this.#take(/L/y);
      const std = this.#take(/St/y) ? ["std"] : [];
      return [...std, this.#identifier()];
    }
    const parts: string[] = [];
    while (!this.#take(/E/y)) this.#part(parts);
    return parts.map((part) => part === ANONYMOUS ? "(anonymous)" : part);
  }

  #part(parts: string[]): void {
    const own = parts.at(-1)?.split("::").at(-1) ?? "";
    if (this.#take(/I/y)) return this.#skip();
    if (this.#take(/B/y)) return void this.#identifier();
    if (this.#take(/C[1-5]/y)) return void parts.push(own);
    if (this.#take(/D[0-5]/y)) return void parts.push(`~${own}`);
    if (this.#take(/Ut\d*_/y)) return void parts.push("{unnamed}");
    if (this.#take(/Ul/y)) {
      this.#skip();
      this.#take(/\d*_/y);
      return void parts.push("{lambda}");
    }
    const abbreviation = this.#take(/S[tabsiod]/y);
    if (abbreviation) return void parts.push(ABBREVIATIONS[abbreviation[1] ?? ""] ?? "");
    if (this.#take(/S[0-9A-Z]*_|T\d*_/y)) return void parts.push("…");
    this.#take(/L/y);
    if (this.#take(/[a-z][a-zA-Z]/y)) return void parts.push("operator");
    parts.push(this.#identifier());
  }

  /** Passes over all up to the `E` that ends what was opened. */
  #skip(): void {
    // What is open, the innermost last. Of a literal first its type comes, then its value.
    const open = ["I"];
    while (open.length > 0) {
      const inLiteral = open.at(-1) === TYPED;
      if (this.#take(/E/y)) open.pop();
      else if (inLiteral && this.#take(/n?\d+/y)) continue;
      else if (/\d/.test(this.#text[this.#at] ?? "")) this.#identifier();
      else if (this.#take(/S(?:[0-9A-Z]*_|[tabsiod])|T\d*_|A\d*_/y)) continue;
      else {
        const opened = this.#take(OPENING);
        if (opened === "" && !this.#take(/[\s\S]/y)) throw new RangeError("it ends early");
        if (opened !== "") {
          this.#typed(open);
          open.push(opened);
          continue;
        }
      }
      this.#typed(open);
    }
  }

  /** A literal's type has come. */
  #typed(open: string[]): void {
    if (open.at(-1) === "L") open[open.length - 1] = TYPED;
  }

  #identifier(): string {
    const length = Number(this.#take(/\d+/y) || NaN);
    const end = this.#at + length;
    if (!(end <= this.#text.length)) throw new RangeError("no name where one must be");
    const name = this.#text.slice(this.#at, end);
    this.#at = end;
    return name;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }
}

/** A function's name as programmers know it. */
export function demangle(name: string): string {
  if (!name.startsWith("_Z")) return name;
  try {
    const parts = new Reader(name.slice(2)).name();
    if (!RUST_HASH.test(parts.at(-1) ?? "")) return parts.join("::");
    return parts.slice(0, -1).join("::").replace(/^_(?=\$)|(?<=::)_(?=\$)/g, "")
      .replace(/\$\w+\$|\.\./g, (escape) => RUST_ESCAPES[escape] ?? escape);
  } catch (error) {
    if (error instanceof RangeError) return name;
    throw error;
  }
}
