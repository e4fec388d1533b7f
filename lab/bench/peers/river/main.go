// Command river is River (https://riverqueue.com) as a peer of the benchmark. It is a module of its own. Arguments: "drain"
// or "latency"; "default", "best" or "transaction"; the number of jobs, or the rate and the number.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"sort"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// Args is a job's payload.
type Args struct {
	N  int       `json:"n"`
	At time.Time `json:"at"`
}

// Kind names the job.
func (Args) Kind() string { return "bench" }

type worker struct {
	river.WorkerDefaults[Args]
	pool        *pgxpool.Pool
	transaction bool
	handled     atomic.Int64
	started     chan time.Duration
}

// Work does nothing, or writes one row and completes the job in one transaction.
func (w *worker) Work(ctx context.Context, job *river.Job[Args]) error {
	if w.started != nil {
		w.started <- time.Since(job.Args.At)
	}
	if w.transaction {
		err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "INSERT INTO river_peer_kv VALUES ($1, '1') ON CONFLICT (key) DO UPDATE SET value = excluded.value", strconv.Itoa(job.Args.N)); err != nil {
				return err
			}
			_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
			return err
		})
		if err != nil {
			return err
		}
	}
	w.handled.Add(1)
	return nil
}

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		log.Fatal(err)
	}
}

func run(what, mode string, numbers []string) error {
	ctx := context.Background()
	cfg, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	cfg.MaxConns = 20
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, "CREATE TABLE IF NOT EXISTS river_peer_kv (key text PRIMARY KEY, value jsonb NOT NULL)"); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, "TRUNCATE river_job"); err != nil {
		return err
	}
	w := &worker{pool: pool, transaction: mode == "transaction"}
	workers := river.NewWorkers()
	river.AddWorker(workers, w)
	config := &river.Config{Logger: slog.New(slog.DiscardHandler), Workers: workers, Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}}}
	if mode == "best" {
		config.Queues[river.QueueDefault] = river.QueueConfig{MaxWorkers: 2000}
		config.FetchCooldown, config.FetchPollInterval = time.Millisecond, 20*time.Millisecond
	}
	client, err := river.NewClient(riverpgxv5.New(pool), config)
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(numbers[0])
	if err != nil {
		return err
	}
	if what == "drain" {
		return drain(ctx, client, pool, w, first)
	}
	n, err := strconv.Atoi(numbers[1])
	if err != nil {
		return err
	}
	return latency(ctx, client, w, first, n)
}

// ready says so and waits for the word.
func ready() {
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

func drain(ctx context.Context, client *river.Client[pgx.Tx], pool *pgxpool.Pool, w *worker, n int) error {
	for from := 0; from < n; from += 5000 {
		var jobs []river.InsertManyParams
		for k := from; k < min(n, from+5000); k++ {
			jobs = append(jobs, river.InsertManyParams{Args: Args{N: k}})
		}
		if _, err := client.InsertManyFast(ctx, jobs); err != nil {
			return err
		}
	}
	ready()
	if err := client.Start(ctx); err != nil {
		return err
	}
	for int(w.handled.Load()) < n {
		time.Sleep(time.Millisecond)
	}
	for left := 1; left > 0; time.Sleep(5 * time.Millisecond) { // completions are written in batches
		if err := pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE state <> 'completed'").Scan(&left); err != nil {
			return err
		}
	}
	fmt.Println("done")
	return client.Stop(ctx)
}

func latency(ctx context.Context, client *river.Client[pgx.Tx], w *worker, rate, n int) error {
	w.started = make(chan time.Duration, n)
	ready()
	if err := client.Start(ctx); err != nil {
		return err
	}
	time.Sleep(500 * time.Millisecond)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	for k := range n {
		<-tick.C
		at := time.Now()
		go func() {
			if _, err := client.Insert(ctx, Args{N: k, At: at}, nil); err != nil {
				log.Fatal(err)
			}
		}()
	}
	var took []float64
	for range n {
		took = append(took, float64((<-w.started).Microseconds())/1000)
	}
	took = took[rate:] // the first second is a warm-up
	sort.Float64s(took)
	fmt.Println(took[len(took)/2], took[len(took)*99/100])
	return client.Stop(ctx)
}
