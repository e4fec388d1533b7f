// Reads picloud.d.ts for the editor's completion. It knows the little of TypeScript that the file uses: interfaces whose
// members stand on a line each with a comment before them, and declared constants and classes.

/**
 * @typedef {{name: string, type: string, detail: string, doc: string, call: boolean}} Member
 * @param {string} text
 * @returns {{types: Map<string, {doc: string, base: string, members: Member[]}>, exports: Member[]}}
 */
export function readTypes(text) {
  const types = new Map();
  const exports = [];
  let doc = "";
  let current = null;
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    let m;
    if ((m = /^\/\*\*\s*(.*?)\s*\*\/$/.exec(line))) {
      doc = m[1];
      continue;
    }
    if ((m = /^export interface (\w+)(?:<[^{]*>)?(?: extends (\w+).*)? \{$/.exec(line))) {
      current = { doc, base: m[2] ?? "", members: [] };
      types.set(m[1], current);
    } else if (line === "}") {
      current = null;
    } else if ((m = /^export declare const (\w+): (\w+)/.exec(line))) {
      exports.push({ name: m[1], type: m[2], detail: m[2], doc, call: false });
    } else if ((m = /^export declare class (\w+)/.exec(line))) {
      exports.push({ name: m[1], type: "", detail: "class", doc, call: false });
    } else if (current && (m = /^(\w+)\??(?:<[^(]*>)?(\(.*\))?: (.+);$/.exec(line))) {
      // The type is that of the call's result; a promise counts as what it brings.
      const type = /^(?:Promise<)?(\w+)/.exec(m[3])?.[1] ?? "";
      current.members.push({ name: m[1], type, detail: (m[2] ?? "") + ": " + m[3], doc, call: m[2] !== undefined });
    }
    doc = "";
  }
  return { types, exports };
}

/** The members of a type, those it inherits included. */
export function membersOf(types, name) {
  const t = types.get(name);
  return t ? [...t.members, ...membersOf(types, t.base)] : [];
}

/** Where a chain of members begins: the imports, and the parameters by their usual names. */
const roots = { ctx: "Context", context: "Context" };

/**
 * What may follow at the end of a text that stands before the cursor: members of the chain that it ends with.
 * null: the text does not end with a chain that starts at something known.
 */
export function completionsAt(api, before) {
  const chain = /([A-Za-z_$][\w$]*(?:\s*(?:\.\s*[A-Za-z_$][\w$]*|\((?:[^()]|\([^()]*\))*\)|<[^<>]*>))*)\s*\.\s*([\w$]*)$/.exec(before);
  if (!chain) return null;
  const names = chain[1].replace(/\((?:[^()]|\([^()]*\))*\)|<[^<>]*>|\s/g, "").split(".");
  const member = api.exports.find((e) => e.name === names[0]);
  let type = member?.type ?? roots[names[0]] ?? (names[0] === "event" ? eventType(before) : "");
  for (const name of names.slice(1)) {
    type = membersOf(api.types, type).find((m) => m.name === name)?.type ?? "";
  }
  const options = membersOf(api.types, type);
  return options.length ? { options, typed: chain[2] } : null;
}

/** Which event a handler's parameter is: that of the last handler which begins before the cursor. */
function eventType(before) {
  const kinds = { kv: "KvEvent", scheduled: "ScheduledEvent", deadLetter: "DeadLetterEvent" };
  const found = [...before.matchAll(/\b(kv|scheduled|deadLetter)\s*(?::\s*(?:async\s*)?)?\(/g)].at(-1);
  return found ? kinds[found[1]] : "";
}
