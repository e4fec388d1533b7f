package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// startUp measures the time to the first answer, beside PocketBase, and of a PiCloud that starts its own
// PostgreSQL.
func (b *bench) startUp(context.Context) error {
	heading("Start to the first answer")
	var own, peer []float64

	for range b.rounds {
		if err := b.restart(); err != nil {
			return err
		}
		own = append(own, float64(b.p.start))
		began := time.Now()
		if p, err := b.startPeer(pocketBase, pocketBaseCommand); err == nil {
			peer = append(peer, float64(time.Since(began)))
			p.stop()
		}
	}

	fmt.Printf("  database there: %s\n", short(median(own)))
	if len(peer) > 0 {
		fmt.Printf("  PocketBase, empty: %s\n", short(median(peer)))
	}

	dir := filepath.Join(b.dir, "whole")
	var whole []float64

	for k := range b.rounds + 1 {
		p, err := startPicloud(b.binary, "", "PICLOUD_DATA_DIR="+dir)
		if err != nil {
			return err
		}
		p.stop()
		if k > 0 { // the first one made the database
			whole = append(whole, float64(p.start))
		}
	}

	fmt.Printf("  with a PostgreSQL of its own to start: %s\n", short(median(whole)))
	return nil
}

// idling measures what an idle PiCloud and its PostgreSQL use once the sandboxes have ended, and the first
// call after that.
func (b *bench) idling(context.Context) error {
	if err := b.deployWorks(); err != nil {
		return err
	}
	heading(fmt.Sprintf("Idle for %s", b.options.idle))
	var first []float64

	for range b.rounds {
		if err := b.restart(); err != nil { // nothing of the script is in memory, no sandbox is there
			return err
		}
		time.Sleep(time.Second)
		began := time.Now()
		if err := b.p.get("/f/default/hello"); err != nil {
			return err
		}
		first = append(first, float64(time.Since(began)))
	}

	fmt.Printf("  first call of a script: %s\n", short(median(first)))
	time.Sleep(45 * time.Second) // sandbox children end, records are written
	pid := b.p.cmd.Process.Pid
	own := scheduled(pid)
	pg := scheduled(b.pg.PID())
	time.Sleep(b.options.idle)
	per := func(x time.Duration) float64 { return x.Seconds() * 1000 / b.options.idle.Seconds() }
	fmt.Printf("  CPU: PiCloud %.2f ms a second, its PostgreSQL %.2f ms a second\n",
		per(scheduled(pid)-own), per(scheduled(b.pg.PID())-pg))
	fmt.Printf("  memory: %.0f MiB resident (proportional)\n", resident(pid))

	return nil
}

// scheduled is the time that the threads of a process and its descendants which live now have run, to the
// nanosecond (Linux, Documentation/scheduler/sched-stats).
func scheduled(root int) (total time.Duration) {
	files, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*/schedstat")
	for _, f := range files {
		if !descends(strings.Split(f, "/")[2], root) {
			continue
		}
		var ns int64
		if b, err := os.ReadFile(f); err == nil {
			_, _ = fmt.Sscan(string(b), &ns)
		}
		total += time.Duration(ns)
	}

	return total
}
