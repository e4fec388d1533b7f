// Writes node.tsv: patterns made at random, and what Node.js (here 20, Unicode 15) finds with each.
//
//	node node.mjs 1 700 > node.tsv
//
// A line is a pattern, flags, a text, the index to begin at, and the result: error, null, or where each group
// begins and ends, - for one that captured nothing. Characters that cannot be printed, and backslashes, are
// written \uXXXX.
let seed = Number(process.argv[2]);
const count = Number(process.argv[3]);
const random = (n) => {
  seed = (seed * 1103515245 + 12345) & 0x7fffffff;
  return (seed >> 8) % n;
};
const pick = (list) => list[random(list.length)];

const atoms = ["a", "b", "c", "A", "B", "é", "É", "ß", "\\d", "\\w", "\\W", "\\s", "\\S", ".", "[ab]", "[^a]", "[a-c]",
  "[^\\w]", "[\\d\\s]", "1", "_", " ", "\\n", "\n", "\\b", "\\B", "^", "$", "ſ", "K", "k", "s", "µ", "μ", "Σ", "σ",
  "ς", "💩", "\\ud83d", "\\udca9", "[💩b]", "[^💩]", "\\x61", "\\u0062", "-", "[\\b]", "[^]", "İ", "ı", "I", "ǆ", "ẞ"];
const unicodeAtoms = ["\\p{L}", "\\P{L}", "\\p{Lu}", "[\\p{Lu}a]", "[^\\p{Lu}]", "\\u{1f4a9}", "\\p{Script=Greek}",
  "[\\W]", "[^\\W]", "\\P{Lu}", "[^\\P{Ll}]"];
const setAtoms = ["[\\p{L}--[a-c]]", "[\\w&&[a-z]]", "[\\q{ab|a|}c]", "[[a-c][A-C]]", "[^[a-b]]", "[\\w--\\q{a}]"];
const legacyAtoms = ["]", "{", "}", "\\1", "\\2", "\\8", "\\07", "\\c", "[\\d-a]", "\\a", "\\k", "a{,2}", "(?=a)*", "(?!b)+"];
const texts = [..."abcAB1_ \n\r\u2028éÉßẞſsSKkKµΜμσςΣ💩-İıiIǆǅǄθϑϴΩωΩabab", "\ud83d", "\udca9", "\0"];

let flags, groups, names;
const atom = (depth) => {
  const r = random(20);
  if (depth > 0 && r < 3) return groups++, `(${disjunction(depth - 1)})`;
  if (depth > 0 && r < 5) return `(?:${disjunction(depth - 1)})`;
  if (depth > 0 && r === 5) return `${pick(["(?=", "(?!", "(?<=", "(?<!"])}${disjunction(depth - 1)})`;
  if (depth > 0 && r === 6) {
    groups++;
    const name = `n${names++}`;
    return `(?<${name}>${disjunction(depth - 1)})${random(2) ? `\\k<${name}>` : ""}`;
  }
  if (r === 7 && groups) return `\\${1 + random(groups)}`;
  if (flags.includes("u") && r < 11) return pick(unicodeAtoms);
  if (flags.includes("v") && r < 11) return pick([...unicodeAtoms, ...setAtoms]);
  if (!/[uv]/.test(flags) && r === 8) return pick(legacyAtoms);
  return pick(atoms);
};
const term = (depth) => {
  const quantifier = random(10) < 4 ? pick(["*", "+", "?", "{2}", "{1,2}", "{2,}", "{0}"]) + (random(3) ? "" : "?") : "";
  return atom(depth) + quantifier;
};
const alternative = (depth) => Array.from({ length: random(4) }, () => term(depth)).join("");
const disjunction = (depth) => Array.from({ length: 1 + random(2) * random(2) }, () => alternative(depth)).join("|");
const written = (s) => s.replace(/[^ -\[\]-~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

for (let k = 0; k < count; k++) {
  flags = [..."ims"].filter(() => random(4) === 0).join("") + ["", "", "u", "v"][random(4)] + (random(5) ? "" : "y");
  groups = names = 0;
  const pattern = disjunction(3);
  const text = Array.from({ length: random(8) }, () => pick(texts)).join("");
  const from = random(3) ? 0 : random(3);

  let result = "error";
  try {
    const re = new RegExp(pattern, `${flags}d${flags.includes("y") ? "" : "g"}`);
    re.lastIndex = from;
    const found = re.exec(text);
    result = found === null ? "null" : found.indices.map((at) => at?.join("-") ?? "-").join(",");
  } catch {}
  console.log([written(pattern), flags, written(text), from, result].join("\t"));
}
