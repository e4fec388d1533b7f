package executor_test

import (
	"context"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"picloud/internal/cloud"
	"picloud/internal/executor"
	"picloud/internal/executor/wire"
)

// This test binary can be a sandbox child that lies.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "lie" {
		lie(os.Args[2])
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// lies are what a child may send when it is told to run something.
var lies = map[string]func(c net.Conn, w *wire.Writer, id uint64){
	"garbage": func(c net.Conn, _ *wire.Writer, _ uint64) {
		b := make([]byte, 1<<16)
		for k := range b {
			b[k] = byte(rand.Uint32())
		}
		_, _ = c.Write(b)
	},
	"frame of 4 GiB": func(c net.Conn, _ *wire.Writer, _ uint64) {
		_, _ = c.Write([]byte{0xff, 0xff, 0xff, 0xff, byte(wire.Done)})
	},
	"half a frame": func(c net.Conn, _ *wire.Writer, _ uint64) {
		_, _ = c.Write([]byte{100, 0, 0, 0, byte(wire.Done), 1})
	},
	"unknown kind":       func(_ net.Conn, w *wire.Writer, id uint64) { _ = w.Send(200, id, nil) },
	"kind of the parent": func(_ net.Conn, w *wire.Writer, id uint64) { _ = w.Send(wire.Reply, id, nil) },
	"empty done":         func(_ net.Conn, w *wire.Writer, id uint64) { _ = w.Send(wire.Done, id, nil) },
	"ready again":        func(_ net.Conn, w *wire.Writer, id uint64) { _ = w.Send(wire.Ready, 0, nil) },
	"done of nothing":    done(&wire.DoneMsg{Status: cloud.Succeeded}),
	"made-up status":     done(&wire.DoneMsg{Status: "owned"}),
	"refused status":     done(&wire.DoneMsg{Status: cloud.Refused}),
	"streaming uncalled": done(&wire.DoneMsg{
		Status:    cloud.Succeeded,
		Response:  &cloud.Response{Status: 200},
		Streaming: true,
		Pending:   true,
	}),
	"after before done": func(_ net.Conn, w *wire.Writer, id uint64) {
		m := &wire.DoneMsg{Status: cloud.Succeeded, Response: &cloud.Response{}}
		_ = w.Send(wire.After, id, m.Encode)
	},
	"chunk uncalled": func(_ net.Conn, w *wire.Writer, id uint64) {
		_ = w.Send(wire.Chunk, id, (&wire.ChunkMsg{Body: []byte("x")}).Encode)
	},
	"cancel of nothing": func(_ net.Conn, w *wire.Writer, id uint64) {
		_ = w.Send(wire.Cancel, id, wire.EncodeCancel(1<<60))
		done(&wire.DoneMsg{Status: cloud.Failed})(nil, w, id)
	},
	"headers of 1 MiB": done(&wire.DoneMsg{Status: cloud.Succeeded, Response: &cloud.Response{
		Status:  200,
		Headers: []cloud.Header{{Name: "x", Value: string(make([]byte, 1<<20))}},
	}}),
	"unknown call": func(_ net.Conn, w *wire.Writer, id uint64) {
		_ = w.Send(wire.Call, id, func(e *wire.Encoder) {
			e.Uint(1)
			e.Uint(99)
		})
		done(&wire.DoneMsg{Status: cloud.Failed})(nil, w, id)
	},
	"endless calls": func(_ net.Conn, w *wire.Writer, id uint64) {
		for n := range uint64(20000) {
			_ = w.Send(wire.Call, id, (&wire.CallMsg{N: n, Call: cloud.KVGet{}}).Encode)
		}
	},
	"endless logs": func(_ net.Conn, w *wire.Writer, id uint64) {
		line := &cloud.LogLine{Level: "x", Message: "flood"}
		for range 100000 {
			_ = w.Send(wire.Log, id, func(e *wire.Encoder) { wire.EncodeLog(e, line) })
		}
		done(&wire.DoneMsg{Status: cloud.Failed})(nil, w, id)
	},
	"another's run": func(_ net.Conn, w *wire.Writer, id uint64) {
		m := &wire.DoneMsg{Status: cloud.Succeeded, Response: &cloud.Response{Status: 200}}
		_ = w.Send(wire.Done, id+1000, m.Encode)
		done(&wire.DoneMsg{Status: cloud.Failed})(nil, w, id)
	},
	"done twice": func(_ net.Conn, w *wire.Writer, id uint64) {
		for range 2 {
			done(&wire.DoneMsg{Status: cloud.Failed})(nil, w, id)
		}
	},
	"claims": done(&wire.DoneMsg{
		Status:   cloud.Failed,
		Unlogged: 1 << 50,
		Usage:    cloud.Usage{CPU: 1 << 62, MemoryKiB: 1 << 62},
	}),
	"silence": func(net.Conn, *wire.Writer, uint64) {},
	"end":     func(c net.Conn, _ *wire.Writer, _ uint64) { _ = c.Close() },
}

func done(m *wire.DoneMsg) func(net.Conn, *wire.Writer, uint64) {
	return func(_ net.Conn, w *wire.Writer, id uint64) { _ = w.Send(wire.Done, id, m.Encode) }
}

// lie is the life of a child that lies. "frame" and hexadecimal digits is any frame: its kind and its body.
func lie(how string) {
	conn, err := net.FileConn(os.NewFile(3, "parent"))
	if err != nil {
		return
	}
	r := wire.NewReader(conn, 1<<30)

	w := wire.NewWriter(conn, 0, 1<<30)
	for {
		kind, id, _, err := r.Next()
		switch {
		case err != nil:
			return
		case kind == wire.Init:
			_ = w.Send(wire.Ready, 0, nil)
		case kind == wire.Run:
			if frame, ok := strings.CutPrefix(how, "frame "); ok {
				b, _ := hex.DecodeString(frame)
				_ = w.Send(wire.Kind(b[0]), id, func(e *wire.Encoder) { e.Raw(b[1:]) })
				done(&wire.DoneMsg{Status: cloud.Failed})(nil, w, id)
				continue
			}
			go lies[how](conn, w, id)
		}
	}
}

// A lying child must not hurt the parent: its run ends, with an outcome, and what it claims beyond bounds is
// not believed.
func TestLyingChild(t *testing.T) {
	t.Parallel()

	for how := range lies {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && (how == "silence" || how == "half a frame") {
				t.Skip("waits for the run's deadline")
			}
			if o := runLiar(t, how); o.Status == cloud.Succeeded {
				t.Errorf("%+v", o)
			}
		})
	}
}

// Any frame may stand where the child's answer is expected.
func FuzzLyingChild(f *testing.F) {
	for kind := range byte(32) {
		f.Add(kind, []byte{})
		f.Add(kind, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	}
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		if len(body) < 4096 {
			runLiar(t, "frame "+hex.EncodeToString(append([]byte{kind}, body...)))
		}
	})
}

// runLiar makes one run in a child that lies, and returns its outcome.
func runLiar(t *testing.T, how string) *cloud.Outcome {
	t.Helper()
	p := executor.New(executor.Config{
		Launcher:  &executor.Launcher{Command: []string{os.Args[0], "lie", how}},
		MemoryMiB: 128,
		MaxBody:   1 << 20,
		Log:       slog.New(slog.DiscardHandler),
		Code:      noCode,
	})
	defer p.Close()
	run, err := p.Run(t.Context(), newSpec())
	if err != nil {
		t.Fatal(err)
	}

	outcomeCh := make(chan cloud.Outcome, 1)
	go func() { outcomeCh <- run.Outcome() }()

	select {
	case o := <-outcomeCh:
		if o.Status == cloud.Refused || o.Usage.CPU > 25*time.Hour || len(o.Logs) > cloud.MaxLogLines {
			t.Errorf("%+v", o)
		}
		run.Release(false)
		return &o
	case <-time.After(10 * time.Second):
		t.Fatal("the run never ended")
		return nil
	}
}

func noCode(context.Context, cloud.AppID, cloud.ID) (string, error) { return "", nil }

// newSpec is a run of a request that has one second.
func newSpec() *cloud.RunSpec {
	var ids cloud.IDSource
	return &cloud.RunSpec{
		Execution: ids.New(),
		Root:      ids.New(),
		App:       1,
		Handler:   "fetch",
		Calls:     noCalls{},
		Script: &cloud.Script{
			App:    1,
			ID:     ids.New(),
			Name:   "x",
			Build:  ids.New(),
			Limits: cloud.Limits{Timeout: time.Second},
		},
		Request:  &cloud.Request{Method: "GET", URL: "http://x.test/"},
		Deadline: time.Now().Add(time.Second),
	}
}
