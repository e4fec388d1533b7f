// Short links: made, followed and counted; the ones that nobody follows any more are listed.
import { AutoRouter, error, html, withParams } from "itty-router";
import { differenceInDays, formatDistanceStrict, parseISO } from "date-fns";
import { customAlphabet } from "nanoid";
import debounce from "lodash-es/debounce.js";
import { z } from "zod";
import { kv, KvConflictError } from "picloud";

const links = kv.collection("links"), hits = kv.collection("hits");
const slug = customAlphabet("0123456789abcdefghijklmnopqrstuvwxyz", 7);
const Link = z.strictObject({ url: z.url({ protocol: /^https?$/ }), slug: z.string().regex(/^[a-z0-9-]{3,30}$/).optional() });
const router = AutoRouter({ base: "/f/default/links", before: [withParams], catch: (e) => error(e instanceof z.ZodError ? 422 : e.status ?? 500, e instanceof z.ZodError ? z.flattenError(e) : e.message) });

router
  .post("/", async (request) => {
    const link = Link.parse(await request.json()), name = link.slug ?? slug();
    try {
      await links.set(name, { url: link.url, made: "2026-01-01T00:00:00Z" }, { ifVersion: 0 });
    } catch (e) {
      if (e instanceof KvConflictError) return error(409, name + " is taken");
      throw e;
    }
    return { slug: name };
  })
  .get("/stale", async ({ query }) => {
    const at = parseISO(query.at ?? "2026-02-01T00:00:00Z");
    const { items } = await links.list();
    return items.filter((l) => differenceInDays(at, parseISO(l.value.made)) > 30).map((l) => ({ slug: l.key, age: formatDistanceStrict(parseISO(l.value.made), at) }));
  })
  .get("/about", () => html("<h1>" + typeof debounce(() => {}, 10) + "</h1>"))
  .get("/:slug", async ({ slug }) => {
    const link = await links.get(slug);
    if (!link) return error(404, "no such link");
    await hits.increment(slug);
    return Response.redirect(link.url, 302);
  });
export default { ...router };
