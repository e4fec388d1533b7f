// The code editor of the script page: CodeMirror over the page's textarea, which stays the form's field. It is bundled into
// static/editor.js by `make editor`.
import { autocompletion } from "@codemirror/autocomplete";
import { indentWithTab } from "@codemirror/commands";
import { javascript, javascriptLanguage, localCompletionSource, scopeCompletionSource, typescriptLanguage } from "@codemirror/lang-javascript";
import { HighlightStyle, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { tags as t } from "@lezer/highlight";
import { basicSetup } from "codemirror";
import { completionsAt, readTypes } from "./types.js";

const colors = HighlightStyle.define([
  { tag: [t.keyword, t.modifier, t.operatorKeyword], color: "var(--cm-keyword)" },
  { tag: [t.string, t.special(t.string), t.regexp], color: "var(--cm-string)" },
  { tag: [t.number, t.bool, t.null, t.atom], color: "var(--cm-number)" },
  { tag: [t.comment], color: "var(--muted)", fontStyle: "italic" },
  { tag: [t.typeName, t.className, t.namespace], color: "var(--cm-type)" },
  { tag: [t.function(t.variableName), t.function(t.propertyName), t.definition(t.propertyName)], color: "var(--cm-function)" },
  { tag: t.invalid, color: "var(--bad)" },
]);

const theme = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--card)" },
  "&.cm-focused": { outline: "2px solid var(--accent)" },
  ".cm-content": { caretColor: "var(--text)", fontFamily: "var(--mono)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground, ::selection": {
    backgroundColor: "color-mix(in srgb, var(--accent) 30%, transparent) !important",
  },
  ".cm-gutters": { backgroundColor: "var(--raised)", color: "var(--muted)", border: "0" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--raised) 60%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--line)" },
  ".cm-tooltip, .cm-panels": { backgroundColor: "var(--card)", color: "var(--text)", border: "1px solid var(--line)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-completionInfo": { maxWidth: "24rem", padding: ".4rem .6rem" },
  ".cm-searchMatch": { backgroundColor: "color-mix(in srgb, var(--warn) 35%, transparent)" },
  ".cm-matchingBracket": { backgroundColor: "color-mix(in srgb, var(--good) 30%, transparent) !important" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--raised)", color: "var(--muted)", border: "0" },
  ".cm-panel input, .cm-panel button, .cm-panel label": { display: "inline-block", width: "auto", margin: "2px" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--raised)", color: "var(--text)" },
  ".cm-textfield": { backgroundColor: "var(--bg)", color: "var(--text)" },
});

function completion(api) {
  return (context) => {
    const before = context.state.sliceDoc(Math.max(0, context.pos - 2000), context.pos);
    const found = completionsAt(api, before);
    if (found) {
      return {
        from: context.pos - found.typed.length,
        options: found.options.map((m) => ({ label: m.name, type: m.call ? "method" : "property", detail: m.detail, info: m.doc })),
        validFor: /^[\w$]*$/,
      };
    }
    const imported = /import\s*\{[^}]*?([\w$]*)$/.exec(before);
    if (imported) {
      return { from: context.pos - imported[1].length, options: api.exports.map((e) => ({ label: e.name, type: "variable", detail: e.detail, info: e.doc })), validFor: /^[\w$]*$/ };
    }
    return null;
  };
}

async function loadTypes() {
  const response = await fetch(document.getElementById("editor-script").dataset.types);
  return readTypes(await response.text());
}

// A chain must not be completed with every global that a browser has, so the sources are listed one by one.
function sources(api) {
  const globals = scopeCompletionSource({ Array, BigInt, Date, Error, JSON, Map, Math, Number, Object, Promise, RegExp, Set, String, Symbol, URL, URLSearchParams, Headers, Request, Response, console, fetch });
  return [completion(api), localCompletionSource, globals];
}

function start(area) {
  const form = area.form;
  const nonce = document.getElementById("editor-script").nonce;
  const language = new Compartment();
  const help = new Compartment();
  const languageOf = (name) => javascript({ typescript: name === "typescript" });
  let clean = area.value;
  const view = new EditorView({
    doc: area.value,
    extensions: [
      EditorView.cspNonce.of(nonce),
      basicSetup,
      EditorState.tabSize.of(2),
      indentUnit.of("  "),
      keymap.of([{ key: "Mod-s", preventDefault: true, run: () => (form.requestSubmit(), true) }, indentWithTab]),
      language.of(languageOf(area.dataset.editor)),
      help.of([]),
      lintGutter(),
      theme,
      syntaxHighlighting(colors),
      EditorView.contentAttributes.of({ "aria-label": "Source", tabindex: "0" }),
      EditorState.readOnly.of(area.readOnly),
      EditorView.updateListener.of((u) => {
        if (u.docChanged) area.value = u.state.doc.toString();
      }),
    ],
  });
  area.hidden = true;
  area.previousElementSibling.hidden = true;
  area.after(view.dom);

  loadTypes().then(
    (api) => view.dispatch({ effects: help.reconfigure(autocompletion({ override: sources(api) })) }),
    () => {}, // without the types there is no completion, and nothing else is missing
  );

  form.elements.language.addEventListener("change", (e) => view.dispatch({ effects: language.reconfigure(languageOf(e.target.value)) }));

  // The result of a deploy says where the source does not compile.
  const mark = () => {
    const result = document.getElementById("deploy-result");
    const line = Number(result.dataset.line);
    const diagnostics = [];
    if (line > 0 && line <= view.state.doc.lines) {
      const at = view.state.doc.line(line);
      const from = Math.min(at.to, at.from + Math.max(0, Number(result.dataset.column) - 1));
      diagnostics.push({ from, to: Math.max(from, at.to), severity: "error", message: result.dataset.error });
      view.dispatch({ selection: { anchor: from }, scrollIntoView: true });
    }
    if (!result.dataset.error) clean = area.value;
    view.dispatch(setDiagnostics(view.state, diagnostics));
  };
  mark();
  document.body.addEventListener("htmx:afterSwap", (e) => {
    if (e.detail.elt.id === "deploy-result" || e.detail.target.id === "deploy-result") mark();
  });
  window.addEventListener("beforeunload", (e) => {
    if (area.value !== clean && !area.readOnly && !form.dataset.leaving) e.preventDefault();
  });
  document.addEventListener("keydown", (e) => {
    if ((e.ctrlKey || e.metaKey) && e.key === "s" && !area.readOnly) {
      e.preventDefault();
      if (!view.hasFocus) form.requestSubmit();
    }
  });
  document.body.addEventListener("htmx:beforeOnLoad", (e) => {
    if (e.detail.xhr.getResponseHeader("HX-Redirect")) form.dataset.leaving = "yes"; // it was deployed
  });
}

const area = document.querySelector("textarea[data-editor]");
if (area) start(area);
