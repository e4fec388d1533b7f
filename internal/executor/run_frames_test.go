package executor

import (
	"errors"
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// What a child may send as an outcome depends on the run: a response for a request only, a stream only if one
// was asked for.
func TestIsAllowed(t *testing.T) {
	t.Parallel()
	response := &cloud.Response{Status: 200}
	long := cloud.Header{Name: "x", Value: strings.Repeat("x", cloud.MaxResponseHeader)}
	huge := &cloud.Response{Headers: []cloud.Header{long}}
	fetch := &cloud.RunSpec{Request: &cloud.Request{}}
	stream := &cloud.RunSpec{Request: &cloud.Request{}, Stream: true}
	event := &cloud.RunSpec{Event: "{}"}
	const ok, failed = cloud.Succeeded, cloud.Failed

	streaming := func(status cloud.Status, r *cloud.Response, pending bool) wire.DoneMsg {
		return wire.DoneMsg{Status: status, Response: r, Streaming: true, Pending: pending}
	}
	for name, c := range map[string]struct {
		spec    *cloud.RunSpec
		m       wire.DoneMsg
		isAfter bool
		want    bool
	}{
		"response":                    {fetch, wire.DoneMsg{Status: ok, Response: response}, false, true},
		"no response":                 {fetch, wire.DoneMsg{Status: ok}, false, false},
		"failure without one":         {fetch, wire.DoneMsg{Status: failed}, false, true},
		"huge header":                 {fetch, wire.DoneMsg{Status: ok, Response: huge}, false, false},
		"huge header of a failure":    {fetch, wire.DoneMsg{Status: failed, Response: huge}, false, false},
		"event":                       {event, wire.DoneMsg{Status: ok}, false, true},
		"response to an event":        {event, wire.DoneMsg{Status: ok, Response: response}, false, false},
		"end of waitUntil work":       {fetch, wire.DoneMsg{Status: ok}, true, true},
		"response of waitUntil work":  {fetch, wire.DoneMsg{Status: ok, Response: response}, true, false},
		"response of failed work":     {fetch, wire.DoneMsg{Status: failed, Response: response}, true, false},
		"stream":                      {stream, streaming(ok, response, true), false, true},
		"stream that is not pending":  {stream, streaming(ok, response, false), false, false},
		"stream that was not wanted":  {fetch, streaming(ok, response, true), false, false},
		"stream without a response":   {stream, streaming(failed, nil, true), false, false},
		"stream of waitUntil work":    {stream, streaming(ok, nil, true), true, false},
		"plain response for a stream": {stream, wire.DoneMsg{Status: ok, Response: response}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &Run{spec: c.spec}
			if got := r.isAllowed(&c.m, c.isAfter); got != c.want {
				t.Errorf("allowed %t, want %t", got, c.want)
			}
		})
	}
}

// Outcomes come in order: one Done, and an After only behind it.
func TestOrderOfOutcomes(t *testing.T) {
	t.Parallel()
	newRun := func() *Run {
		return &Run{spec: &cloud.RunSpec{Event: "{}"}, mailbox: make(chan message, mailboxSize)}
	}
	outcome := func() *wire.DoneMsg { return &wire.DoneMsg{Status: cloud.Succeeded, Pending: true} }

	r := newRun()
	if err := r.takeOutcome(outcome(), false); err != nil {
		t.Errorf("Done: %v", err)
	}
	if err := r.takeOutcome(outcome(), true); err != nil {
		t.Errorf("After: %v", err)
	}
	if first, second := <-r.mailbox, <-r.mailbox; !first.done.Pending || second.done.Pending {
		t.Errorf("pending: Done %t, After %t", first.done.Pending, second.done.Pending)
	}

	if err := newRun().takeOutcome(outcome(), true); !errors.Is(err, wire.ErrProtocol) {
		t.Errorf("After before Done: %v", err)
	}
	r = newRun()
	_ = r.takeOutcome(outcome(), false)
	if err := r.takeOutcome(outcome(), false); !errors.Is(err, wire.ErrProtocol) {
		t.Errorf("a second Done: %v", err)
	}
}

// A run's log is kept up to its limits, and what is dropped is counted.
func TestLogLimits(t *testing.T) {
	t.Parallel()
	passed := 0

	r := &Run{spec: &cloud.RunSpec{OnLog: func(cloud.LogLine) { passed++ }}}
	for range cloud.MaxLogLines + 5 {
		r.log(cloud.LogLine{Message: "m"})
	}
	if len(r.logs) != cloud.MaxLogLines || r.dropped != 5 || passed != cloud.MaxLogLines {
		t.Errorf("%d lines, %d dropped, %d passed on", len(r.logs), r.dropped, passed)
	}

	r = &Run{spec: &cloud.RunSpec{}}

	long := strings.Repeat("x", cloud.MaxLogBytes/2)
	for range 3 {
		r.log(cloud.LogLine{Message: long})
	}
	if len(r.logs) != 2 || r.dropped != 1 {
		t.Errorf("long lines: %d, %d dropped", len(r.logs), r.dropped)
	}
}

// A child that makes more calls than a run may have breaks the protocol.
func TestCallsAreCounted(t *testing.T) {
	t.Parallel()

	r := &Run{spec: &cloud.RunSpec{}, mailbox: make(chan message, wire.MaxCalls+1)}
	for n := range uint64(wire.MaxCalls) {
		if err := r.takeCall(wire.CallMsg{N: n}); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
	}
	if err := r.takeCall(wire.CallMsg{}); !errors.Is(err, wire.ErrProtocol) {
		t.Errorf("a call too many: %v", err)
	}
}
