package webapi

import (
	"strings"
	"time"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// Run is what the web APIs keep for one run. The run loop makes it, and gives it to the runtime's Global
// before any code of the script runs. The zero value of the fields that are not exported is ready for use.
type Run struct {
	ID      uint64 // the run's number in frames to and from the parent
	Parent  *wire.Writer
	Request *cloud.Request // that started the run; nil if an event did
	MaxBody int            // bytes of a body that was streamed

	MaxLogLines int
	MaxLogBytes int

	Timers Timers

	logLines int // also those that were not sent
	logBytes int
	console  consoleState

	signal  goja.Value // of the run's own Request; nil until a script asks for it
	aborted bool       // the caller is gone
}

// Enter makes a run the one that uses the runtime; nil ends that.
func (g *Global) Enter(r *Run) { g.run = r }

// Evaluate calls f, which evaluates module code: until it returns, what only a run may do is refused.
func (g *Global) Evaluate(f func() error) error {
	g.evaluating = true
	err := f()
	g.evaluating = false
	return err
}

// InRun is the run that calls; module code has none, and gets a TypeError.
func (g *Global) InRun() *Run {
	if g.run == nil || g.evaluating {
		panic(g.NewError("TypeError", g.calledName()+" is not allowed while the module is evaluated: "+
			"move the call into a handler"))
	}
	return g.run
}

// calledName is the name of the platform's function that a script is calling.
func (g *Global) calledName() string {
	for _, f := range g.VM.CaptureCallStack(0, nil) {
		if name := f.FuncName(); name != "" && f.SrcName() == "<native>" {
			return name + "()"
		}
	}
	return "this"
}

// fullLogLine is how many bytes of a line are sent when the run has reached its limit in bytes.
const fullLogLine = 1024

// Log sends a line to the parent, within the run's limits; the lines beyond them are counted in Unlogged.
func (r *Run) Log(level, message string) {
	message = strings.Repeat("  ", r.console.depth) + strings.ToValidUTF8(message, "\uFFFD")
	if r.logLines++; r.logLines > r.MaxLogLines {
		return
	}

	if r.logBytes += len(message); r.logBytes > r.MaxLogBytes && len(message) > fullLogLine {
		message = strings.ToValidUTF8(message[:fullLogLine], "") +
			" [cut: the run has reached its log limit in bytes]"
	}

	line := cloud.LogLine{At: time.Now(), Level: level, Message: message}
	_ = r.Parent.Send(wire.Log, r.ID, func(e *wire.Encoder) { wire.EncodeLog(e, &line) })
}

// Unlogged is how many lines were not sent, as the run had reached its limit in lines.
func (r *Run) Unlogged() int { return max(r.logLines-r.MaxLogLines, 0) }

// watchSignal makes the signal of the run's own Request follow the caller.
func (g *Global) watchSignal(r *Run, signal goja.Value) {
	r.signal = signal
	if r.aborted {
		_, _ = g.loadEvents().abort(goja.Undefined(), signal)
	}
}

// CallerGone notes that the caller does not wait for the response any more. AbortSignal fires the event for
// it.
func (r *Run) CallerGone() { r.aborted = true }

// AbortSignal fires the signal of the run's own Request, if the script has asked for it. Its error is what
// a listener has thrown.
func (g *Global) AbortSignal(r *Run) error {
	if r.signal == nil {
		return nil
	}
	_, err := g.loadEvents().abort(goja.Undefined(), r.signal)
	return err
}

// MayAbort reports whether the script holds a signal that can still fire: the caller's going away may
// resolve what it waits for.
func (r *Run) MayAbort() bool { return r.signal != nil && !r.aborted }
