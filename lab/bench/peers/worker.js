// The peer "workerd": the runtime of Cloudflare Workers.
const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));

export default {
  async fetch(request, env) {
    const path = new URL(request.url).pathname;
    if (path.startsWith("/items/")) {
      return Response.json({ id: path.slice(7), ua: request.headers.get("user-agent"), x: request.headers.get("x-a") });
    }
    switch (path) {
      case "/f/default/hello":
        return Response.json({ hello: "world" });
      case "/f/default/echo":
        return Response.json(await request.json());
      case "/f/default/sort":
        return Response.json((await request.json()).sort((a, b) => a.n - b.n));
      case "/f/default/fetch":
        return Response.json(await (await env.upstream.fetch("http://upstream/static")).json());
      case "/f/default/fib":
        return Response.json(fib(20));
      default:
        return new Response(null, { status: 404 });
    }
  },
};
