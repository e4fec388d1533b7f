// Package sandbox is the child process in which scripts are compiled and run: goja, an event loop per run, the web APIs
// and the SDK modules. It has no database, no file and no network: everything a script can reach goes as a host call over
// the one connection to the parent.
//
// A child serves one app. It keeps a pool of runtimes for each build of a script; a runtime executes one run at a time and
// is used again afterwards, unless the run left something behind (see isolate.clean).
package sandbox

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// connFD is the descriptor of the connection to the parent.
const connFD = 3

// maxFrame bounds what the parent sends; it is the parent that is trusted here, so this only catches accidents.
const maxFrame = 1 << 30

// Main is the child's whole life. It returns when the parent closes the connection.
func Main() error {
	f := os.NewFile(connFD, "parent")
	if f == nil {
		return fmt.Errorf("sandbox: descriptor %d is not open; this command is started by picloud itself", connFD)
	}
	conn, err := net.FileConn(f)
	if err != nil {
		return fmt.Errorf("sandbox: open connection to the parent: %w", err)
	}
	_ = f.Close()
	conn = quiet(conn)
	r := wire.NewReader(conn, maxFrame)
	kind, _, body, err := r.Next()
	if err != nil || kind != wire.Init {
		return fmt.Errorf("sandbox: no limits from the parent: %w", err)
	}
	var limits wire.InitMsg
	if err := json.Unmarshal(body, &limits); err != nil {
		return fmt.Errorf("sandbox: read limits: %w", err)
	}
	processMemory.open()
	if err := confine(limits); err != nil {
		return fmt.Errorf("sandbox: confine: %w", err)
	}
	s := &server{
		w:        wire.NewWriter(conn, 0, 1<<30),
		programs: map[cloud.ID]*program{}, envs: map[cloud.ID]*cloud.Env{},
		runs:  map[uint64]*run{},
		held:  map[uint64]*isolate{},
		kept:  &keptRuntimes{all: map[*program]struct{}{}},
		workC: make(chan *run),
	}
	if err := s.w.Send(wire.Ready, 0, nil); err != nil {
		return err
	}
	return s.serve(r)
}

type server struct {
	w     *wire.Writer
	kept  *keptRuntimes
	workC chan *run // to goroutines that have nothing to do

	mu       sync.Mutex
	threads  threads
	programs map[cloud.ID]*program
	envs     map[cloud.ID]*cloud.Env // the latest ones
	envOrder []cloud.ID
	runs     map[uint64]*run     // in progress
	held     map[uint64]*isolate // finished, waiting for Release
}

// serve reads frames until the parent is gone. It never blocks on a script.
func (s *server) serve(r *wire.Reader) error {
	for {
		kind, id, body, err := r.Next()
		if err != nil {
			return nil //nolint:nilerr // the parent closed the connection: the end of this child
		}
		switch kind {
		case wire.Program:
			s.addProgram(body)
		case wire.Env:
			env, err := wire.DecodeEnv(body)
			if err != nil {
				return err
			}
			s.addEnv(env)
		case wire.Run:
			msg, err := wire.DecodeRun(body)
			if err != nil {
				return err
			}
			s.start(id, msg)
		case wire.Reply:
			s.withRun(id, func(r *run) { r.post(event{kind: evReply, body: body}) })
		case wire.Interrupt:
			s.withRun(id, (*run).interrupt)
		case wire.Abort:
			s.withRun(id, func(r *run) { r.post(event{kind: evAbort}) })
		case wire.Pull:
			s.withRun(id, func(r *run) { r.post(event{kind: evPull}) })
		case wire.Release:
			s.release(id, len(body) == 1 && body[0] == 1)
		case wire.Compile:
			s.compiling()
			go s.compile(id, body)
		case wire.Inspect:
			go s.inspect(id, body)
		default:
			return wire.ErrProtocol
		}
	}
}

func (s *server) withRun(id uint64, f func(*run)) {
	s.mu.Lock()
	s.adjustThreads()
	r := s.runs[id]
	s.mu.Unlock()
	if r != nil {
		f(r)
	}
}

func (s *server) addProgram(body []byte) {
	d := wire.NewDecoder(body)
	var build cloud.ID
	copy(build[:], d.Bytes())
	name, code := d.String(), d.String()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.programs[build] == nil {
		s.programs[build] = &program{name: name, code: code, kept: s.kept}
	}
}

// maxEnvs is how many environments are kept for runs that were sent before the app's changed.
const maxEnvs = 4

func (s *server) addEnv(env *cloud.Env) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.envs[env.ID] != nil {
		return
	}
	s.envs[env.ID] = env
	if s.envOrder = append(s.envOrder, env.ID); len(s.envOrder) > maxEnvs {
		delete(s.envs, s.envOrder[0])
		s.envOrder = s.envOrder[1:]
	}
}

func (s *server) start(id uint64, msg *wire.RunMsg) {
	s.mu.Lock()
	s.adjustThreads()
	s.monitor()
	p := s.programs[msg.Build]
	r := newRun(s, id, msg, p)
	r.env = s.envs[msg.Env]
	s.runs[id] = r
	s.mu.Unlock()
	select {
	case s.workC <- r:
	default:
		go s.work(r)
	}
}

// work executes runs one after the other: a goroutine that has grown its stack need not grow it again. One that executed a
// long run ends, as that may have needed a far larger stack.
func (s *server) work(r *run) {
	for {
		r.main(r.id)
		if r.usage.cpu >= longRun {
			return
		}
		r = <-s.workC
	}
}

// finish takes a run off the list; its runtime goes back to the pool, is held until the parent knows whether the run
// committed, or is dropped.
func (s *server) finish(r *run, hold bool) {
	s.mu.Lock()
	delete(s.runs, r.id)
	if r.usage.cpu >= longRun {
		s.threads.till = time.Now().Add(twoFor)
	}
	if hold && r.iso != nil {
		s.held[r.id] = r.iso
	}
	s.mu.Unlock()
}

// release ends the hold on a run's runtime.
func (s *server) release(id uint64, reuse bool) {
	s.mu.Lock()
	iso := s.held[id]
	delete(s.held, id)
	s.mu.Unlock()
	if iso != nil && reuse {
		go iso.prog.putIfIntact(iso)
	}
}

func tuneCollector(limit uint64) {
	debug.SetGCPercent(200) // the limit below is what bounds the heap
	debug.SetMemoryLimit(wire.MemoryTarget(limit))
	// A Go stack of this size holds any recursion that the bounded JavaScript stack allows; more is a runaway.
	debug.SetMaxStack(int(limit / 2))
}
