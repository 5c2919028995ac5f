import assert from "node:assert/strict";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { openCgroup, readCgroupMemory } from "../../lib/watch/info/cgroup.ts";
import { readMemory } from "../../lib/watch/info/memory.ts";
import { tree } from "../support/tree.ts";
import { skipUnless } from "../support/skip.ts";

const MIB = 2 ** 20;
const V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
const V1_MOUNT = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory";
const ROOT_MOUNT = "23 1 254:0 / / rw,relatime - ext4 /dev/vda1 rw";
const MEMINFO = "MemTotal:        8388608 kB\nMemFree:          102400 kB\n" +
  "MemAvailable:    4194304 kB\nBuffers:           10240 kB\nCached:          204800 kB\n";
const V1_UNLIMITED = "9223372036854771712";

function self(cgroup: string, ...mounts: string[]): Record<string, string> {
  return {
    "proc/self/cgroup": `${cgroup}\n`,
    "proc/self/mountinfo": `${[ROOT_MOUNT, ...mounts].join("\n")}\n`,
    "proc/meminfo": MEMINFO,
  };
}

test("a version 2 limit, usage and inactive cache are read from the process's own group", () => {
  const root = tree({
    ...self("0::/app.slice/web.service", V2_MOUNT),
    "sys/fs/cgroup/app.slice/web.service/memory.max": `${512 * MIB}\n`,
    "sys/fs/cgroup/app.slice/web.service/memory.high": "max\n",
    "sys/fs/cgroup/app.slice/web.service/memory.current": `${300 * MIB}\n`,
    "sys/fs/cgroup/app.slice/web.service/memory.stat": `anon ${200 * MIB}\ninactive_file ${
      40 * MIB
    }\nactive_file ${60 * MIB}\n`,
  });
  const path = join(root, "sys/fs/cgroup/app.slice/web.service");
  assert.deepEqual(readCgroupMemory({ root }), {
    version: 2,
    path,
    limit: 512 * MIB,
    limitSource: join(path, "memory.max"),
    high: null,
    usage: 300 * MIB,
    reclaimable: 40 * MIB,
    available: 252 * MIB,
    events: { limitReached: null, outOfMemory: null, killed: null },
  });
});

test("no more can be reclaimed than is used, though the two were read at different times", () => {
  const memory = readCgroupMemory({
    root: tree({
      ...self("0::/a", V2_MOUNT),
      "sys/fs/cgroup/a/memory.max": `${100 * MIB}\n`,
      "sys/fs/cgroup/a/memory.current": `${20 * MIB}\n`,
      "sys/fs/cgroup/a/memory.stat": `inactive_file ${30 * MIB}\n`,
    }),
  });
  assert.equal(memory?.reclaimable, 20 * MIB);
  assert.equal(memory?.available, 100 * MIB);
});

test("a group's events are read by the names of each version", () => {
  const group = "sys/fs/cgroup/a";
  const newer = readCgroupMemory({
    root: tree({
      ...self("0::/a", V2_MOUNT),
      [`${group}/memory.current`]: `${MIB}\n`,
      [`${group}/memory.events`]: "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n",
    }),
  });
  assert.deepEqual(newer?.events, { limitReached: 3, outOfMemory: 4, killed: 5 });
  const older = readCgroupMemory({
    root: tree({
      ...self("4:memory:/a", V1_MOUNT),
      "sys/fs/cgroup/memory/a/memory.usage_in_bytes": `${MIB}\n`,
      "sys/fs/cgroup/memory/a/memory.failcnt": "7\n",
      "sys/fs/cgroup/memory/a/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 8\n",
    }),
  });
  assert.deepEqual(older?.events, { limitReached: 7, outOfMemory: null, killed: 8 });
});

test("the tightest limit on the way up counts, wherever it is", () => {
  const root = tree({
    ...self("0::/a/b/c", V2_MOUNT),
    "sys/fs/cgroup/a/memory.max": `${256 * MIB}\n`,
    "sys/fs/cgroup/a/memory.current": `${250 * MIB}\n`,
    "sys/fs/cgroup/a/b/memory.max": "max\n",
    "sys/fs/cgroup/a/b/memory.current": `${100 * MIB}\n`,
    "sys/fs/cgroup/a/b/c/memory.max": `${1024 * MIB}\n`,
    "sys/fs/cgroup/a/b/c/memory.current": `${64 * MIB}\n`,
  });
  const memory = readCgroupMemory({ root });
  assert.equal(memory?.limit, 256 * MIB);
  assert.equal(memory?.limitSource, join(root, "sys/fs/cgroup/a/memory.max"));
  assert.equal(memory?.usage, 64 * MIB);
  assert.equal(memory?.available, 6 * MIB);
});

test("what is left is read again, of each group that has a limit and of no other file", () => {
  const groups = "sys/fs/cgroup/a";
  const root = tree({
    ...self("0::/a/b", V2_MOUNT),
    [`${groups}/memory.max`]: `${256 * MIB}\n`,
    [`${groups}/memory.current`]: `${100 * MIB}\n`,
    [`${groups}/b/memory.high`]: `${128 * MIB}\n`,
    [`${groups}/b/memory.current`]: `${28 * MIB}\n`,
  });
  const group = openCgroup({ root });
  assert.equal(group?.memory.available, 100 * MIB);
  rmSync(join(root, "proc"), { recursive: true });
  writeFileSync(join(root, groups, "b/memory.current"), `${100 * MIB}\n`);
  assert.equal(group?.available(), 28 * MIB);
  writeFileSync(join(root, groups, "memory.current"), `${255 * MIB}\n`);
  assert.equal(group?.available(), MIB);
  rmSync(join(root, groups), { recursive: true });
  assert.equal(group?.available(), null, "the group is gone");
  const free = { ...self("0::/a", V2_MOUNT), [`${groups}/memory.current`]: `${MIB}\n` };
  assert.equal(openCgroup({ root: tree(free) })?.available(), null, "it has no limit");
  assert.equal(openCgroup({ root: tree({}) }), null);
});

test("mount points are understood with a slash at the end, and with several", () => {
  for (const point of ["/sys/fs/cgroup/", "/sys/fs/cgroup///", "/sys/fs//cgroup"]) {
    const root = tree({
      ...self("0::/a", V2_MOUNT.replace("/sys/fs/cgroup", point)),
      "sys/fs/cgroup/a/memory.max": `${256 * MIB}\n`,
      "sys/fs/cgroup/a/memory.current": `${MIB}\n`,
    });
    for (const start of [root, `${root}/`]) {
      const memory = readCgroupMemory({ root: start });
      assert.equal(memory?.limit, 256 * MIB, point);
      assert.equal(memory?.path, join(root, "sys/fs/cgroup/a"));
    }
  }
});

test("a mount at the root of all files ends the way up", () => {
  const root = tree({
    ...self("0::/a", V2_MOUNT.replace("/sys/fs/cgroup", "/")),
    "a/memory.max": `${256 * MIB}\n`,
    "a/memory.current": `${MIB}\n`,
  });
  assert.equal(readCgroupMemory({ root })?.limit, 256 * MIB);
});

test("a full ancestor leaves nothing, although the tightest limit is another's", () => {
  const root = tree({
    ...self("0::/a/b", V2_MOUNT),
    "sys/fs/cgroup/a/memory.max": `${256 * MIB}\n`,
    "sys/fs/cgroup/a/memory.current": `${256 * MIB}\n`,
    "sys/fs/cgroup/a/b/memory.max": `${128 * MIB}\n`,
    "sys/fs/cgroup/a/b/memory.current": `${28 * MIB}\n`,
  });
  const memory = readCgroupMemory({ root });
  assert.equal(memory?.limit, 128 * MIB);
  assert.equal(memory?.available, 0);
});

test("memory.high bounds what is available, but is no hard limit", () => {
  const root = tree({
    ...self("0::/a", V2_MOUNT),
    "sys/fs/cgroup/a/memory.max": "max\n",
    "sys/fs/cgroup/a/memory.high": `${200 * MIB}\n`,
    "sys/fs/cgroup/a/memory.current": `${50 * MIB}\n`,
  });
  const memory = readCgroupMemory({ root });
  assert.equal(memory?.limit, null);
  assert.equal(memory?.high, 200 * MIB);
  assert.equal(memory?.available, 150 * MIB);
});

test("a version 1 limit is read, and its largest number means that there is no limit", () => {
  const files = {
    ...self("9:name=systemd:/x\n4:cpu,memory:/docker/1f\n0::/", V1_MOUNT),
    "sys/fs/cgroup/memory/memory.limit_in_bytes": `${V1_UNLIMITED}\n`,
    "sys/fs/cgroup/memory/memory.usage_in_bytes": `${4096 * MIB}\n`,
    "sys/fs/cgroup/memory/docker/1f/memory.limit_in_bytes": `${400 * MIB}\n`,
    "sys/fs/cgroup/memory/docker/1f/memory.usage_in_bytes": `${100 * MIB}\n`,
    "sys/fs/cgroup/memory/docker/1f/memory.stat": `total_inactive_file ${10 * MIB}\n`,
  };
  const limited = readCgroupMemory({ root: tree(files) });
  assert.equal(limited?.version, 1);
  assert.equal(limited?.limit, 400 * MIB);
  assert.equal(limited?.available, 310 * MIB);
  const free = readCgroupMemory({
    root: tree({
      ...files,
      "sys/fs/cgroup/memory/docker/1f/memory.limit_in_bytes": `${V1_UNLIMITED}\n`,
    }),
  });
  assert.equal(free?.limit, null);
  assert.equal(free?.available, null);
});

test("version 1's word for its ancestors counts when they cannot be seen", () => {
  const root = tree({
    ...self("4:memory:/docker/1f/inner", V1_MOUNT.replace(" / /sys", " /docker/1f/inner /sys")),
    "sys/fs/cgroup/memory/memory.limit_in_bytes": `${900 * MIB}\n`,
    "sys/fs/cgroup/memory/memory.usage_in_bytes": `${100 * MIB}\n`,
    "sys/fs/cgroup/memory/memory.stat": `hierarchical_memory_limit ${300 * MIB}\n`,
  });
  const memory = readCgroupMemory({ root });
  assert.equal(memory?.limit, 300 * MIB);
  assert.equal(memory?.limitSource, join(root, "sys/fs/cgroup/memory/memory.stat"));
});

test("a version 1 parent without use_hierarchy does not limit its children", () => {
  const root = tree({
    ...self("4:memory:/a/b", V1_MOUNT),
    "sys/fs/cgroup/memory/a/memory.use_hierarchy": "0\n",
    "sys/fs/cgroup/memory/a/memory.limit_in_bytes": `${10 * MIB}\n`,
    "sys/fs/cgroup/memory/a/memory.usage_in_bytes": `${1 * MIB}\n`,
    "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": `${50 * MIB}\n`,
    "sys/fs/cgroup/memory/a/b/memory.usage_in_bytes": `${1 * MIB}\n`,
  });
  assert.equal(readCgroupMemory({ root })?.limit, 50 * MIB);
});

test("a container's group is found at the mount, with and without its own namespace", () => {
  const files = {
    "sys/fs/cgroup/memory.max": `${128 * MIB}\n`,
    "sys/fs/cgroup/memory.current": `${28 * MIB}\n`,
  };
  const mounts = [
    ["0::/", V2_MOUNT],
    ["0::/kubepods/pod1/c1", V2_MOUNT.replace(" / /sys", " /kubepods/pod1/c1 /sys")],
    ["0::/../../other", V2_MOUNT.replace(" / /sys", " /../.. /sys")],
    ["0::/not/visible/here", V2_MOUNT],
    ["0::/elsewhere", V2_MOUNT.replace(" / /sys", " /kubepods/pod1/c1 /sys")],
  ];
  for (const [group = "", mount = ""] of mounts) {
    const memory = readCgroupMemory({ root: tree({ ...self(group, mount), ...files }) });
    assert.equal(memory?.limit, 128 * MIB, group);
    assert.equal(memory?.available, 100 * MIB, group);
  }
});

test("a group inside a container is found below the mount", () => {
  const root = tree({
    ...self("0::/pods/c1/inner", V2_MOUNT.replace(" / /sys", " /pods/c1 /sys")),
    "sys/fs/cgroup/memory.max": `${128 * MIB}\n`,
    "sys/fs/cgroup/memory.current": `${28 * MIB}\n`,
    "sys/fs/cgroup/inner/memory.max": `${64 * MIB}\n`,
    "sys/fs/cgroup/inner/memory.current": `${14 * MIB}\n`,
  });
  const memory = readCgroupMemory({ root });
  assert.deepEqual([memory?.limit, memory?.usage], [64 * MIB, 14 * MIB]);
});

test("with both versions mounted, the one that holds the memory controller is read", () => {
  const root = tree({
    ...self("4:memory:/a\n0::/b", V1_MOUNT, V2_MOUNT.replace("/sys/fs/cgroup", "/sys/fs/unified")),
    "sys/fs/cgroup/memory/a/memory.limit_in_bytes": `${70 * MIB}\n`,
    "sys/fs/cgroup/memory/a/memory.usage_in_bytes": `${7 * MIB}\n`,
    "sys/fs/unified/b/memory.max": `${80 * MIB}\n`,
  });
  const memory = readCgroupMemory({ root });
  assert.deepEqual([memory?.version, memory?.limit], [1, 70 * MIB]);
});

test("mount points with escaped characters and group names with colons are understood", () => {
  const root = tree({
    ...self("0::/odd:name", V2_MOUNT.replace("/sys/fs/cgroup", "/sys/fs/c\\040group")),
    "sys/fs/c group/odd:name/memory.max": `${90 * MIB}\n`,
    "sys/fs/c group/odd:name/memory.current": `${1 * MIB}\n`,
  });
  assert.equal(readCgroupMemory({ root })?.limit, 90 * MIB);
});

test("no control groups, or none that counts memory, is said as such", () => {
  assert.equal(readCgroupMemory({ root: tree({}) }), null);
  assert.equal(readCgroupMemory({ root: tree(self("0::/", V2_MOUNT)) }), null);
  assert.equal(readCgroupMemory({ root: tree(self("4:memory:/a")) }), null);
});

test("a limit that is no number is an error that names the file and shows the text", () => {
  const root = tree({
    ...self("0::/a", V2_MOUNT),
    "sys/fs/cgroup/a/memory.max": "plenty\n",
    "sys/fs/cgroup/a/memory.current": "1\n",
  });
  assert.throws(() => readCgroupMemory({ root }), {
    code: "ERR_OFFHEAP_SYSTEM_INFO",
    message: /Cannot understand ".*memory\.max": .* got "plenty"/,
  });
});

test("a file that the system refuses to give is an error, not an absent limit", () => {
  const root = tree(self("0::/a", V2_MOUNT));
  mkdirSync(join(root, "sys/fs/cgroup/a/memory.max"), { recursive: true });
  assert.throws(() => readCgroupMemory({ root }), {
    code: "ERR_OFFHEAP_SYSTEM_INFO",
    message: /Cannot read ".*memory\.max": EISDIR/,
  });
});

test(
  "a file of another user is an error, not an absent limit",
  skipUnless(process.getuid?.() !== 0, "root may read every file"),
  () => {
    const root = tree({ ...self("0::/a", V2_MOUNT), "sys/fs/cgroup/a/memory.max": "1\n" });
    chmodSync(join(root, "sys/fs/cgroup/a/memory.max"), 0);
    assert.throws(() => readCgroupMemory({ root }), /EACCES/);
  },
);

test("an invalid process ID is refused", () => {
  for (const pid of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => readCgroupMemory({ pid }), { name: "RangeError", message: /got / });
  }
});

test("memory is the host's when no control group limits it", () => {
  const memory = readMemory({ root: tree(self("0::/", V2_MOUNT)) });
  assert.equal(memory.limitedBy, "host");
  assert.equal(memory.total, 8192 * MIB);
  assert.equal(memory.available, 4096 * MIB);
});

test("memory is the control group's when that is tighter than the host", () => {
  const files = self("0::/a", V2_MOUNT);
  const group = (max: number, current: number): Record<string, string> => ({
    ...files,
    "sys/fs/cgroup/a/memory.max": `${max * MIB}\n`,
    "sys/fs/cgroup/a/memory.current": `${current * MIB}\n`,
  });
  const tight = readMemory({ root: tree(group(512, 500)) });
  assert.deepEqual([tight.limitedBy, tight.total, tight.available], [
    "cgroup",
    512 * MIB,
    12 * MIB,
  ]);
  assert.equal(tight.hostTotal, 8192 * MIB);
  const wide = readMemory({ root: tree(group(16384, 500)) });
  assert.deepEqual([wide.limitedBy, wide.total, wide.available], ["host", 8192 * MIB, 4096 * MIB]);
  const busyHost = readMemory({ root: tree(group(6144, 10)) });
  assert.equal(busyHost.available, 4096 * MIB);
});

test("an old kernel without MemAvailable gets the sum of free memory and cache", () => {
  const files = self("0::/", V2_MOUNT);
  files["proc/meminfo"] = MEMINFO.replace(/MemAvailable.*\n/, "");
  assert.equal(readMemory({ root: tree(files) }).available, (102400 + 10240 + 204800) * 1024);
});

test("without /proc, the runtime's own figures stand in", () => {
  const memory = readMemory({ root: tree({}) });
  assert.equal(memory.total, totalmem());
  assert.ok(memory.available > 0 && memory.available <= memory.total);
  assert.ok(freemem() > 0);
});

test(
  "the machine's real figures are plausible",
  skipUnless(process.platform === "linux", "needs /proc"),
  () => {
    const memory = readMemory();
    assert.ok(memory.total > 0 && memory.total <= memory.hostTotal);
    assert.ok(memory.available > 0 && memory.available <= memory.total);
  },
);
