// The dashboard's comforts. Everything but the live tail works without them.
"use strict";

document.documentElement.classList.add("js");

// Copy buttons, shown only where copying works.
function showCopyButtons(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("button.copy")) button.hidden = false;
  for (const box of root.querySelectorAll("[data-check-all]")) box.hidden = false;
}

document.addEventListener("click", async (e) => {
  const button = e.target.closest?.("button.copy");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

// A box that checks all others of a name.
document.addEventListener("change", (e) => {
  const name = e.target.dataset?.checkAll;
  if (!name) return;
  for (const box of e.target.form.elements[name].length ? e.target.form.elements[name] : [e.target.form.elements[name]]) box.checked = e.target.checked;
});

// What must be typed before something is deleted.
document.addEventListener("input", (e) => {
  const want = e.target.dataset?.mustEqual;
  if (want !== undefined) e.target.setCustomValidity(e.target.value === want ? "" : "Type " + want);
});

// Parts of a form that only one choice needs. An event handler is any but fetch.
function switchParts(select) {
  const name = select.dataset.switch;
  const form = select.form;
  const value = select.value;
  for (const part of form.querySelectorAll(`[data-when-${name}]`)) {
    const when = part.getAttribute(`data-when-${name}`);
    part.hidden = when !== value && !(when === "event" && value !== "fetch");
  }
}

function setUp(root) {
  showCopyButtons(root);
  for (const select of root.querySelectorAll("select[data-switch]")) {
    switchParts(select);
    select.addEventListener("change", () => switchParts(select));
  }
  for (const select of root.querySelectorAll("select[data-fill]")) {
    select.addEventListener("change", () => {
      if (!select.value) return;
      const form = select.form;
      form.elements[select.dataset.fill].value = select.value;
      const handler = select.selectedOptions[0].dataset.handler;
      if (handler && form.elements.handler) {
        form.elements.handler.value = handler;
        switchParts(form.elements.handler);
      }
    });
  }
}

setUp(document);
document.body.addEventListener("htmx:afterSwap", () => showCopyButtons(document));

// "/" goes to the search, as in many consoles.
document.addEventListener("keydown", (e) => {
  const typing = e.target.closest("input, textarea, select, [contenteditable]");
  if (e.key !== "/" || typing || e.ctrlKey || e.metaKey || e.altKey) return;
  const field = document.querySelector('[data-hotkey="/"]');
  if (!field) return;
  e.preventDefault();
  field.focus();
});

// The live tail.
const tail = document.getElementById("tail");
if (tail) {
  const most = 2000;
  const lines = document.getElementById("tail-lines");
  const state = document.getElementById("tail-state");
  const droppedText = document.getElementById("tail-dropped");
  const filter = document.getElementById("tail-filter");
  const pause = document.getElementById("tail-pause");
  let dropped = 0;
  let held = []; // what came while paused, in order
  let paused = false;

  const cell = (text, className) => {
    const e = document.createElement("span");
    e.textContent = text;
    if (className) e.className = className;
    return e;
  };
  const levels = { error: "bad", warn: "warn", succeeded: "good" };
  const matches = (row) => row.textContent.toLowerCase().includes(filter.value.toLowerCase());

  function add(at, script, level, message, execution) {
    const row = document.createElement("div");
    const link = document.createElement("a");
    link.href = tail.dataset.executions + execution;
    link.textContent = new Date(at).toISOString().slice(11, 23);
    row.append(link, cell(script), cell(level, levels[level] ?? (/^(debug|info|log)$/.test(level) ? "muted" : "bad")), cell(message));
    row.hidden = !matches(row);
    const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    lines.append(row);
    while (lines.childElementCount > most) lines.firstElementChild.remove();
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  }

  function show(run) {
    for (const l of run.logs) add(l.at, run.script, l.level, l.message, run.execution_id);
    const error = run.error ? `: ${run.error.name}: ${run.error.message}` : "";
    const http = run.http_status ? ` ${run.http_status}` : "";
    add(Date.parse(run.started_at) + run.duration_ms, run.script, run.status, `${run.request || run.source}${http}, ${run.duration_ms} ms${error}`, run.execution_id);
  }

  const describe = () => {
    droppedText.textContent = dropped ? `, ${dropped} came too fast and were dropped` : "";
    if (paused) state.textContent = `paused, ${held.length} wait`;
  };

  function take(event) {
    if (!paused) {
      event();
      return;
    }
    held.push(event);
    if (held.length > most) {
      held.shift();
      dropped++;
    }
    describe();
  }

  const address = new URL(tail.dataset.source, location.href);
  address.search = location.search;
  const source = new EventSource(address);
  source.onopen = () => { if (!paused) state.textContent = "following"; };
  source.onerror = () => { state.textContent = source.readyState === EventSource.CLOSED ? "ended: reload the page" : "connection lost, trying again"; };
  source.addEventListener("log", (e) => {
    const l = JSON.parse(e.data);
    take(() => add(l.at, l.script, l.level, l.message, l.execution_id));
  });
  source.addEventListener("run", (e) => {
    const run = JSON.parse(e.data);
    take(() => show(run));
  });
  source.addEventListener("dropped", (e) => {
    dropped += JSON.parse(e.data).dropped;
    describe();
  });

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    if (!paused) {
      for (const event of held) event();
      held = [];
      state.textContent = "following";
    }
    describe();
  });
  document.getElementById("tail-clear").addEventListener("click", () => lines.replaceChildren());
  filter.addEventListener("input", () => { for (const row of lines.children) row.hidden = !matches(row); });
  window.addEventListener("pagehide", () => source.close());
}
