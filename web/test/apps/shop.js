// A shop: sign in, order, have a confirmation written by an event, read reports and an archive.
import { zipSync, strToU8 } from "fflate";
import { Hono } from "hono";
import { deleteCookie, getSignedCookie, setSignedCookie } from "hono/cookie";
import { createMiddleware } from "hono/factory";
import { HTTPException } from "hono/http-exception";
import { jwt, sign } from "hono/jwt";
import { secureHeaders } from "hono/secure-headers";
import { validator } from "hono/validator";
import { SignJWT, jwtVerify } from "jose";
import { groupBy, sumBy } from "lodash-es";
import { marked } from "marked";
import Mustache from "mustache";
import { v5, v7 } from "uuid";
import { z } from "zod";
import dayjs from "dayjs";
import timezone from "dayjs/plugin/timezone.js";
import utc from "dayjs/plugin/utc.js";
import { kv, env, log } from "picloud";

dayjs.extend(utc);
dayjs.extend(timezone);
const orders = kv.collection("orders"), outbox = kv.collection("confirmations");
const key = () => new TextEncoder().encode(env.SHOP_KEY);
const Order = z.object({ items: z.array(z.object({ sku: z.string().regex(/^[A-Z]{2}\d{3}$/), price: z.number().positive(), count: z.int().min(1).max(99) })).min(1), note: z.string().max(200).default("") });
const euro = (n, locale = "de-DE") => new Intl.NumberFormat(locale, { style: "currency", currency: "EUR" }).format(n);

const app = new Hono().basePath("/f/default/shop");
app.use("*", secureHeaders());
app.onError((e, c) => (e instanceof HTTPException ? e.getResponse() : c.json({ error: e.message }, 500)));
app.notFound((c) => c.json({ error: "nothing here", path: new URL(c.req.url).pathname }, 404));

app.post("/login", validator("form", (v, c) => (typeof v.user === "string" && v.user ? v : c.json({ error: "user is missing" }, 422))), async (c) => {
  const { user } = c.req.valid("form");
  const token = await new SignJWT({ sub: user }).setProtectedHeader({ alg: "HS256" }).setExpirationTime("2h").sign(key());
  await setSignedCookie(c, "session", token, env.SHOP_KEY, { httpOnly: true, sameSite: "Lax", path: "/" });
  return c.json({ user });
});
app.post("/logout", (c) => { deleteCookie(c, "session", { path: "/" }); return c.body(null, 204); });

const signedIn = createMiddleware(async (c, next) => {
  const token = await getSignedCookie(c, env.SHOP_KEY, "session");
  if (!token) throw new HTTPException(401, { message: "sign in first" });
  c.set("user", (await jwtVerify(token, key())).payload.sub);
  await next();
});
app.use("/orders/*", signedIn);
app.post("/orders/", validator("json", (v, c) => {
  const r = Order.safeParse(v);
  return r.success ? r.data : c.json({ errors: r.error.issues.map((i) => i.path.join(".") + ": " + i.message) }, 422);
}), async (c) => {
  const order = { ...c.req.valid("json"), id: v7(), user: c.get("user"), at: "2026-03-29T00:59:59Z" };
  order.total = sumBy(order.items, (i) => i.price * i.count);
  await orders.set(order.id, order, { ifVersion: 0 });
  log.info("order", order.id, euro(order.total));
  c.header("location", "/f/default/shop/orders/" + order.id);
  return c.json({ id: order.id, total: euro(order.total), receipt: v5(order.id, v5.URL).length }, 201);
});
app.get("/orders/:id{[0-9a-f-]{36}}", async (c) => {
  const order = await orders.get(c.req.param("id"));
  if (order?.user !== c.get("user")) throw new HTTPException(404, { message: "no such order" });
  const local = dayjs(order.at).tz("Europe/Berlin"), later = dayjs(order.at).add(1, "hour").tz("Europe/Berlin");
  return c.json({ ...order, ordered: local.format("YYYY-MM-DD HH:mm Z"), later: later.format("HH:mm Z"), long: new Date(order.at).toLocaleString("en-GB", { dateStyle: "full", timeStyle: "short", timeZone: "Europe/London" }) });
});
app.get("/orders/report", async (c) => {
  const { items } = await orders.list();
  const lines = Object.entries(groupBy(items.flatMap((o) => o.value.items), "sku")).map(([sku, list]) => ({ sku, count: sumBy(list, "count"), sum: euro(sumBy(list, (i) => i.count * i.price), "en") }));
  const md = Mustache.render("# Report\n\n{{#lines}}- **{{sku}}** {{count}} x {{&sum}}\n{{/lines}}", { lines });
  return c.html(marked.parse(md));
});
app.get("/orders/archive.zip", async (c) => {
  const { items } = await orders.list();
  const zip = zipSync(Object.fromEntries(items.map((o) => [o.key + ".json", strToU8(JSON.stringify(o.value))])));
  return c.body(zip, 200, { "content-type": "application/zip" });
});
app.get("/token", async (c) => c.text(await sign({ sub: "machine", exp: 4102444800 }, env.SHOP_KEY, "HS256")));
app.use("/machine/*", (c, next) => jwt({ secret: env.SHOP_KEY, alg: "HS256" })(c, next));
app.get("/machine/whoami", (c) => c.json(c.get("jwtPayload").sub));

export default {
  fetch: app.fetch,
  async kv({ key, value }, env, ctx) {
    await outbox.set(key, { to: value.user, text: `Order of ${euro(value.total)}`, depth: ctx.depth });
  },
};
