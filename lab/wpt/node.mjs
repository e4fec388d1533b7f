// Runs one file of web-platform-tests in Node: node.mjs PRELUDE ROOT FILE SCRIPT..., in which the scripts are the files to run,
// below ROOT. Results go to the standard output as one line.
import fs from "node:fs";
import path from "node:path";
import vm from "node:vm";

const [prelude, root, file, ...scripts] = process.argv.slice(2);
let reported = false;
const host = {
  read(name) {
    try {
      return fs.readFileSync(path.join(root, name), "latin1");
    } catch {
      return null;
    }
  },
  report(text) {
    reported = true;
    fs.writeSync(1, text + "\n");
    process.exit(0);
  },
};
process.on("uncaughtException", () => {});
process.on("unhandledRejection", () => {});
process.on("exit", () => reported || fs.writeSync(1, JSON.stringify({ status: 2, message: "nothing was reported", tests: [] }) + "\n"));
const { begin, end } = vm.runInThisContext(fs.readFileSync(prelude, "utf8"))(host, file);
for (const [k, script] of scripts.entries()) {
  vm.runInThisContext(fs.readFileSync(path.join(root, script), "utf8"), { filename: script });
  if (k === 0) begin();
}
end();
setTimeout(() => {}, 20000);
