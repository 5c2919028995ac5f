import assert from "node:assert/strict";
import { test } from "node:test";
import type { Verification } from "../../lib/verify/types.ts";
import { explainMismatch, servesMalloc } from "../../lib/verify/require.ts";
import { requireAllocator, verifyAllocator } from "../../mod.ts";
import { API_CHILD, type ApiCall, callApi } from "../support/api.ts";
import { compileShared } from "../support/compile.ts";
import { IS_MUSL } from "../support/libc.ts";
import { builtLibrary, offheapCommand, runtimeCommand } from "../support/runtime.ts";

const LIBC = IS_MUSL ? "musl" : "glibc";
const ALLOCATORS = ["jemalloc", "mimalloc"] as const;
const OTHER = { jemalloc: "mimalloc", mimalloc: "jemalloc" } as const;

test("in a plain process another allocator is missed, and the message says what to do", () => {
  for (const allocator of ALLOCATORS) {
    assert.throws(() => requireAllocator(allocator), (error: unknown) => {
      assert.ok(error instanceof Error);
      assert.equal(error.name, "VerificationError");
      assert.equal(Reflect.get(error, "code"), "ERR_OFFHEAP_VERIFICATION");
      const { processAllocatorVersion } = verifyAllocator();
      const version = processAllocatorVersion === null ? "" : ` ${processAllocatorVersion}`;
      assert.equal(version === "", IS_MUSL, "only musl reports no version");
      assert.equal(
        error.message,
        `This process's malloc must be served by ${allocator}; it is served by ${LIBC}` +
          `${version} (verified). Start the program with ` +
          `"offheap run --allocator ${allocator} -- …", and see that nothing in between, such as ` +
          "a process manager, drops LD_PRELOAD.",
      );
      return true;
    });
  }
});

test("in a plain process the system's allocator is there, and the verification comes back", () => {
  const found = requireAllocator("system");
  assert.deepEqual([found.processAllocator, found.processAllocatorVerified], [LIBC, true]);
});

for (const allocator of ALLOCATORS) {
  test(`under run, ${allocator} passes and every other one is missed`, async () => {
    const calls: ApiCall[] = [
      ["requireAllocator", allocator],
      ["requireAllocator", OTHER[allocator]],
      ["requireAllocator", "system"],
    ];
    const command = offheapCommand("run", "-a", allocator, "--", ...runtimeCommand(API_CHILD));
    const [passed, ...missed] = await callApi<Verification>(calls, {}, command);
    assert.equal(passed?.value?.processAllocator, allocator, String(passed?.error?.message));
    assert.equal(passed?.value?.processAllocatorVerified, true);
    assert.equal(missed.length, 2);
    for (const { error } of missed) {
      assert.equal(error?.code, "ERR_OFFHEAP_VERIFICATION");
      const served = new RegExp(`; it is served by ${allocator} \\d+\\.\\d+\\.\\d+ \\(verified\\)`);
      assert.match(String(error?.message), served);
    }
  });
}

test("openAllocator() takes who serves the process, unless it is told otherwise", async () => {
  const calls: ApiCall[] = [["openAllocator"], ["openAllocator", { allocator: "jemalloc" }]];
  const command = offheapCommand("run", "-a", "mimalloc", "--", ...runtimeCommand(API_CHILD));
  for (const [told, first] of [[undefined, "mimalloc"], ["jemalloc", "jemalloc"]] as const) {
    const variables = { OFFHEAP_ALLOCATOR: told };
    const opened = await callApi<{ readonly name: string }>(calls, { variables }, command);
    assert.deepEqual(opened.map(({ value }) => value?.name), [first, "jemalloc"]);
  }
});

test("without a name it is what run takes: OFFHEAP_ALLOCATOR, else the policy; auto is the policy", async () => {
  const calls: ApiCall[] = [["requireAllocator"], ["requireAllocator", "auto"]];
  const preload = { LD_PRELOAD: builtLibrary("jemalloc") };
  for (const { value } of await callApi<Verification>(calls, { variables: preload })) {
    assert.equal(value?.processAllocator, "jemalloc");
  }
  const variables = { ...preload, OFFHEAP_ALLOCATOR: "mimalloc" };
  const [byVariable, byAuto] = await callApi<Verification>(calls, { variables });
  assert.match(String(byVariable?.error?.message), /served by mimalloc; it is served by jemalloc/);
  assert.equal(byAuto?.value?.processAllocator, "jemalloc", "auto as an option asks the policy");
});

test("a decoy is no allocator: what spoke against it is in the message", async () => {
  const decoy = compileShared("decoy-malloc.c", "require-decoy.so", ["-DDECOY_MALLCTL"]);
  const calls: ApiCall[] = [["requireAllocator", "jemalloc"], ["requireAllocator", "system"]];
  for (const { error } of await callApi(calls, { variables: { LD_PRELOAD: decoy } })) {
    assert.equal(error?.name, "VerificationError");
    assert.match(
      String(error?.message),
      /it is served by unknown \(not verified\)\. counter: .*moved by .*\. Start the program with /,
    );
  }
});

test("only a verified process counts, and only under the name that was asked for", () => {
  const found = verifyAllocator();
  const cases: readonly (readonly [Partial<Verification>, string, boolean])[] = [
    [{ processAllocator: "jemalloc", processAllocatorVerified: true }, "jemalloc", true],
    [{ processAllocator: "jemalloc", processAllocatorVerified: false }, "jemalloc", false],
    [{ processAllocator: "jemalloc", processAllocatorVerified: true }, "mimalloc", false],
    [{ processAllocator: "jemalloc", processAllocatorVerified: true }, "system", false],
    [{ processAllocator: "glibc", processAllocatorVerified: true }, "system", true],
    [{ processAllocator: "musl", processAllocatorVerified: true }, "system", true],
    [{ processAllocator: "system", processAllocatorVerified: true }, "system", true],
    [{ processAllocator: "glibc", processAllocatorVerified: false }, "system", false],
    [{ processAllocator: "unknown", processAllocatorVerified: false }, "unknown", false],
    [{ processAllocator: "tcmalloc", processAllocatorVerified: true }, "system", false],
    [{ processAllocator: "glibc", processAllocatorVerified: true }, "glibc", true],
    [{ memoryAllocator: "jemalloc", memoryAllocatorVerified: true }, "jemalloc", false],
  ];
  for (const [change, expected, serves] of cases) {
    const verification = { ...found, ...change };
    assert.equal(servesMalloc(verification, expected), serves, JSON.stringify([change, expected]));
  }
});

test("the explanation leaves out evidence about the library, and a version that is not known", () => {
  const evidence = [
    { scope: "library", check: "symbol", outcome: "fail", detail: "about the library" },
    { scope: "process", check: "serving-object", outcome: "fail", detail: "about the process" },
    { scope: "process", check: "mapping", outcome: "unavailable", detail: "not looked at" },
  ] as const;
  const unknown = { processAllocator: "unknown", processAllocatorVersion: null } as const;
  const verification = {
    ...verifyAllocator(),
    ...unknown,
    processAllocatorVerified: false,
    evidence,
  };
  const message = explainMismatch(verification, "mimalloc");
  assert.match(
    message,
    /served by unknown \(not verified\)\. serving-object: about the process\. Start /,
  );
  assert.doesNotMatch(message, /library|looked/);
});
