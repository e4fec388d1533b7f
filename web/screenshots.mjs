// Takes the README's pictures: an app at a glance, the editor after a test run, a dead letter. `make screenshots` runs it
// against a server that it fills first.
import { chromium } from "playwright-core";
import { base, password } from "./test/browser.mjs";

const to = process.env.SCREENSHOTS;

async function api(token, method, path, body) {
  const response = await fetch(base + "/api/v1" + path, {
    method, body: JSON.stringify(body), headers: { "content-type": "application/json", ...(token ? { authorization: "Bearer " + token } : {}) },
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

const source = `import { kv, log } from "picloud";

export default {
  async fetch(request, env, ctx) {
    const order = await request.json();
    const n = await kv.collection("counters").increment("orders");
    await kv.collection("orders").set("order-" + n, { ...order, n });
    return Response.json({ accepted: n }, { status: 201 });
  },

  async kv(event, env, ctx) {
    const { customer, total } = event.value;
    log.info("charging", customer, "for", event.key);
    if (!customer) throw new Error("order " + event.value.n + " has no customer");
    await kv.collection("invoices").set(event.key, { customer, total });
  },
};
`;

const { token } = await api("", "POST", "/auth/login", { username: "admin", password });
await api(token, "PUT", "/apps/shop/scripts/orders", { source });
await api(token, "POST", "/apps/shop/triggers", { kind: "kv", script: "orders", collection: "orders", retry: { max_attempts: 3, base_ms: 50 } });
for (let n = 1; n <= 40; n++) {
  const order = n % 13 === 0 ? { total: 10 * n } : { customer: ["ada", "grace", "edsger"][n % 3], total: 10 * n };
  await fetch(`${base}/f/shop/orders`, { method: "POST", body: JSON.stringify(order) });
}
for (let unresolved = 0; unresolved < 3; ) ({ unresolved } = await api(token, "GET", "/apps/shop/dead-letters/count"));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
const page = await (await browser.newContext({ viewport: { width: 1180, height: 760 }, baseURL: base, colorScheme: "light" })).newPage();
await page.goto("/admin/login");
await page.getByLabel("Username").fill("admin");
await page.getByLabel("Password").fill(password);
await page.getByRole("button", { name: "Log in" }).click();
await page.goto("/admin/apps/shop");
await page.screenshot({ path: to + "/overview.png" });

await page.goto("/admin/apps/shop/scripts/orders");
await page.locator(".cm-editor").waitFor();
await page.getByLabel("Method").fill("POST");
await page.getByLabel("Body").fill('{"customer": "ada", "total": 120}');
await page.getByRole("button", { name: "Run" }).click();
await page.getByText("Rolled back").waitFor();
await page.setViewportSize({ width: 1180, height: 1180 });
await page.evaluate(() => scrollTo(0, 0));
await page.screenshot({ path: to + "/editor.png" });

await page.setViewportSize({ width: 1180, height: 760 });
await page.goto("/admin/apps/shop/dead-letters");
await page.locator("form tbody a").first().click();
await page.getByRole("heading", { name: "Payload" }).waitFor();
await page.screenshot({ path: to + "/dead-letter.png" });
await browser.close();
