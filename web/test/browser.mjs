// What the stories share: a Chromium, visitors of the dashboard, and a look at every page they come to.
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const base = process.env.PICLOUD_URL ?? "http://127.0.0.1:8080";
export const password = process.env.PICLOUD_ADMIN_PASSWORD ?? "";
const shots = process.env.SCREENSHOTS ?? "";
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const sizes = { desktop: { width: 1280, height: 860 }, phone: { width: 390, height: 844 } };

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** A logged-in visitor. Everything that goes wrong in the browser is kept in problems. */
export class Visitor {
  constructor(page, size) {
    this.page = page;
    this.size = size;
    this.problems = [];
    this.expected = [];
    page.on("console", (m) => {
      if (m.type() === "error" && !this.expected.some((e) => m.text().includes(e))) this.problems.push(`console on ${page.url()}: ${m.text()}`);
    });
    page.on("pageerror", (e) => this.problems.push(`error on ${page.url()}: ${e.stack}`));
    page.on("requestfailed", (r) => {
      // A stream that is left, and a page that is left while it loads, are no failures.
      if (r.failure()?.errorText !== "net::ERR_ABORTED") this.problems.push(`${r.method()} ${r.url()}: ${r.failure()?.errorText}`);
    });
  }

  static async login(browser, username, size, options = {}) {
    const context = await browser.newContext({ viewport: sizes[size], baseURL: base, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const v = new Visitor(page, size);
    await page.goto("/admin/login");
    await page.getByLabel("Username").fill(username);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.waitForURL((u) => !u.pathname.endsWith("/login"));
    return v;
  }

  /** Goes to a page by its path below /admin. */
  async open(path) {
    const response = await this.page.goto("/admin" + path);
    assert.equal(response.status(), 200, `${path}: ${response.status()}`);
  }

  /** Looks at the page in both themes: accessible, nothing cut off at the side. Keeps a picture if somebody wants one. */
  async look(name) {
    for (const colorScheme of ["light", "dark"]) {
      await this.page.emulateMedia({ colorScheme });
      if (shots) {
        await mkdir(shots, { recursive: true });
        await this.page.screenshot({ path: `${shots}/${name}-${this.size}-${colorScheme}.png`, fullPage: true });
      }
      // axe runs outside of the page's policy, as an extension would.
      await this.page.evaluate(axe);
      const found = await this.page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      for (const v of found.violations) {
        if (v.impact !== "serious" && v.impact !== "critical") continue;
        this.problems.push(`${name} (${colorScheme}, ${this.size}): ${v.id}: ${v.help}: ${v.nodes.map((n) => n.html.slice(0, 200) + " " + n.failureSummary.slice(0, 300)).join(" | ").slice(0, 1500)}`);
      }
    }
    const wide = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) this.problems.push(`${name} (${this.size}) is ${wide} px wider than the window`);
  }

  /** Status codes that the story provokes are logged by the browser as errors. */
  expect(status) {
    this.expected.push(`status of ${status}`);
  }

  fine() {
    assert.deepEqual(this.problems, []);
  }

  async close() {
    await this.page.context().close();
  }
}
