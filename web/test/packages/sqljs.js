// SQLite, compiled to WebAssembly, which is bytes in the bundle. It calls back into JavaScript, and keeps a database
// from run to run.
import initSqlJs from "sql.js/dist/sql-wasm-browser.js";
import wasmBinary from "sql.js/dist/sql-wasm-browser.wasm";

let SQL;

export default async () => {
  SQL ??= await initSqlJs({ wasmBinary });
  const db = new SQL.Database();
  db.run("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price REAL)");
  const insert = db.prepare("INSERT INTO items (name, price) VALUES (?, ?)");
  for (let k = 0; k < 100; k++) insert.run([`item ${k}`, k * 1.5]);
  insert.free();
  db.create_function("twice", (x) => x * 2);

  const [{ values }] = db.exec("SELECT count(*), sum(price), twice(21), max(name) FROM items WHERE name LIKE '%9%'");
  const again = new SQL.Database(db.export());
  const copied = again.exec("SELECT count(*) FROM items")[0].values[0][0];
  let error;
  try {
    db.exec("SELECT nothing FROM nowhere");
  } catch (e) {
    error = e.message;
  }
  db.close();
  again.close();
  return { values, copied, error };
};
