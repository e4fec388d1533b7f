import { marked } from "marked";
export default { async fetch(r) { return new Response(await marked.parse(await r.text()), { headers: { "content-type": "text/html" } }); } };
