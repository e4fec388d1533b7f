package testcloud

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/orchestrator"
)

// Script is what a script does, as a Go function.
type Script func(r *Run) cloud.Outcome

// scripts are what the scripts of an installation do, by name.
type scripts struct {
	mu      sync.Mutex
	byName  map[string]Script
	n       int   // deploys
	refusal error // why no run can be started; nil: all can
}

func newScripts() *scripts { return &scripts{byName: map[string]Script{}} }

// put has the script of a name do something, and gives a source that was never deployed before.
func (s *scripts) put(name string, f Script) (source string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.byName[name] = f
	s.n++
	return fmt.Sprintf("// %s %d", name, s.n)
}

func (s *scripts) find(name string) Script {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.byName[name]
}

// RefuseRuns lets no run start any more, for a reason; nil lets them.
func (c *Cloud) RefuseRuns(reason error) {
	c.scripts.mu.Lock()
	defer c.scripts.mu.Unlock()

	c.scripts.refusal = reason
}

// mayRun is why no run can be started.
func (s *scripts) mayRun() error {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.refusal
}

// compiler says that every script exports every handler.
type compiler struct{}

func (compiler) Compile(_ context.Context, _ cloud.AppID, _ cloud.ID, src *cloud.Source) (*cloud.Bundle,
	error) {
	return &cloud.Bundle{Code: src.Source, Handlers: []string{"fetch", "kv", "scheduled", "deadLetter"}}, nil
}

// Deploy deploys a script to the default app.
func (c *Cloud) Deploy(name string, f Script) {
	c.t.Helper()
	change := manager.ScriptChange{Source: c.scripts.put(name, f)}
	if _, err := c.Manager.PutScript(c.t.Context(), c.Owner, c.App, name, change); err != nil {
		c.t.Fatalf("deploy %s: %v", name, err)
	}
}

// OnKV has a script run for changes in a collection. The attempts follow each other without a delay.
func (c *Cloud) OnKV(collection, script string, attempts int32) cloud.ID {
	c.t.Helper()
	return c.Trigger(manager.TriggerChange{
		Kind:       ptr(cloud.SourceKV),
		Script:     &script,
		Collection: &collection,
		Retry:      &manager.RetryChange{MaxAttempts: &attempts, BaseMS: ptr(int32(0)), Jitter: ptr(0.0)},
	})
}

// Trigger makes a trigger.
func (c *Cloud) Trigger(change manager.TriggerChange) cloud.ID {
	c.t.Helper()
	t, err := c.Manager.CreateTrigger(c.t.Context(), c.Owner, c.App, change)
	if err != nil {
		c.t.Fatalf("create trigger: %v", err)
	}
	return t.ID
}

func ptr[T any](v T) *T { return &v }

// OK is the outcome of a script that answers with a body.
func OK(body string) cloud.Outcome {
	return cloud.Outcome{Status: cloud.Succeeded, Response: &cloud.Response{Status: 200, Body: []byte(body)}}
}

// Fail is the outcome of a script that throws.
func Fail(message string) cloud.Outcome {
	return cloud.Outcome{Status: cloud.Failed, Error: cloud.ScriptError{Name: "Error", Message: message}}
}

// executor runs scripts in the goroutine that waits for their outcome.
type executor struct {
	node    string
	scripts *scripts
}

var errNoScript = errors.New("the test has no such script")

func (e *executor) Run(_ context.Context, spec *cloud.RunSpec) (orchestrator.Run, error) {
	if err := e.scripts.mayRun(); err != nil {
		return nil, err
	}
	f := e.scripts.find(spec.Script.Name)
	if f == nil {
		return nil, errNoScript
	}
	return &Run{RunSpec: spec, Node: e.node, script: f, cancelled: make(chan struct{})}, nil
}

// Run is a run in the hands of its script.
type Run struct {
	*cloud.RunSpec
	Node string // on which it runs

	script     Script
	after      Script
	calls      atomic.Uint64
	cancelled  chan struct{}
	cancelOnce sync.Once
}

// Outcome runs the script. waitUntil work makes the outcome pending.
func (r *Run) Outcome() cloud.Outcome {
	outcome := r.script(r)
	if r.after != nil && outcome.Status == cloud.Succeeded {
		outcome.Pending = true
		r.Calls.Responded()
	}
	return outcome
}

// After runs the waitUntil work.
func (r *Run) After() cloud.Outcome { return r.after(r) }

// Cancel closes what Cancelled gives.
func (r *Run) Cancel() { r.cancelOnce.Do(func() { close(r.cancelled) }) }

// Release does nothing: there is no child to give back.
func (r *Run) Release(bool) {}

// Cancelled is closed when the run must stop.
func (r *Run) Cancelled() <-chan struct{} { return r.cancelled }

// WaitUntil has something done after the response.
func (r *Run) WaitUntil(f Script) { r.after = f }

// Call makes a host call.
func (r *Run) Call(call cloud.HostCall) (cloud.HostReply, error) {
	return r.Calls.Call(context.Background(), r.calls.Add(1), call)
}

// Set writes a key. The error is a host error, or the platform's.
func (r *Run) Set(collection, key, value string) error {
	_, err := r.Call(cloud.KVSet{Collection: collection, Key: key, Value: value, IfVersion: cloud.AnyVersion})
	return err
}

// Get reads a key, "" for one that is absent. The commit checks that it stays so.
func (r *Run) Get(collection, key string) (string, error) {
	reply, err := r.Call(cloud.KVGet{Collection: collection, Key: key})
	return reply.Value, err
}
