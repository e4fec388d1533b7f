package webassembly

// What a realm may gather over many runs before it is given up: nothing of it is freed before (package
// comment). Memory may be half of what all may have.
const (
	maxKeptInstances = 256
	maxKeptExterns   = 10_000
)

// weight is what a realm had when its module was evaluated, which every run finds.
type weight struct {
	instances, externs int
	bytes              uint64
}

func (a *API) weigh() weight {
	return weight{instances: len(a.homes.list), externs: len(a.externs.values), bytes: a.memory.used}
}

// Settle notes what there is now as belonging to the program.
func (a *API) Settle() { a.weight = a.weigh() }

// Spent reports whether runs have made so many instances, memory or references that the realm should not
// serve another one.
func (a *API) Spent() bool {
	now := a.weigh()
	return now.instances-a.weight.instances > maxKeptInstances ||
		now.bytes-a.weight.bytes > a.memory.most/2 ||
		now.externs-a.weight.externs > maxKeptExterns
}
