// The peer "Node": its http server, answering what the benchmark's scripts answer.
import { createServer } from "node:http";

const json = (res, value) => {
  const body = JSON.stringify(value);
  res.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  res.end(body);
};

createServer((req, res) => {
  if (req.url === "/f/default/hello") return json(res, { hello: "world" });
  if (req.url.startsWith("/items/")) return json(res, { id: req.url.slice(7), ua: req.headers["user-agent"], x: req.headers["x-a"] });
  const parts = [];
  req.on("data", (part) => parts.push(part));
  req.on("end", () => json(res, JSON.parse(Buffer.concat(parts).toString())));
}).listen(Number(process.argv[2]), "127.0.0.1");
