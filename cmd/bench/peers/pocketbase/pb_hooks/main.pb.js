// The peer "PocketBase": its JavaScript routes, which run in the same engine.
routerAdd("GET", "/f/default/hello", (e) => e.json(200, { hello: "world" }));
routerAdd("POST", "/f/default/echo", (e) => e.json(200, JSON.parse(readerToString(e.request.body))));
routerAdd("GET", "/items/{id}", (e) =>
  e.json(200, { id: e.request.pathValue("id"), ua: e.request.header.get("user-agent"), x: e.request.header.get("x-a") }));
