package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}

	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()

	b, err := io.ReadAll(res.Body)
	return string(b), err
}

// callAtOnce calls each script so many times at once and waits until every call was answered, whatever the
// answer.
func callAtOnce(times int, names ...string) func(ctx context.Context, r *round) error {
	return func(ctx context.Context, r *round) error {
		var wg sync.WaitGroup
		client := http.Client{Timeout: time.Minute, Transport: &http.Transport{}}
		defer client.CloseIdleConnections()

		errs := make(chan error, times*len(names))
		for _, name := range names {
			for range times {
				wg.Go(func() {
					res, err := client.Get(r.anyNodeOf().url() + "/f/default/" + name)
					if err != nil {
						errs <- fmt.Errorf("%s was not answered: %w", name, err)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				})
			}
		}

		wg.Wait()

		select {
		case err := <-errs:
			return err
		default:
			return ctx.Err()
		}
	}
}

// anyNodeOf is for goroutines, which must not share the round's random numbers.
func (r *round) anyNodeOf() *node { return r.nodes[int(time.Now().UnixNano()/1000)%len(r.nodes)] }

// crowd opens connections, lets each say something, and closes them after a while.
func (r *round) crowd(n int, d time.Duration, say func(k int, c net.Conn, until time.Time)) error {
	until := time.Now().Add(d)
	var wg sync.WaitGroup

	for k := range n {
		c, err := net.DialTimeout("tcp", r.nodes[0].addr, 2*time.Second)
		if err != nil {
			continue // it may refuse
		}
		wg.Go(func() {
			defer func() { _ = c.Close() }()
			say(k, c, until)
			time.Sleep(time.Until(until))
		})
	}

	wg.Wait()
	return nil
}

func hungClients(_ context.Context, r *round) error {
	return r.crowd(200, 4*time.Second, func(k int, c net.Conn, _ time.Time) {
		if k%2 == 0 {
			_, _ = io.WriteString(c, "POST /f/default/produce HTTP/1.1\r\nHost: x\r\n"+
				"Content-Length: 1000000\r\n\r\nhalf a bo")
		} else {
			_, _ = io.WriteString(c, "GET /f/default/big HTTP/1.1\r\nHost: x\r\n\r\n")
		}
	})
}

func slowLoris(_ context.Context, r *round) error {
	return r.crowd(200, 5*time.Second, func(_ int, c net.Conn, until time.Time) {
		_, _ = io.WriteString(c, "GET /f/other/hello HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		for time.Now().Before(until) {
			if _, err := io.WriteString(c, "a"); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// starveFiles lowers the node's limit to what it has open and a few more.
func starveFiles(_ context.Context, r *round) error {
	pid := r.nodes[0].cmd.Process.Pid
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return err
	}

	var before unix.Rlimit
	few := unix.Rlimit{Cur: uint64(len(open) + 5)}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		return err
	}

	few.Max = before.Max
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		return err
	}

	err = r.crowd(40, time.Duration(1+r.rng.IntN(3))*time.Second, func(_ int, c net.Conn, _ time.Time) {
		_, _ = io.WriteString(c, "GET /f/other/hello HTTP/1.1\r\nHost: x\r\n\r\n")
	})

	if e := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &before, nil); e != nil {
		return e
	}
	return err
}
