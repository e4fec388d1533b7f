// The peer "Node": its http server, answering what the benchmark's scripts answer; with pg where they use KV.
// Arguments: port, address of the upstream. DATABASE_URL is the database.
import { createServer } from "node:http";
import pg from "pg";

const upstream = `http://${process.argv[3]}/static`;
const db = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
await db.query("CREATE SCHEMA IF NOT EXISTS node_peer");
await db.query("CREATE TABLE IF NOT EXISTS node_peer.kv (key text PRIMARY KEY, value jsonb NOT NULL)");
await db.query(`INSERT INTO node_peer.kv VALUES ('k', '{"n":1}'), ('hot', '0') ON CONFLICT DO NOTHING`);

const read = (key) => db.query({ name: "read", text: "SELECT value FROM node_peer.kv WHERE key = $1", values: [key] });
const write = (key, value) =>
  db.query({ name: "write", text: "INSERT INTO node_peer.kv VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", values: [key, value] });
const increment = (key) =>
  db.query({ name: "increment", text: "UPDATE node_peer.kv SET value = to_jsonb(value::bigint + 1) WHERE key = $1 RETURNING value", values: [key] });

const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));

const json = (res, value) => {
  const body = JSON.stringify(value);
  res.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  res.end(body);
};

const withBody = (req, f) => {
  const parts = [];
  req.on("data", (part) => parts.push(part));
  req.on("end", () => f(JSON.parse(Buffer.concat(parts).toString())));
};

const handlers = {
  "/f/default/hello": (req, res) => json(res, { hello: "world" }),
  "/f/default/echo": (req, res) => withBody(req, (value) => json(res, value)),
  "/f/default/sort": (req, res) => withBody(req, (list) => json(res, list.sort((a, b) => a.n - b.n))),
  "/f/default/fetch": async (req, res) => json(res, await (await fetch(upstream)).json()),
  "/f/default/fib": (req, res) => json(res, fib(20)),
  "/f/default/read": async (req, res) => json(res, (await read("k")).rows[0].value),
  "/f/default/write": async (req, res) => {
    await write(req.url.slice(-12), { n: 1 });
    res.writeHead(204).end();
  },
  "/f/default/hot": async (req, res) => json(res, (await increment("hot")).rows[0].value),
};

createServer((req, res) => {
  if (req.url.startsWith("/items/")) return json(res, { id: req.url.slice(7), ua: req.headers["user-agent"], x: req.headers["x-a"] });
  const handler = handlers[req.url.split("?", 1)[0]];
  if (!handler) return res.writeHead(404).end();
  return handler(req, res);
}).listen(Number(process.argv[2]), "127.0.0.1");
