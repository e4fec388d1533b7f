// The peers "Graphile Worker" and "pg-boss". Arguments: "graphile" or "boss"; "drain" or "latency"; "default" or "best"; the
// number of jobs, or the rate and the number.
import { createInterface } from "node:readline";
import pg from "pg";

const [, , peer, what, mode, first, second] = process.argv;
const connectionString = process.env.DATABASE_URL;
const db = new pg.Pool({ connectionString, max: 10 });
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// ready says so and waits for the word.
const ready = async () => {
  console.log("ready");
  await lines.next();
};

// peers have insertMany(n), insert(payload), start(handler) and stop(); stop returns when everything is written.
const peers = {
  async graphile() {
    const { run, runMigrations } = await import("graphile-worker");
    await runMigrations({ connectionString });
    await db.query("TRUNCATE graphile_worker._private_jobs");
    const best = { concurrentJobs: 100, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
    const logger = new (await import("graphile-worker")).Logger(() => () => {});
    let runner;
    return {
      insertMany: (n) =>
        db.query(
          `SELECT graphile_worker.add_jobs(array_agg(ROW('bench', json_build_object('n', g), NULL, NULL, NULL, NULL, NULL, NULL)::graphile_worker.job_spec))
           FROM generate_series(1, $1::int) g`,
          [n],
        ),
      insert: (payload) => db.query({ name: "insert", text: "SELECT graphile_worker.add_job('bench', $1::json)", values: [payload] }),
      start: async (handler) => {
        runner = await run({ connectionString, logger, noHandleSignals: true, taskList: { bench: handler }, preset: { worker: mode === "best" ? best : {} } });
      },
      stop: () => runner.stop(),
    };
  },
  async boss() {
    const { PgBoss } = await import("pg-boss");
    const boss = new PgBoss({ connectionString, max: 10, supervise: false, schedule: false });
    boss.on("error", console.error);
    await boss.start();
    await boss.deleteQueue("bench").catch(() => {});
    await boss.createQueue("bench");
    let stopped = false;
    let loops;
    return {
      insertMany: async (n) => {
        for (let from = 0; from < n; from += 5000) await boss.insert("bench", Array.from({ length: Math.min(5000, n - from) }, (_, k) => ({ data: { n: from + k } })));
      },
      insert: (payload) => boss.send("bench", payload),
      // Its own workers look twice a second at most: here four loops fetch without a pause while there are jobs, 5 ms otherwise.
      start: async (handler) => {
        loops = Array.from({ length: 4 }, async () => {
          while (!stopped) {
            const jobs = await boss.fetch("bench", { batchSize: 1000 });
            if (jobs.length === 0) {
              await sleep(5);
              continue;
            }
            for (const job of jobs) handler(job.data);
            await boss.complete("bench", jobs.map((job) => job.id));
          }
        });
      },
      stop: async () => {
        stopped = true;
        await Promise.all(loops);
      },
    };
  },
};

const queue = await peers[peer]();
if (what === "drain") {
  const n = Number(first);
  await queue.insertMany(n);
  let handled = 0;
  let over;
  const all = new Promise((resolve) => (over = resolve));
  await ready();
  await queue.start(() => {
    if (++handled === n) over();
  });
  await all;
  await queue.stop();
  console.log("done");
} else {
  const rate = Number(first);
  const n = Number(second);
  const took = [];
  let over;
  const all = new Promise((resolve) => (over = resolve));
  await ready();
  await queue.start((payload) => {
    took.push(performance.now() - payload.at);
    if (took.length === n) over();
  });
  await sleep(500);
  const began = performance.now();
  for (let k = 0; k < n; k++) {
    const wait = began + (k * 1000) / rate - performance.now();
    if (wait > 0) await sleep(wait);
    queue.insert({ at: performance.now() });
  }
  await all;
  const warm = took.slice(rate).sort((a, b) => a - b); // the first second is a warm-up
  console.log(warm[warm.length >> 1], warm[Math.floor(warm.length * 0.99)]);
  await queue.stop();
}
process.exit(0);
