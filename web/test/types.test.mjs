// Completion reads picloud.d.ts by itself; this is what it must find there.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { completionsAt, readTypes } from "../types.js";

const api = readTypes(await readFile(new URL("../../static/picloud.d.ts", import.meta.url), "utf8"));
const names = (before) => completionsAt(api, before)?.options.map((o) => o.name);

test("every member has a type it leads to and a sentence that says what it is", () => {
  assert.ok(api.types.size > 8);
  assert.deepEqual(api.exports.map((e) => e.name), ["KvError", "KvConflictError", "LimitError", "FetchError", "DeadLetterError", "kv", "log", "deadLetters", "env"]);
  for (const [name, t] of api.types) assert.ok(t.doc, name + " has no comment");
  for (const m of [...api.types.get("Collection").members, ...api.types.get("Context").members, ...api.types.get("Log").members, ...api.types.get("DeadLetters").members]) assert.ok(m.doc, m.name + " has no comment");
});

for (const [before, want] of [
  ["kv.", ["collection"]],
  ['await kv.collection("orders").incr', ["get", "getWithMetadata", "has", "set", "delete", "increment", "update", "list"]],
  ['kv\n  .collection("a(b)c")\n  .', ["get", "getWithMetadata", "has", "set", "delete", "increment", "update", "list"]],
  ["kv.collection<Order>(name(1)).", ["get", "getWithMetadata", "has", "set", "delete", "increment", "update", "list"]],
  ["deadLetters.", ["list", "get", "replay", "resolve"]],
  ["log.", ["debug", "info", "warn", "error"]],
  ["ctx.principal.", ["username", "kind"]],
  ["async kv(event, env, ctx) { if (event.", ["op", "collection", "key", "value", "oldValue"]],
  ["async kv(event) {} async deadLetter(event) { event.", ["id", "original", "attempts", "error", "trigger", "script"]],
  ["scheduled(event) { event.", ["cron", "scheduledTime", "timezone"]],
  ["event.", undefined],
  ["orders.", undefined],
  ["kv.nothing.", undefined],
  ["const a = 1", undefined],
  ["x".repeat(5000) + ".".repeat(5000), undefined],
]) {
  test(`completes ${JSON.stringify(before.slice(0, 60))}`, () => assert.deepEqual(names(before), want));
}
