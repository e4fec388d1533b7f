package sandbox

import (
	"encoding/binary"
	"slices"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

// crowd is kept runtimes with programs of 1 MiB of code and two idle runtimes of 2 MiB each, used in the
// order of their names, with so many MiB in use.
func crowd(t *testing.T, inUse uint64, names ...string) (*keptRuntimes, map[string]*program, *[]string) {
	t.Helper()
	var dropped []string
	onDrop := func(p *program) { dropped = append(dropped, p.name) }
	kept := newKeptRuntimes(func(*program, wire.Loss) {}, onDrop)
	kept.heap.inUse.Store(inUse << 20)

	programs := map[string]*program{}
	for k, name := range names {
		p := &program{
			id:           cloud.ID{byte(k + 1)},
			name:         name,
			codeBytes:    1 << 20,
			kept:         kept,
			idle:         []*isolate{{}, {}},
			used:         uint64(k + 1),
			runtimeBytes: 2 << 20,
		}
		kept.compiled[p] = struct{}{}
		kept.all[p] = struct{}{}
		kept.count += 2
		programs[name] = p
	}
	return kept, programs, &dropped
}

// What was used longest ago goes first, and no more than is needed; what is in use stays.
func TestShrink(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		inUse, target uint64
		busy          []string
		dropped       []string
		idle          int
	}{
		"there is room":         {50, 60, nil, nil, 6},
		"one is enough":         {60, 50, nil, []string{"a"}, 4},
		"two":                   {70, 50, nil, []string{"a", "b"}, 2},
		"the last one stays":    {200, 50, nil, []string{"a", "b"}, 2},
		"all of them":           {200, 0, nil, []string{"a", "b", "c"}, 0},
		"one in use":            {60, 50, []string{"a"}, []string{"b"}, 4},
		"runtimes of those too": {200, 50, []string{"a", "b", "c"}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			kept, programs, dropped := crowd(t, c.inUse, "a", "b", "c")
			for _, name := range c.busy {
				if !programs[name].use() {
					t.Fatalf("%s cannot be used", name)
				}
			}

			hasShrunk := kept.shrink(c.target << 20)
			if !slices.Equal(*dropped, c.dropped) || kept.count != c.idle {
				t.Errorf("dropped %v, %d idle runtimes; want %v, %d", *dropped, kept.count, c.dropped, c.idle)
			}
			if want := len(c.dropped) > 0 || c.idle < 6; hasShrunk != want {
				t.Errorf("it says that it has shrunk: %t", hasShrunk)
			}

			for _, name := range c.dropped {
				if programs[name].use() {
					t.Errorf("%s was dropped and is used", name)
				}
			}
		})
	}
}

// How full a heap is goes by what was in use after a collection; a build that is compiled does not count.
func TestHeapLevel(t *testing.T) {
	t.Parallel()
	h := newHeap()
	h.limit = 100 << 20 // and 20 of its own

	for inUse, want := range map[uint64]wire.MemoryLevel{
		0: wire.Roomy, 39: wire.Roomy, 40: wire.Crowded, 79: wire.Crowded, 80: wire.Full, 500: wire.Full,
	} {
		h.inUse.Store(inUse << 20)
		if got := h.level(); got != want {
			t.Errorf("%d MiB: level %d, want %d", inUse, got, want)
		}
	}

	h.inUse.Store(90 << 20)
	h.allowance.Store(30 << 20)
	if got := h.level(); got != wire.Crowded {
		t.Errorf("while a build is compiled: level %d", got)
	}
}

// A dropped program that comes again is a new one.
func TestDroppedProgramComesAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	build := cloud.ID{7}
	send := func() {
		var body []byte
		for _, field := range []string{string(build[:]), "main", "(function () {})"} {
			body = append(binary.AppendUvarint(body, uint64(len(field))), field...)
		}
		f.server.addProgram(body)
	}

	send()
	first := f.server.programs[build]
	send()
	if f.server.programs[build] != first {
		t.Error("a program that is there was replaced")
	}

	first.isDropped.Store(true)
	send() // before the drop is through
	second := f.server.programs[build]
	f.server.dropProgram(first)
	if second == first || f.server.programs[build] != second {
		t.Error("a program that was dropped is still there, or its successor is not")
	}
	if m, err := wire.DecodeDropped(f.next(wire.Dropped)); err != nil || m.Build != build {
		t.Errorf("told %v %v", m, err)
	}
}

// A run of a build that was dropped is sent back, and nothing is left of it.
func TestMissing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.server.start(3, requestMsg())
	f.next(wire.Missing)
	if len(f.server.runs) != 0 {
		t.Errorf("%d runs are in progress", len(f.server.runs))
	}
}
