import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { ALLOCATOR_NAMES, type AllocatorName } from "../../lib/allocators/mod.ts";
import { ALLOCATOR_POLICY, selectAllocator } from "../../lib/allocators/policy.ts";

const EXPECTED: Readonly<Record<NodeJS.Platform, AllocatorName>> = {
  aix: "jemalloc",
  android: "jemalloc",
  cygwin: "jemalloc",
  darwin: "mimalloc",
  freebsd: "jemalloc",
  haiku: "jemalloc",
  linux: "jemalloc",
  netbsd: "jemalloc",
  openbsd: "jemalloc",
  sunos: "jemalloc",
  win32: "mimalloc",
};

for (const [platform, allocator] of Object.entries(EXPECTED)) {
  test(`the policy gives ${platform} ${allocator}, with a reason`, () => {
    const selection = selectAllocator({ platform });
    assert.equal(selection.allocator, allocator);
    assert.equal(selection.origin, "policy");
    assert.ok(selection.reason.length > 10);
  });
}

test("the policy has exactly one row for each platform", () => {
  assert.deepEqual(Object.keys(ALLOCATOR_POLICY).sort(), Object.keys(EXPECTED).sort());
});

test("this process's own platform has a row", () => {
  assert.ok(ALLOCATOR_NAMES.includes(selectAllocator({ platform: process.platform }).allocator));
});

test("the option wins over the environment, and the environment over the policy", () => {
  const environment = { OFFHEAP_ALLOCATOR: "mimalloc" };
  const byOption = selectAllocator({ platform: "linux", option: "system", environment });
  assert.equal(byOption.allocator, "system");
  assert.equal(byOption.origin, "option");
  const byEnvironment = selectAllocator({ platform: "linux", environment });
  assert.equal(byEnvironment.allocator, "mimalloc");
  assert.equal(byEnvironment.origin, "environment");
  assert.match(byEnvironment.reason, /OFFHEAP_ALLOCATOR=mimalloc/);
});

test("every allocator's name is accepted from the option and from the environment", () => {
  for (const name of ALLOCATOR_NAMES) {
    assert.equal(selectAllocator({ platform: "win32", option: name }).allocator, name);
    const environment = { OFFHEAP_ALLOCATOR: name };
    assert.equal(selectAllocator({ platform: "win32", environment }).allocator, name);
  }
});

test("auto means the policy, and as an option it also silences the environment", () => {
  const environment = { OFFHEAP_ALLOCATOR: "system" };
  const option = selectAllocator({ platform: "darwin", option: "auto", environment });
  assert.deepEqual([option.allocator, option.origin], ["mimalloc", "policy"]);
  const variable = selectAllocator({
    platform: "darwin",
    environment: { OFFHEAP_ALLOCATOR: "auto" },
  });
  assert.deepEqual([variable.allocator, variable.origin], ["mimalloc", "policy"]);
});

test("an empty OFFHEAP_ALLOCATOR counts as unset", () => {
  const environment = { OFFHEAP_ALLOCATOR: "" };
  assert.equal(selectAllocator({ platform: "linux", environment }).origin, "policy");
});

test("an unknown allocator is refused, and the message lists the known ones and the value", () => {
  const known = /one of auto, jemalloc, mimalloc, tcmalloc, system; got '/;
  for (const option of ["hoard", "Jemalloc", " jemalloc", "", "constructor", "__proto__"]) {
    assert.throws(() => selectAllocator({ platform: "linux", option }), (error: unknown) => {
      assert.ok(error instanceof RangeError);
      assert.match(error.message, known);
      assert.ok(error.message.includes(`'${option}'`));
      return true;
    });
  }
  const environment = { OFFHEAP_ALLOCATOR: "glibc" };
  assert.throws(
    () => selectAllocator({ platform: "linux", environment }),
    { name: "RangeError", message: /OFFHEAP_ALLOCATOR must be one of .*; got 'glibc'/ },
  );
});

test("an unknown platform is refused, and the message lists the known ones", () => {
  for (const platform of ["plan9", "", "toString"]) {
    assert.throws(
      () => selectAllocator({ platform }),
      { name: "RangeError", message: /one of .*linux.*darwin.*; got '/ },
    );
  }
});

test("values of the wrong type are refused as a TypeError that shows them", () => {
  const wrong: unknown[] = [
    undefined,
    null,
    7,
    {},
    { platform: 7 },
    { platform: "linux", option: 7 },
    { platform: "linux", option: null },
    { platform: "linux", environment: "OFFHEAP_ALLOCATOR=jemalloc" },
    { platform: "linux", environment: null },
    { platform: "linux", environment: { OFFHEAP_ALLOCATOR: 7 } },
  ];
  for (const request of wrong) {
    assert.throws(
      () => Reflect.apply(selectAllocator, undefined, [request]),
      { name: "TypeError", message: /^Cannot select an allocator: .* must be .*; got / },
    );
  }
});
