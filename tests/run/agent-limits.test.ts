/** How near a limit the agent finds its process, by control groups that are made up. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { compileTo } from "../support/built-once.ts";
import { temporaryDirectory } from "../support/compile.ts";
import { FIXTURES, ROOT } from "../support/runtime.ts";
import { skipUnless } from "../support/skip.ts";
import { tree } from "../support/tree.ts";

const onLinux = skipUnless(process.platform === "linux", "Linux alone has agents");
const NATIVE = join(ROOT, "ffi", "native");
const V1 = "sys/fs/cgroup/memory";
const V2 = "sys/fs/cgroup";

/** What is used of the host's 1,000 kB: nothing of a group is less than that. */
const HOST = 100;

let made: string | undefined;

/** What the agent finds in such a system, see `agent-limits.c`. */
function found(files: Readonly<Record<string, string>>, ...limit: readonly string[]) {
  made ??= compileTo(join(temporaryDirectory(), "agent-limits"), {
    options: ["-g", "-O1", "-Wall", "-Wextra", "-Werror", `-I${NATIVE}`, "-Wl,--wrap=open"],
    sources: [
      join(FIXTURES, "agent-limits.c"),
      ...["limits.c", "files.c"].map((name) => join(NATIVE, "agent", name)),
    ],
  });
  const output = execFileSync(made, [tree(files), ...limit], { encoding: "utf8" });
  const [first = "", ...opened] = output.trim().split("\n");
  const [used, group, own] = first.split(" ");
  return { used: Number(used), group, own: Number(own), opened };
}

/** A process in a group of version 1, or of 2. */
function inGroup(version: 1 | 2, group: string, mountRoot = "/"): Record<string, string> {
  const [lines, mount] = version === 1
    ? [
      `5:cpu,cpuacct:${group}\n4:memory:${group}\n0::/elsewhere`,
      `${V1} rw - cgroup cgroup rw,memory`,
    ]
    : [`0::${group}`, `${V2} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate`];
  return {
    "proc/self/cgroup": `${lines}\n`,
    "proc/self/mountinfo": "23 1 254:0 / / rw,relatime - ext4 /dev/vda1 rw\n" +
      "34 31 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n" +
      `35 31 0:32 ${mountRoot} /${mount}\n`,
    "proc/meminfo": "MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable:  900 kB\n",
    "proc/self/statm": "9 2 1 1 0 1 0\n",
  };
}

test(
  "a group of version 2 counts by its limit, without what the kernel could drop",
  onLinux,
  () => {
    const files = {
      ...inGroup(2, "/app.slice/web"),
      [`${V2}/app.slice/web/memory.max`]: "1000\n",
      [`${V2}/app.slice/web/memory.high`]: "max\n",
      [`${V2}/app.slice/web/memory.current`]: "900\n",
      [`${V2}/app.slice/web/memory.stat`]: "anon 5\ninactive_file 200\nactive_file 7\n",
    };
    const { used, group } = found(files);
    assert.deepEqual([used, group], [700, "/sys/fs/cgroup/app.slice/web"]);
    assert.equal(found({ ...files, [`${V2}/app.slice/web/memory.high`]: "800\n" }).used, 875);
    // Far from the limit it does not matter, and is not read.
    const far = found({ ...files, [`${V2}/app.slice/web/memory.current`]: "500\n" });
    assert.equal(far.used, 500);
    assert.ok(!far.opened.some((path) => path.endsWith("memory.stat")), String(far.opened));
  },
);

test("of all groups on the way up the one counts that is nearest its limit", onLinux, () => {
  const files = {
    ...inGroup(2, "/a/b/c"),
    [`${V2}/a/memory.max`]: "1000\n",
    [`${V2}/a/memory.current`]: "450\n",
    [`${V2}/a/b/memory.max`]: "max\n",
    [`${V2}/a/b/memory.current`]: "440\n",
    [`${V2}/a/b/c/memory.max`]: "2000\n",
    [`${V2}/a/b/c/memory.current`]: "400\n",
  };
  assert.equal(found(files).used, 450);
  assert.equal(found({ ...files, [`${V2}/a/b/c/memory.max`]: "800\n" }).used, 500);
});

test("a group of version 1 counts by the limit of those above it, too", onLinux, () => {
  const files = {
    ...inGroup(1, "/docker/abc"),
    [`${V1}/docker/abc/memory.limit_in_bytes`]: "9223372036854771712\n",
    [`${V1}/docker/abc/memory.usage_in_bytes`]: "900\n",
    [`${V1}/docker/abc/memory.stat`]:
      "inactive_file 1\nhierarchical_memory_limit 1000\ntotal_inactive_file 100\n",
    [`${V1}/docker/abc/memory.use_hierarchy`]: "1\n",
    [`${V1}/docker/memory.limit_in_bytes`]: "1000\n",
    [`${V1}/docker/memory.usage_in_bytes`]: "950\n",
    [`${V1}/docker/memory.use_hierarchy`]: "1\n",
  };
  const { used, group } = found(files);
  assert.deepEqual([used, group], [950, "none"]);
  // A parent that is not charged for its children has no say.
  assert.equal(found({ ...files, [`${V1}/docker/memory.use_hierarchy`]: "0\n" }).used, 800);
});

test(
  "a container's group is the mount itself, also where another's name begins as its own",
  onLinux,
  () => {
    for (const group of ["/docker/abc", "/", "/docker/abcdef", "/docker/ab"]) {
      const files = {
        ...inGroup(1, group, "/docker/abc"),
        [`${V1}/memory.limit_in_bytes`]: "9223372036854771712\n",
        [`${V1}/memory.usage_in_bytes`]: "300\n",
        [`${V1}/memory.stat`]: "hierarchical_memory_limit 1000\n",
      };
      assert.equal(found(files).used, 300, group);
    }
    const inside = {
      ...inGroup(2, "/docker/abc/inner", "/docker/abc"),
      [`${V2}/inner/memory.max`]: "1000\n",
      [`${V2}/inner/memory.current`]: "200\n",
    };
    assert.deepEqual(found(inside).group, "/sys/fs/cgroup/inner");
    assert.deepEqual(found(inside).used, 200);
  },
);

test("each file of the topmost group is read once", onLinux, () => {
  const { used, group, opened } = found({
    ...inGroup(2, "/"),
    [`${V2}/memory.max`]: "1000\n",
    [`${V2}/memory.current`]: "400\n",
  });
  assert.deepEqual([used, group], [400, "/sys/fs/cgroup"]);
  const read = opened.filter((path) => path.startsWith("/sys/"));
  assert.deepEqual(read, ["max", "high", "current"].map((name) => `/sys/fs/cgroup/memory.${name}`));
});

test("without a group's limit the host's memory counts, and the user's limit", onLinux, () => {
  const files = inGroup(2, "/a");
  assert.deepEqual([found(files).used, found(files).own], [HOST, 0]);
  // Two pages are resident.
  const page = Number(execFileSync("getconf", ["PAGESIZE"], { encoding: "utf8" }));
  assert.deepEqual(found(files, String(4 * page)).used, 500);
  const share = found(files, "80%");
  assert.deepEqual(share.own, 1000 * 1024 * 0.8);
  const limited = { ...files, [`${V2}/a/memory.max`]: `${page * 8}\n` };
  assert.deepEqual(found({ ...limited, [`${V2}/a/memory.current`]: "0\n" }, "50%").used, 500);
  const { "proc/meminfo": _, ...nothing } = files;
  assert.equal(found(nothing).used, -1);
  // As some containers have it, whose total alone is their own.
  const strange = { "proc/meminfo": "MemTotal: 1000 kB\nMemAvailable: 2000 kB\n" };
  assert.equal(found({ ...files, ...strange }).used, -1);
});
