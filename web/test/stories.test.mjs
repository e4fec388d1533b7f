// The main stories of the dashboard in a real browser, on a desktop and on a phone. `make test` runs them against a server
// of its own; PICLOUD_URL and PICLOUD_ADMIN_PASSWORD name another.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { base, launch, password, sizes, Visitor } from "./browser.mjs";

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser.close(); });

const broken = `import { kv, log } from "picloud";

export default {
  async fetch(request) {
    const = 1;
  },
};
`;

const mended = `import { kv, log } from "picloud";

export default {
  async fetch(request, env, ctx) {
    const n = Number(new URL(request.url).searchParams.get("n") ?? 1);
    log.info("order", n);
    await kv.collection("orders").set("o" + n, { n });
    return Response.json({ accepted: n });
  },
  async kv(event) {
    log.warn("checking", event.key);
    if (event.value.n > 100) throw new Error("order " + event.value.n + " is too large");
    await kv.collection("done").set(event.key, event.value.n);
  },
};
`;

/** Puts a text into the code editor as typing would. */
async function write(page, text) {
  await page.locator(".cm-content").click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(text);
}

async function eventually(what, probe) {
  for (const end = Date.now() + 30_000; Date.now() < end; await new Promise((r) => setTimeout(r, 100))) {
    if (await probe()) return;
  }
  assert.fail("did not happen: " + what);
}

const call = (app, n) => fetch(`${base}/f/${app}/orders?n=${n}`);

for (const size of Object.keys(sizes)) {
  test(`from an empty app to a replayed dead letter, ${size}`, async () => {
    const app = "shop-" + size;
    const v = await Visitor.login(browser, "admin", size);
    const { page } = v;

    // The first login leads to the first steps.
    await v.open("/welcome");
    await v.look("welcome");

    await v.open("");
    await page.getByLabel("Slug").fill(app);
    await page.getByLabel("Name").fill("The Shop");
    await page.getByRole("button", { name: "Create app" }).click();
    await page.getByRole("heading", { name: "The Shop" }).waitFor();
    await v.look("overview-empty");

    // A syntax error is shown at its line, and nothing is deployed.
    await page.getByRole("link", { name: "Scripts", exact: true }).click();
    await v.look("scripts-empty");
    await page.getByLabel("Name").fill("orders");
    await page.getByRole("button", { name: "Write it" }).click();
    await page.locator(".cm-editor").waitFor();
    await write(page, broken);
    await page.keyboard.press("ControlOrMeta+s");
    await page.getByRole("alert").filter({ hasText: "orders.js:5:" }).waitFor();
    await page.locator(".cm-gutter-lint .cm-lint-marker-error").waitFor();
    assert.equal((await fetch(`${base}/f/${app}/orders`)).status, 404);
    await v.look("editor-error");

    // Completion knows the script API.
    await write(page, 'import { kv } from "picloud";\nawait kv.collection("orders").');
    await page.keyboard.type("incr");
    await page.locator(".cm-tooltip-autocomplete").getByText("increment", { exact: true }).waitFor();
    await page.keyboard.press("Escape");

    await write(page, mended);
    await page.keyboard.press("ControlOrMeta+s");
    await page.getByRole("status").filter({ hasText: "Version 1 answers now" }).waitFor();
    await page.getByText("Exports fetch, kv.").waitFor();

    // A dry run shows everything and keeps nothing.
    const panel = page.locator(".test");
    await panel.getByLabel("Path and query").fill("?n=7");
    await panel.getByRole("button", { name: "Run" }).click();
    await panel.getByText("Rolled back: nothing was kept.").waitFor();
    await panel.getByText("HTTP 200").waitFor();
    await panel.getByText('{"accepted":7}').waitFor();
    await page.locator("#test-result").getByText('"collection": "orders"').waitFor();
    await panel.locator(".log").getByText("order 7").waitFor();
    await v.look("test-run");
    await panel.getByLabel("Handler").selectOption("kv");
    assert.equal(await panel.getByLabel("Path and query").isVisible(), false);
    await panel.getByLabel("Event, JSON").fill('{"op":"insert","collection":"orders","key":"o200","value":{"n":200}}');
    await panel.getByRole("button", { name: "Run" }).click();
    await panel.getByText("Error: order 200 is too large").first().waitFor();
    await v.open(`/apps/${app}/kv`);
    await page.getByText("Nothing here yet").waitFor();
    await v.look("kv-empty");

    // A trigger, whose retries are said in words.
    await v.open(`/apps/${app}/triggers`);
    await v.look("triggers-empty");
    await page.getByRole("link", { name: "New trigger" }).click();
    await page.getByLabel("Kind").selectOption("dead_letter");
    assert.equal(await page.getByLabel("Collection").isVisible(), false);
    await page.getByLabel("Kind").selectOption("kv");
    await page.getByLabel("Script", { exact: true }).fill("orders");
    await page.getByLabel("Collection").fill("orders");
    await page.getByText("Retries", { exact: true }).click();
    await page.getByLabel("Attempts").fill("2");
    await page.getByLabel("First pause").fill("100");
    await v.look("trigger-new");
    await page.getByRole("button", { name: "Create trigger" }).click();
    await page.getByText("Created: it fires from now on.").waitFor();
    await page.getByText("2 tries at once").waitFor();
    await v.look("trigger");

    // It fails: the dead letter says why, with the whole story.
    assert.equal((await call(app, 400)).status, 200);
    await eventually("the badge counts the dead letter", async () => {
      await v.open(`/apps/${app}`);
      return (await page.locator("nav .badge").textContent({ timeout: 500 }).catch(() => "")) === "1";
    });
    await v.look("overview");
    await page.getByRole("link", { name: /Dead letters/ }).click();
    await page.getByRole("cell", { name: "Error: order # is too large" }).waitFor();
    await v.look("dead-letters");
    await page.locator("form tbody a").first().click();
    await page.getByText("at kv (orders.js:12:").first().waitFor();
    await page.locator(".tree .current").filter({ hasText: "dead letter" }).waitFor();
    await v.look("dead-letter");

    // A payload that is no JSON is shown again as it was typed; the edited one succeeds.
    const payload = page.getByLabel("Edit it if the event itself was wrong");
    await payload.fill('{"op":');
    v.expect(422);
    await page.getByRole("button", { name: "Replay" }).click();
    await page.getByRole("alert").filter({ hasText: "not JSON" }).waitFor();
    assert.equal(await payload.inputValue(), '{"op":');
    await payload.fill('{"op":"insert","collection":"orders","key":"o400","value":{"n":4}}');
    await page.getByRole("button", { name: "Replay" }).click();
    await page.locator("h1 .pill", { hasText: "replayed" }).waitFor();
    await eventually("the replay succeeds", async () => {
      await v.open(`/apps/${app}/kv/done`);
      return (await page.getByRole("cell", { name: "o400" }).count()) === 1;
    });
    await v.look("kv-entries");

    // From an execution's id to its page, and along the tree to what it caused.
    const id = (await call(app, 5)).headers.get("x-execution-id");
    await eventually("the event is handled", async () => {
      await v.open(`/apps/${app}/kv/done`);
      return (await page.getByRole("cell", { name: "o5" }).count()) === 1;
    });
    await page.getByLabel("Find an execution by its id").fill(id);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/executions/" + id);
    await page.locator(".log").getByText("order 5").waitFor();
    await page.locator(".tree").getByText("insert orders/o5").waitFor();
    await v.look("execution");
    await page.locator(".tree").getByRole("link", { name: "orders" }).nth(1).click();
    await page.getByText("Caused by").waitFor();
    await page.locator(".log").getByText("checking o5").waitFor();
    await page.locator(`a[href$="${id}"]`).first().click();
    await page.waitForURL("**/executions/" + id);

    // The pages around.
    for (const [name, path] of [["executions", "/executions"], ["executions-search", "/executions?q=too+large"], ["queue-empty", "/queue"], ["abandoned-empty", "/abandoned"],
      ["scripts", "/scripts"], ["variables-empty", "/variables"], ["members-empty", "/members"], ["audit", "/audit"], ["settings", "/settings"]]) {
      await v.open(`/apps/${app}${path}`);
      await v.look(name);
    }
    v.fine();
    await v.close();
  });

  test(`versions, routes and keys, ${size}`, async () => {
    const app = "tools-" + size;
    const v = await Visitor.login(browser, "admin", size);
    const { page } = v;
    await v.open("");
    await page.getByLabel("Slug").fill(app);
    await page.getByRole("button", { name: "Create app" }).click();
    await v.open(`/apps/${app}/scripts/new?name=greet`);
    for (const [version, text] of [[1, "one"], [2, "two"]]) {
      await page.locator(".cm-editor").waitFor();
      await write(page, `export default () => "${text}";\n`);
      await page.getByRole("button", { name: "Deploy" }).click();
      await page.getByRole("status").filter({ hasText: `Version ${version} answers now` }).waitFor();
    }
    assert.equal(await (await fetch(`${base}/f/${app}/greet`)).text(), "two");

    // The difference between versions, and back.
    await page.goto(`/admin/apps/${app}/scripts/greet/versions`);
    await page.locator(".diff .added").getByText('"two"').waitFor();
    await page.locator(".diff .removed").getByText('"one"').waitFor();
    await v.look("versions");
    await page.getByRole("button", { name: "Roll back to 1" }).click();
    await page.getByRole("status").filter({ hasText: "Version 1 answers now" }).waitFor();
    assert.equal(await (await fetch(`${base}/f/${app}/greet`)).text(), "one");
    await page.locator(".cm-content").getByText('"one"').waitFor();

    // The match preview answers while one types.
    await v.open("/apps/default/scripts/new?name=hello-" + size);
    await page.getByRole("button", { name: "Deploy" }).click();
    await page.getByRole("status").filter({ hasText: "answers now" }).waitFor();
    await v.open("/apps/default/routes");
    await page.getByLabel("Path", { exact: true }).fill(`/${size}/:id`);
    await page.getByLabel("Script").fill("hello-" + size);
    await page.getByRole("button", { name: "Create route" }).click();
    await page.getByRole("cell", { name: `/${size}/:id` }).waitFor();
    await page.getByLabel("URL or path").fill("/nowhere");
    await page.getByText("No route of this app answers that.").waitFor();
    await page.getByLabel("URL or path").fill(`/${size}/42`);
    await page.locator("#match").getByText("id=42").waitFor();
    await v.look("routes");

    // An entry is written with its events, and never over somebody else's.
    await v.open(`/apps/${app}/kv`);
    await page.getByLabel("Collection").fill("settings");
    await page.getByLabel("Key").fill("a/b <c>");
    await page.getByRole("button", { name: "Write it" }).click();
    await page.getByText("There is no such entry yet.").waitFor();
    await page.getByLabel("Value, JSON").fill('{"on":true}');
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved.").waitFor();
    await v.look("kv-entry");
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.getByLabel("Value, JSON").fill("2");
    await other.getByRole("button", { name: "Save" }).click();
    await other.getByText("Saved.").waitFor();
    await page.getByLabel("Value, JSON").fill("3");
    v.expect(422);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("alert").filter({ hasText: "Somebody changed the entry meanwhile" }).waitFor();
    assert.equal(await page.getByLabel("Value, JSON").inputValue(), "3");
    await page.reload();

    // What cannot be undone asks for the name.
    await v.open(`/apps/${app}/settings`);
    await page.getByText("Delete this app").first().click();
    await page.getByLabel("It has scripts").check();
    await page.getByLabel(/to confirm/).fill("something else");
    await page.getByRole("button", { name: "Delete this app" }).click();
    assert.match(page.url(), /settings$/);
    await v.look("settings-delete");
    await page.getByLabel(/to confirm/).fill(app);
    await page.getByRole("button", { name: "Delete this app" }).click();
    await page.getByRole("heading", { name: "Apps" }).waitFor();
    assert.equal(await page.getByText(app).count(), 0);
    v.fine();
    await v.close();
  });

  test(`a flood of dead letters is replayed at once, ${size}`, async () => {
    const app = "shop-" + size;
    const v = await Visitor.login(browser, "admin", size);
    const { page } = v;
    for (let from = 1000; from < 1260; from += 65) await Promise.all(Array.from({ length: 65 }, (_, n) => call(app, from + n)));
    await eventually("260 dead letters", async () => {
      await v.open(`/apps/${app}/dead-letters`);
      return (await page.getByRole("button", { name: "Replay 260" }).count()) === 1;
    });
    await v.look("dead-letters-many");
    // Mended meanwhile: now they all succeed.
    await v.open(`/apps/${app}/scripts/orders`);
    await page.locator(".cm-editor").waitFor();
    await write(page, mended.replace("> 100", "> 100000"));
    await page.keyboard.press("ControlOrMeta+s");
    await page.getByRole("status").filter({ hasText: "Version 2 answers now" }).waitFor();
    await v.open(`/apps/${app}/dead-letters`);
    await page.getByRole("button", { name: "Replay 260" }).click();
    await page.getByText("Those that fail again come back").waitFor(); // two steps, the second by itself
    await page.getByText("260 of 260 replayed").waitFor();
    await v.look("replayed");
    await eventually("all are handled", async () => {
      await v.open(`/apps/${app}`);
      return (await page.locator("nav .badge").count()) === 0 && (await page.getByText("balanced").count()) === 1;
    });
    v.fine();
    await v.close();
  });

  test(`the live tail shows a line within a second, ${size}`, async () => {
    const app = "shop-" + size;
    const v = await Visitor.login(browser, "admin", size);
    const { page } = v;
    await v.open(`/apps/${app}/tail`);
    await page.getByText("following").waitFor();
    await call(app, 31);
    await page.locator("#tail-lines").getByText("order 31").waitFor({ timeout: 5000 });
    await page.locator("#tail-lines").getByText("checking o31").waitFor({ timeout: 5000 });
    await v.look("tail");
    await page.getByRole("button", { name: "Pause" }).click();
    await call(app, 32);
    await page.getByText(/paused, \d+ wait/).waitFor();
    assert.equal(await page.locator("#tail-lines").getByText("order 32").count(), 0);
    await page.getByRole("button", { name: "Go on" }).click();
    await page.locator("#tail-lines").getByText("order 32").waitFor();
    await page.getByLabel("Show lines with").fill("order 32");
    await page.locator("#tail-lines").getByText("order 31", { exact: true }).waitFor({ state: "hidden" });
    v.fine();
    await v.close();
  });

  test(`a viewer sees everything and changes nothing, ${size}`, async () => {
    const app = "shop-" + size;
    const admin = await Visitor.login(browser, "admin", size);
    await admin.open("/users");
    await admin.page.getByLabel("Username").fill("viewer-" + size);
    await admin.page.getByLabel("Password").fill(password);
    await admin.page.getByRole("button", { name: "Create user" }).click();
    await admin.page.getByText("Created.").waitFor();
    await admin.look("users");
    await admin.page.getByRole("link", { name: "viewer-" + size }).click();
    await admin.look("user");
    await admin.open(`/apps/${app}/members`);
    await admin.page.getByLabel("Username").fill("viewer-" + size);
    await admin.page.getByRole("button", { name: "Add member" }).click();
    await admin.page.getByRole("cell", { name: "viewer-" + size }).waitFor();
    await admin.look("members");
    await admin.open("/system");
    await admin.look("system");
    await admin.open("/audit");
    await admin.look("audit-all");
    admin.fine();
    await admin.close();

    await call(app, 999999); // one dead letter to look at
    const v = await Visitor.login(browser, "viewer-" + size, size);
    const { page } = v;
    await eventually("a dead letter", async () => {
      await v.open(`/apps/${app}/dead-letters`);
      return (await page.locator("form tbody a").count()) > 0;
    });
    const pages = ["", "/scripts", "/scripts/orders", "/scripts/orders/versions", "/routes", "/triggers", "/executions", "/queue", "/dead-letters", "/abandoned", "/kv", "/kv/orders",
      "/kv/orders/entry?key=o5", "/tail", "/variables", "/members", "/settings"].map((p) => `/apps/${app}${p}`);
    pages.push(new URL(await page.locator("form tbody a").first().getAttribute("href"), base).pathname.replace("/admin", ""));
    for (const path of pages) {
      await v.open(path);
      const buttons = await page.locator("main form[method=post] button, main button.primary").count();
      assert.equal(buttons, 0, `${path} shows a viewer a button that would fail`);
    }
    await v.open(`/apps/${app}/scripts/orders`);
    await page.locator(".cm-editor").waitFor();
    await v.look("editor-viewer");
    assert.equal(await page.locator("nav").getByText("Audit").count(), 0);
    v.fine();
    await v.close();
  });

  test(`profile: a key is shown once, a password changes, sessions end, ${size}`, async () => {
    const v = await Visitor.login(browser, "viewer-" + size, size);
    const { page } = v;
    await v.open("/profile");
    await page.getByText("New API key").click();
    await page.getByLabel("Name").fill("laptop");
    await page.getByLabel("kv:read").check();
    await v.look("profile-key");
    await page.getByRole("button", { name: "Create key" }).click();
    const key = await page.locator(".reveal code").textContent();
    assert.match(key, /^pic_/);
    await v.look("profile-revealed");
    assert.equal((await fetch(`${base}/api/v1/apps/shop-${size}/kv`, { headers: { authorization: "Bearer " + key } })).status, 200);
    await v.open("/profile");
    assert.equal(await page.getByText(key).count(), 0);
    await page.getByRole("button", { name: "Revoke" }).click();
    await page.getByText("The key is revoked.").waitFor();
    assert.equal((await fetch(`${base}/api/v1/apps/shop-${size}/kv`, { headers: { authorization: "Bearer " + key } })).status, 401);

    const other = await Visitor.login(browser, "viewer-" + size, size);
    await page.getByLabel("Present password").fill("wrong");
    await page.getByLabel("New password").fill(password + "!");
    v.expect(422);
    await page.getByRole("button", { name: "Change it" }).click();
    await page.getByText("The present password is wrong.").waitFor();
    await page.getByLabel("Present password").fill(password);
    await page.getByLabel("New password").fill(password + "!");
    await page.getByRole("button", { name: "Change it" }).click();
    await page.getByText("every other session of yours has ended").waitFor();
    await v.look("profile");
    await other.page.goto("/admin");
    assert.match(other.page.url(), /login$/);
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("heading", { name: "PiCloud" }).waitFor();
    await v.look("login");
    v.fine();
    await other.close();
    await v.close();
  });
}

for (const size of ["desktop", "phone"]) {
  test(`a schedule, ${size}`, async () => {
    const v = await Visitor.login(browser, "admin", size);
    const { page } = v;
    const script = "tick-" + size;
    await v.open("/apps/default/scripts/new?name=" + script);
    await page.locator(".cm-editor").waitFor();
    await write(page, "export default { scheduled(event) { console.log(event.cron) } }");
    await page.keyboard.press("ControlOrMeta+s");
    await page.getByText("Exports scheduled.").waitFor();
    await v.open("/apps/default/triggers/new?kind=cron");
    assert.equal(await page.getByLabel("Collection").isVisible(), false);
    await page.getByLabel("Script", { exact: true }).fill(script);
    await page.getByLabel("Schedule", { exact: true }).fill("30 2 * * MON-FRI");
    await page.getByLabel("Time zone").fill("Mars/Base");
    await v.look("schedule-new");
    await page.getByRole("button", { name: "Create trigger" }).click();
    await page.getByRole("alert").filter({ hasText: 'time zone "Mars/Base" is not known' }).waitFor();
    assert.match(v.problems.splice(0).join(), /^console on [^,]* 422 \(Unprocessable Entity\)$/); // the refused form itself
    assert.equal(await page.getByLabel("Schedule", { exact: true }).inputValue(), "30 2 * * MON-FRI");
    await page.getByLabel("Schedule", { exact: true }).fill("* * * * * *");
    await page.getByLabel("Time zone").fill("America/New_York");
    await page.getByLabel("While the run before goes on").selectOption("skip");
    await page.getByRole("button", { name: "Create trigger" }).click();
    await page.getByText("Created: it fires from now on.").waitFor();
    assert.equal(await page.locator("ol li").count(), 10);
    await eventually("slots", async () => {
      await page.reload();
      return (await page.getByRole("link", { name: "execution", exact: true }).count()) > 1;
    });
    await v.look("schedule");
    await page.getByRole("link", { name: "execution", exact: true }).first().click();
    await page.getByText("* * * * * *").first().waitFor();
    await page.goBack();
    await page.getByLabel("Schedule", { exact: true }).fill("0 5 29 2 *");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("29 Feb 2028 05:00:00 -05:00").waitFor();
    v.fine();
    await v.close();
  });
}

test("without JavaScript every form works", async () => {
  const v = await Visitor.login(browser, "admin", "desktop", { javaScriptEnabled: false });
  const { page } = v;
  await v.open("/apps/default/scripts/new?name=plain");
  await page.getByLabel("Source").fill('import { kv } from "picloud";\nexport default { fetch: () => kv.collection("c").set("k", 1), kv() { throw new Error("no"); } };\n');
  await page.getByRole("button", { name: "Deploy" }).click();
  await page.getByText("Version 1 answers now").waitFor();
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByText("Rolled back").waitFor();
  await v.open("/apps/default/triggers/new");
  await page.getByLabel("Script", { exact: true }).fill("plain");
  await page.getByLabel("Collection").fill("c");
  await page.getByText("Retries", { exact: true }).click();
  await page.getByLabel("Attempts").fill("1");
  await page.getByRole("button", { name: "Create trigger" }).click();
  await page.getByRole("button", { name: "Fire" }).click();
  await page.getByText("Fired.").waitFor();
  await eventually("a dead letter", async () => {
    await v.open("/apps/default/dead-letters?script=plain");
    return (await page.getByRole("button", { name: /Replay all/ }).count()) === 1;
  });
  await page.getByLabel("Rate, a second").first().fill("500");
  await page.getByRole("button", { name: /Replay all/ }).click();
  await page.getByText("1 of 1 replayed").waitFor();
  await page.getByText("become due one after the other").waitFor();
  await v.open("/apps/default/routes?method=GET&url=/desktop/1");
  await page.locator("#match").getByText("id=1").waitFor();
  v.fine();
  await v.close();
});
