package sandbox

import "picloud/internal/cloud"

// perProgramByte is about what a compiled program keeps for each byte of its code, in bytes.
const perProgramByte = 12

// shrink drops the programs that were used longest ago and that nobody uses now, with their runtimes, until
// about target bytes of the heap are in use; the one that was used last is dropped only for a target of 0.
// Then idle runtimes of programs in use go. It reports whether there was anything to drop. The estimate need
// not be good: the next collection says what is in use, and whoever finds too much calls again.
func (k *keptRuntimes) shrink(target uint64) bool {
	k.mu.Lock()
	var dropped []*program
	hasShrunk := false

	inUse := k.heap.inUse.Load()
	for inUse > target {
		p := k.leastUsed(target == 0)
		if p == nil {
			break
		}
		inUse -= min(inUse, k.drop(p))
		dropped = append(dropped, p)
	}

	for p := range k.all {
		if inUse <= target {
			break
		}
		if p.users > 0 {
			inUse -= min(inUse, k.dropIdle(p))
			hasShrunk = true
		}
	}
	k.mu.Unlock()

	for _, p := range dropped {
		k.onDrop(p)
	}
	return hasShrunk || len(dropped) > 0
}

// owner is the build that has a third of the memory or more, the zero id if there is none.
func (k *keptRuntimes) owner() cloud.ID {
	k.mu.Lock()
	defer k.mu.Unlock()

	for p := range k.compiled {
		if p.codeBytes*perProgramByte+p.runtimeBytes >= k.heap.total()/3 {
			return p.id
		}
	}
	return cloud.ID{}
}

// leastUsed is the compiled program that nobody uses and that was used longest ago; nil if there is none, or
// if it is the one that was used last and that one is to stay. k.mu is held.
func (k *keptRuntimes) leastUsed(even bool) *program {
	var oldest *program

	newest := uint64(0)
	for p := range k.compiled {
		newest = max(newest, p.used)
		if p.users == 0 && (oldest == nil || p.used < oldest.used) {
			oldest = p
		}
	}
	if oldest == nil || !even && oldest.used == newest {
		return nil
	}
	return oldest
}

// drop takes a program away, and returns about how many bytes that frees. k.mu is held.
func (k *keptRuntimes) drop(p *program) uint64 {
	p.isDropped.Store(true)
	delete(k.compiled, p)
	return k.dropIdle(p) + p.codeBytes*perProgramByte
}

// dropIdle takes the idle runtimes of a program away, and returns about how many bytes that frees. k.mu is
// held.
func (k *keptRuntimes) dropIdle(p *program) uint64 {
	freed := uint64(len(p.idle)) * p.runtimeBytes
	for len(p.idle) > 0 {
		k.pop(p, 0)
	}
	return freed
}
