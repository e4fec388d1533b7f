// The peer "PocketBase": its JavaScript routes, which run in the same engine, and its records where scripts use KV.
routerAdd("GET", "/f/default/hello", (e) => e.json(200, { hello: "world" }));
routerAdd("POST", "/f/default/echo", (e) => e.json(200, JSON.parse(toString(e.request.body))));
routerAdd("POST", "/f/default/sort", (e) => e.json(200, JSON.parse(toString(e.request.body)).sort((a, b) => a.n - b.n)));
routerAdd("GET", "/f/default/fetch", (e) => e.json(200, $http.send({ url: `http://${$os.getenv("UPSTREAM")}/static` }).json));
routerAdd("GET", "/f/default/fib", (e) => {
  const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));
  return e.json(200, fib(20));
});
routerAdd("GET", "/f/default/read", (e) => e.json(200, $app.findFirstRecordByData("kv", "key", "k").get("value")));
routerAdd("GET", "/f/default/write", (e) => {
  const record = new Record($app.findCollectionByNameOrId("kv"));
  record.set("key", e.request.url.query().get("k"));
  record.set("value", { n: 1 });
  $app.save(record);
  return e.noContent(204);
});
routerAdd("GET", "/items/{id}", (e) =>
  e.json(200, { id: e.request.pathValue("id"), ua: e.request.header.get("user-agent"), x: e.request.header.get("x-a") }));

onBootstrap((e) => {
  e.next();
  try {
    $app.findCollectionByNameOrId("kv");
  } catch {
    const kv = new Collection({ type: "base", name: "kv", fields: [{ name: "key", type: "text", required: true }, { name: "value", type: "json" }],
      indexes: ["CREATE UNIQUE INDEX kv_key ON kv (key)"] });
    $app.save(kv);
    const record = new Record(kv);
    record.set("key", "k");
    record.set("value", { n: 1 });
    $app.save(record);
  }
});
