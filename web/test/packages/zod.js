import { z } from "zod";
const Order = z.object({ id: z.uuid(), n: z.number().int().positive(), tags: z.array(z.string()).default([]), at: z.coerce.date().optional() });
export default { async fetch(r) { const p = Order.safeParse(await r.json()); return p.success ? Response.json(p.data) : Response.json(p.error.issues.map((i) => i.path.join(".") + ": " + i.message), { status: 422 }); } };
