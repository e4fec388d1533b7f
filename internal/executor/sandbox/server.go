package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// server is what all runs of a child share.
type server struct {
	w     *wire.Writer
	kept  *keptRuntimes
	workC chan *run // to goroutines that have nothing to do

	// mu guards the fields below. No other lock is taken under it.
	mu       sync.Mutex
	threads  threads
	programs map[cloud.ID]*program
	envs     map[cloud.ID]*cloud.Env // the latest ones
	envOrder []cloud.ID              // as they were sent last
	runs     map[uint64]*run         // in progress
	started  uint64                  // runs so far
	level    wire.MemoryLevel        // what the parent knows of the memory
	owner    cloud.ID                // the same
	held     map[uint64]*isolate     // of runs that have finished, waiting for Release
}

func newServer(w *wire.Writer) *server {
	s := &server{
		w:        w,
		workC:    make(chan *run),
		programs: map[cloud.ID]*program{},
		envs:     map[cloud.ID]*cloud.Env{},
		runs:     map[uint64]*run{},
		held:     map[uint64]*isolate{},
	}
	s.kept = newKeptRuntimes(s.tellLoss, s.dropProgram)
	return s
}

// dropProgram takes a build off the list and tells the parent, which sends it again if it is needed.
func (s *server) dropProgram(p *program) {
	s.mu.Lock()
	if s.programs[p.id] == p {
		delete(s.programs, p.id)
	}
	s.mu.Unlock()

	msg := wire.DroppedMsg{Build: p.id}
	_ = s.w.Send(wire.Dropped, 0, msg.Encode)
}

// tellLoss tells the parent why a runtime of a program was thrown away, once for each reason.
func (s *server) tellLoss(p *program, why wire.Loss) {
	if bit := uint32(1) << why; p.told.Or(bit)&bit != 0 {
		return
	}
	msg := wire.LostMsg{Build: p.id, Why: why}
	_ = s.w.Send(wire.Lost, 0, msg.Encode)
}

// serve reads frames until the parent is gone. It never blocks on a script.
func (s *server) serve(r *wire.Reader) error {
	for {
		kind, id, body, err := r.Next()
		if err != nil {
			return nil //nolint:nilerr // the parent closed the connection: the end of this child
		}
		if err := s.frame(kind, id, body); err != nil {
			return err
		}
	}
}

// frame does what one frame asks for. Its error ends the child: the parent speaks another protocol.
func (s *server) frame(kind wire.Kind, id uint64, body []byte) error {
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
	case wire.Resumed:
		s.withRun(id, (*run).resumed)
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

	return nil
}

// withRun calls f with a run, if it is still in progress.
func (s *server) withRun(id uint64, f func(*run)) {
	s.mu.Lock()
	s.adjustThreads()
	r := s.runs[id]
	s.mu.Unlock()

	if r != nil {
		f(r)
	}
}

// addProgram takes a build: its id, its name and its code.
func (s *server) addProgram(body []byte) {
	d := wire.NewDecoder(body)
	var build cloud.ID
	copy(build[:], d.Bytes())
	name := d.String()
	code := d.String()

	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.programs[build]; p == nil || p.isDropped.Load() {
		s.programs[build] = &program{
			id:        build,
			name:      name,
			code:      code,
			codeBytes: codeBytes(code),
			kept:      s.kept,
		}
	}
}

// maxEnvs is how many environments are kept: those of scripts that secrets are for alone, and those of runs
// that were sent before the app's changed.
const maxEnvs = 16

// addEnv takes an environment, and drops the one that was sent longest ago when there are too many.
func (s *server) addEnv(env *cloud.Env) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.envOrder = slices.DeleteFunc(s.envOrder, func(id cloud.ID) bool { return id == env.ID })
	s.envOrder = append(s.envOrder, env.ID)
	if s.envs[env.ID] != nil {
		return
	}

	s.envs[env.ID] = env
	if len(s.envOrder) > maxEnvs {
		delete(s.envs, s.envOrder[0])
		s.envOrder = s.envOrder[1:]
	}
}

// start begins a run on a goroutine that has nothing to do, or on a new one.
func (s *server) start(id uint64, msg *wire.RunMsg) {
	s.mu.Lock()
	s.adjustThreads()
	s.monitor()
	p := s.programs[msg.Build]
	env := s.envs[msg.Env]
	s.mu.Unlock()

	if p == nil || !p.use() {
		_ = s.w.Send(wire.Missing, id, nil)
		return
	}

	r := newRun(s, id, msg, p)
	r.env = env
	s.mu.Lock()
	s.runs[id] = r
	s.started++
	s.mu.Unlock()

	select {
	case s.workC <- r:
	default:
		go s.work(r)
	}
}

// work executes runs one after the other: a goroutine that has grown its stack need not grow it again. One
// that executed a long run ends, as that may have needed a far larger stack.
func (s *server) work(r *run) {
	for {
		r.main(r.id)
		if r.usage.cpu >= longRun {
			return
		}
		r = <-s.workC
	}
}

// finish takes a run off the list; its runtime goes back to the pool, is held until the parent
// reports whether the run committed, or is dropped.
func (s *server) finish(r *run, hold bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	delete(s.runs, r.id)
	if r.usage.cpu >= longRun {
		s.threads.till = time.Now().Add(twoFor)
	}
	if hold && r.iso != nil {
		s.held[r.id] = r.iso
	} else if r.prog != nil {
		r.prog.unuse()
	}
	s.lookWhenIdle()
}

// lookWhenIdle has the memory looked at once nothing runs any more, if it was full. s.mu is held.
func (s *server) lookWhenIdle() {
	if s.level == wire.Full && len(s.runs) == 0 && len(s.held) == 0 {
		s.kept.heap.askForCheck()
	}
}

// release ends the hold on a run's runtime.
func (s *server) release(id uint64, reuse bool) {
	s.mu.Lock()
	iso := s.held[id]
	delete(s.held, id)
	s.lookWhenIdle()
	s.mu.Unlock()

	if iso == nil {
		return
	}

	giveBack := func() {
		if reuse {
			iso.prog.putIfIntact(iso)
		}
		iso.prog.unuse()
	}
	if iso.prog.isCostly.Load() {
		giveBack() // before the next run, which may be the next frame
	} else {
		go giveBack()
	}
}

// inspect evaluates a build and names the functions of its default export.
func (s *server) inspect(id uint64, body []byte) {
	d := wire.NewDecoder(body)
	var build, environment cloud.ID
	copy(build[:], d.Bytes())
	copy(environment[:], d.Bytes())

	s.mu.Lock()
	p := s.programs[build]
	env := s.envs[environment]
	s.mu.Unlock()

	var out wire.InspectedMsg
	iso, serr := p.isolate(nil, env)
	if serr != nil {
		out.Error = serr
	} else {
		for name := range iso.handlers {
			out.Handlers = append(out.Handlers, name)
		}
		sort.Strings(out.Handlers)
		out.Hint = iso.hint
	}

	s.answer(wire.Inspected, id, out)
}

// answer sends what a request that is no run asked for.
func (s *server) answer(kind wire.Kind, id uint64, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // plain structs always encode
	}
	_ = s.w.Send(kind, id, func(e *wire.Encoder) { e.Raw(b) })
}
