/**
 * Reads the JUnit reports that the runtimes' test runners write: totals, and skipped tests.
 *
 * @module
 */
import { XMLParser, XMLValidator } from "fast-xml-parser";

/** A report's totals. */
export interface Totals {
  /** Tests that passed. */
  readonly passed: number;
  /** Tests that failed or were cancelled. */
  readonly failed: number;
  /** Tests that were skipped, those marked `todo` included. */
  readonly skipped: number;
}

/** A test that was skipped. */
export interface Skip {
  /** The test's name, with the names of its groups before it in Deno. */
  readonly name: string;
  /** Why; `null` when nothing said so. */
  readonly reason: string | null;
}

/** What a report says. */
export interface Summary extends Totals {
  readonly skips: readonly Skip[];
}

/** An element, as the parser gives it: attributes by their names, children as lists. */
interface Suite {
  readonly testsuite?: readonly Suite[];
  readonly testcase?: readonly Case[];
}

interface Case {
  readonly name: string;
  readonly failure?: readonly unknown[];
  readonly error?: readonly unknown[];
  readonly skipped?: readonly ({ readonly message?: string } | string)[];
}

const LISTS = new Set(["testsuite", "testcase", "failure", "error", "skipped"]);

const parser: XMLParser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "",
  parseAttributeValue: false,
  parseTagValue: false,
  isArray: (name) => LISTS.has(name),
});

/** What a runner gives as the reason where it has none. */
const NO_REASONS: ReadonlySet<string | undefined> = new Set([undefined, "", "true", "TODO"]);

/** The line that `tests/support/skip.ts` prints, for runners that leave the reason out. */
const PRINTED_REASON = /^# skip: (.+)$/gm;

/**
 * Reads a report.
 *
 * @param xml The report; empty where it is missing.
 * @param output What the tests printed. Deno's and Bun's reports leave out why a test was skipped;
 * the lines that the tests print come in the order of the tests, so as many lines as skips belong
 * to them one by one.
 * @param isChosen Whether a test was to run. Deno and Bun report tests that a filter left out as
 * skipped.
 * @returns `null` for a report that is not there or is truncated: the runner did not get to its end.
 */
export function readReport(
  xml: string,
  output: string,
  isChosen: (name: string) => boolean = () => true,
): Summary | null {
  if (XMLValidator.validate(xml) !== true) return null;
  const { testsuites }: { testsuites?: Suite | "" } = parser.parse(xml);
  if (testsuites === undefined) return null;
  const cases = testsuites === "" ? [] : casesOf(testsuites);
  const failed = cases.filter(({ failure, error }) => (failure ?? error) !== undefined).length;
  const skipped = cases.filter((test) => test.skipped !== undefined);
  const chosen = skipped.filter(({ name }) => isChosen(name));
  const printed = [...output.matchAll(PRINTED_REASON)].map(([, reason = ""]) => reason);
  const paired = printed.length === skipped.length;
  return {
    passed: cases.length - failed - skipped.length,
    failed,
    skipped: chosen.length,
    skips: chosen.map((test) => ({
      name: test.name,
      reason: reasonOf(test) ?? (paired ? printed[skipped.indexOf(test)] ?? null : null),
    })),
  };
}

function casesOf({ testcase = [], testsuite = [] }: Suite): Case[] {
  return [...testcase, ...testsuite.flatMap(casesOf)];
}

function reasonOf({ skipped = [] }: Case): string | null {
  const [first = ""] = skipped;
  const message = typeof first === "string" ? undefined : first.message;
  return message === undefined || NO_REASONS.has(message) ? null : message;
}
