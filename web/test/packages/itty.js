import { AutoRouter, error, json } from "itty-router";
const router = AutoRouter({ base: "/f/default/itty" });
router.get("/hello/:name", ({ params, query }) => ({ hello: params.name, q: query.q })).get("/missing", () => error(404, "no"));
export default { fetch: router.fetch };
