// The peer "workerd": the runtime of Cloudflare Workers.
export default {
  async fetch(request) {
    const path = new URL(request.url).pathname;
    if (path === "/f/default/hello") return Response.json({ hello: "world" });
    if (path.startsWith("/items/")) {
      return Response.json({ id: path.slice(7), ua: request.headers.get("user-agent"), x: request.headers.get("x-a") });
    }
    return Response.json(await request.json());
  },
};
