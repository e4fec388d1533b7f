package sandbox

import (
	"fmt"
	"os"
	"time"

	"picloud/internal/executor/wire"
)

// obeyTime is how long a run that needs too much memory has to end after its interrupt, before its process
// does.
const obeyTime = 250 * time.Millisecond

// keepMemory looks at the memory of the process whenever a collection found much in use.
func (s *server) keepMemory() {
	for range s.kept.heap.checkC {
		s.checkMemory()
	}
}

// checkMemory keeps what is in use small enough for the collector, and tells the parent if it cannot.
func (s *server) checkMemory() {
	heap := s.kept.heap
	if heap.inUse.Load() > heap.allowed() {
		s.overLimit()
	}
	if heap.level() == wire.Full && s.kept.shrink(heap.total()/2) {
		heap.collect()
	}

	level := heap.level()
	if level == wire.Full {
		level = s.levelWhenIdle()
	}
	s.tellLevel(level)
}

// levelWhenIdle decides what a full memory means: if nothing runs, what the last runs have left may be
// garbage that was not collected yet. If it is none, the process is spent. If a run starts meanwhile, its end
// decides.
func (s *server) levelWhenIdle() wire.MemoryLevel {
	isIdle, before := s.isIdle()
	if !isIdle {
		return wire.Full
	}

	s.kept.heap.collect()
	level := s.kept.heap.level()
	if _, now := s.isIdle(); level == wire.Full && now == before {
		return s.spent()
	}
	return level
}

// spent is the level of a process whose memory is full while nothing runs. Its author is told.
func (s *server) spent() wire.MemoryLevel {
	s.kept.loseLast(wire.LostMemory)
	return wire.Spent
}

// decideAtEnd is called at the end of a run that leaves nothing but its runtime. If the memory was full, and
// no other run is in progress, it finds out whether it still is: the parent is to know that before it sends
// the next run.
func (s *server) decideAtEnd(r *run) {
	s.mu.Lock()
	isAlone := s.level == wire.Full && len(s.runs) == 1 && s.runs[r.id] == r
	s.mu.Unlock()
	if !isAlone {
		return
	}

	s.kept.heap.collect()
	level := s.kept.heap.level()
	if level == wire.Full {
		level = s.spent()
	}
	s.tellLevel(level)
}

// tellLevel tells the parent how full the memory is, and of what, if it does not know.
func (s *server) tellLevel(level wire.MemoryLevel) {
	msg := wire.MemoryMsg{Level: level, Owner: s.kept.owner()}
	s.mu.Lock()
	isNews := s.level != level || s.owner != msg.Owner
	s.level = level
	s.owner = msg.Owner
	s.mu.Unlock()

	if isNews {
		_ = s.w.Send(wire.Memory, 0, msg.Encode)
	}
}

// isIdle reports that nothing runs, and that no runtime is held for a run's commit; started is how many runs
// there were so far.
func (s *server) isIdle() (idle bool, started uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.runs) == 0 && len(s.held) == 0, s.started
}

// overLimit is called when more is in use than scripts may have. What nobody uses goes first. If that is not
// enough, the runs that compute are ended: it is they who take more. The parent has each of them run alone,
// unless it was. If none does, nobody knows whose the memory is, and the process ends.
func (s *server) overLimit() {
	heap := s.kept.heap
	s.kept.shrink(0)
	heap.collect()

	inUse := heap.inUse.Load()
	if inUse <= heap.allowed() {
		return
	}

	suspects := s.computing()
	if len(suspects) == 0 {
		dieOfMemory(inUse, heap.allowed(), 0)
	}

	for _, r := range suspects {
		r.exceedMemory(inUse)
	}

	time.AfterFunc(obeyTime, func() {
		for _, r := range suspects {
			if !s.goesOn(r) {
				continue
			}
			culprit := uint64(0)
			if len(suspects) == 1 {
				culprit = r.id
			}
			dieOfMemory(inUse, heap.allowed(), culprit)
		}
	})
}

// computing are the runs that compute now, or the only run there is.
func (s *server) computing() []*run {
	s.mu.Lock()
	defer s.mu.Unlock()

	var found []*run
	now := time.Now()

	for _, r := range s.runs {
		if len(s.runs) == 1 || r.usage.computing(now) > 0 {
			found = append(found, r)
		}
	}
	return found
}

// goesOn reports whether a run has not ended.
func (s *server) goesOn(r *run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[r.id] == r
}

// dieOfMemory ends the process, and says why in the words that the parent looks for. run is whose the memory
// is, 0 if that is not known.
func dieOfMemory(inUse, allowed, run uint64) {
	fmt.Fprintf(os.Stderr, wire.MemoryDeath+"\n", inUse, allowed, run)
	os.Exit(2)
}

// exceedMemory ends a run that needs more memory than it may have. Any goroutine may call it.
func (r *run) exceedMemory(inUse uint64) {
	r.exceeded.Store(inUse)
	r.interrupt()
}

// memoryMessage says for an author what a run needed that was ended for its memory.
func (r *run) memoryMessage() string {
	heap := r.s.kept.heap
	return fmt.Sprintf("the run needed more than its %d MiB of memory: %d MiB in use, some %d of them the "+
		"process's own, did not fit; it was stopped and nothing of it was kept",
		heap.limit>>20, r.exceeded.Load()>>20, heap.own>>20)
}
