import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Descriptor,
  type DescriptorHistory,
  fileFlags,
  isMarked,
  isOfCache,
  markedSinceStart,
} from "../../lib/run/descriptors.ts";

const NOTHING_KNOWN: DescriptorHistory = { ofParent: () => null, isOlder: () => false };

function descriptor(number: number, link: string, flags = "02100000", more = ""): Descriptor {
  return { number, link, info: `pos:\t0\nflags:\t${flags}\nmnt_id:\t15\nino:\t9\n${more}` };
}

function loop(first: number): Descriptor[] {
  return [
    descriptor(first, "anon_inode:[eventpoll]", "02000002"),
    descriptor(first + 1, "anon_inode:[eventfd]", "02004002", `eventfd-id:\t${first}\n`),
  ];
}

/** What an event loop has for signals: both ends of a pipe. */
function pipe(read: number, write: number, name: string): Descriptor[] {
  return [descriptor(read, name, "02004000"), descriptor(write, name, "02004001")];
}

test("what is close-on-exec, and what kind of file it is, is read from its flags", () => {
  const marked = descriptor(3, "/a", "02104001");
  assert.deepEqual([isMarked(marked), fileFlags(marked)], [true, 0o104001]);
  const plain = descriptor(3, "/a", "0100000");
  assert.deepEqual([isMarked(plain), fileFlags(plain)], [false, 0o100000]);
});

test("what is of a runtime's caches is not taken for what came in", () => {
  const named = ["/tmp/compiled/v1.4.5-", "/tmp/transpiled/"];
  const links = {
    "/root/.cache/bun/@t@": true,
    "/root/.cache/bun/@t@/.a6e097b61f937815-0..pile": true,
    "/tmp/compiled/v1.4.5-x64": true,
    "/tmp/transpiled": true,
    "/tmp/transpiled/8c27dfbb36f60cbe.pile (deleted)": true,
    "/tmp/compiled": false,
    "/tmp/transpiled2": false,
    "/srv/tmp/transpiled/file": false,
    "/srv/@t@x/file": false,
  };
  const found = Object.keys(links).map((link) => [
    link,
    isOfCache(descriptor(3, link), named),
  ]);
  assert.deepEqual(Object.fromEntries(found), links);
});

test("where all that came in is marked, everything but the event loop's came in", () => {
  const all = [
    ...loop(3),
    descriptor(5, "/dev/null"),
    ...pipe(6, 7, "pipe:[1]"),
    descriptor(8, "socket:[2]"),
    descriptor(20, "/tmp/lock", "0100001"),
    descriptor(63, "pipe:[3]"),
  ];
  assert.deepEqual(markedSinceStart(all, "all", NOTHING_KNOWN), [5, 6, 7, 8, 63]);
  assert.deepEqual(markedSinceStart(all, "none", NOTHING_KNOWN), []);
});

/** A runtime that has taken the lowest free numbers: 4 and 9 came in, and so did 17, 18 and 40. */
const GAPS: readonly Descriptor[] = [
  descriptor(3, "anon_inode:[eventpoll]"),
  descriptor(4, "/dev/null"),
  descriptor(5, "anon_inode:[io_uring]"),
  ...pipe(6, 7, "pipe:[1]"),
  descriptor(8, "anon_inode:[eventfd]"),
  descriptor(9, "/tmp/lock"),
  ...loop(10),
  ...pipe(12, 13, "pipe:[2]"),
  ...loop(14),
  descriptor(16, "pipe:[5]", "02000001"),
  descriptor(17, "pipe:[6]"),
  descriptor(18, "/dev/null"),
  descriptor(19, "anon_inode:[eventpoll]"),
  descriptor(20, "/dev/null"),
  descriptor(21, "/dev/pts/4"),
  descriptor(40, "/tmp/lock", "0100000"),
];

test("where the first are marked, what comes after the event loops is the runtime's, of any kind", () => {
  assert.deepEqual(markedSinceStart(GAPS, "before-gap", NOTHING_KNOWN), [4, 9, 16, 17, 18]);
});

test("a pipe of both ends came in when the parent has it, too, or when it is older", () => {
  const jobs = pipe(4, 6, "pipe:[77]");
  const all = [descriptor(3, "anon_inode:[eventpoll]"), ...jobs, ...pipe(7, 8, "pipe:[78]")];
  const ask = (history: Partial<DescriptorHistory>): number[] =>
    markedSinceStart(all, "before-gap", { ...NOTHING_KNOWN, ...history });
  assert.deepEqual(ask({}), []);
  assert.deepEqual(
    ask({ ofParent: (number) => jobs.find((one) => one.number === number) ?? null }),
    [
      4,
      6,
    ],
  );
  assert.deepEqual(ask({ isOlder: (number) => number < 7 }), [4, 6]);
  // Another pipe of the parent's at that number says nothing.
  assert.deepEqual(ask({ ofParent: (number) => descriptor(number, "pipe:[99]") }), []);
});

test("an eventfd came in when the parent has the same one, and not when it has one", () => {
  const own = descriptor(5, "anon_inode:[eventfd]", "02000002", "eventfd-id:\t31\n");
  const all = [...loop(3), own];
  const parents = (id: number): DescriptorHistory => ({
    ...NOTHING_KNOWN,
    ofParent: (number) =>
      descriptor(number, "anon_inode:[eventfd]", "02000002", `eventfd-id:\t${id}\n`),
  });
  assert.deepEqual(markedSinceStart(all, "all", parents(31)), [5]);
  assert.deepEqual(markedSinceStart(all, "all", parents(32)), []);
  assert.deepEqual(markedSinceStart(all, "all", NOTHING_KNOWN), []);
});
