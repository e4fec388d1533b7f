package executor

import (
	"sync"
	"sync/atomic"
	"time"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// maxTold bounds the builds whose losses are remembered; when there are more, all are forgotten, and told
// again.
const maxTold = 10_000

// losses are the reasons for which runtimes of builds were thrown away, so that the next run had to evaluate
// its module anew. Each is told once for each build, in the log of an execution: what an author can mend
// would cost time in every run unseen.
type losses struct {
	due atomic.Int32 // builds with reasons that are to be told: mostly none

	// mu guards the fields below, which have a bit for each wire.Loss. It is a leaf.
	mu      sync.Mutex
	told    map[cloud.ID]uint8
	pending map[cloud.ID]uint8
}

// note takes down a reason, unless it was told before.
func (l *losses) note(build cloud.ID, why wire.Loss) {
	l.mu.Lock()
	defer l.mu.Unlock()

	bit := uint8(1) << why
	if l.told[build]&bit != 0 {
		return
	}
	if l.told == nil || len(l.told) >= maxTold {
		l.told = map[cloud.ID]uint8{}
		l.pending = map[cloud.ID]uint8{}
	}
	l.told[build] |= bit
	l.pending[build] |= bit
	l.due.Store(int32(len(l.pending)))
}

// take returns the lines that are to be told in the next execution of a build.
func (l *losses) take(build cloud.ID) []cloud.LogLine {
	if l.due.Load() == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()

	bits := l.pending[build]
	delete(l.pending, build)
	l.due.Store(int32(len(l.pending)))

	var lines []cloud.LogLine
	for why := wire.Loss(1); why < wire.LossCount; why++ {
		if bits&(1<<why) != 0 {
			lines = append(lines, cloud.LogLine{At: time.Now().UTC(), Level: "info", Message: lossText[why]})
		}
	}
	return lines
}

// lossText says to an author why a runtime was thrown away, and what can be done.
var lossText = [wire.LossCount]string{
	wire.LostTimers: "PiCloud: a run of this version left a timer behind, so its runtime was thrown " +
		"away, and the next run evaluates the module anew: clear timers (clearTimeout) that are not needed " +
		"any more",
	wire.LostCalls: "PiCloud: a run of this version ended while a call of kv or fetch was under way, " +
		"so its runtime was thrown away, and the next run evaluates the module anew: await every call, or " +
		"give it to ctx.waitUntil",
	wire.LostIntrinsics: "PiCloud: a run of this version changed an object of the language or the " +
		"platform, such as a prototype, so its runtime was thrown away, and the next run evaluates the " +
		"module anew: change such objects when the module is evaluated, not in a handler",
	wire.LostMemory: "PiCloud: the code and the module state of this app's scripts fill two thirds of " +
		"their process's memory, so the process was replaced, and the next run evaluates its module anew: " +
		"keep less in module scope, or give the script more memory (limits.memory_mib)",
}
