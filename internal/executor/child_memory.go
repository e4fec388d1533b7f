package executor

import (
	"strings"

	"picloud/internal/cloud"
	"picloud/internal/executor/wire"
)

const (
	// perCodeByte is about what a program takes in a child for each byte of its code, in bytes: with more
	// code than fits into a third of its memory a child counts as crowded.
	perCodeByte = 16
	// maxSpread is how many children the scripts of an app may be spread over because of their size.
	maxSpread = 8
)

// frameOfBuilds takes a frame about what a child has in memory.
func (c *child) frameOfBuilds(kind wire.Kind, body []byte) error {
	switch kind {
	case wire.Memory:
		m, err := wire.DecodeMemory(body)
		if err == nil {
			c.setLevel(m)
		}
		return err

	case wire.Dropped:
		m, err := wire.DecodeDropped(body)
		if err == nil {
			c.forget(m.Build)
		}
		return err

	default:
		m, err := wire.DecodeLost(body)
		if err == nil && c.has(m.Build) {
			c.pool.losses.note(m.Build, m.Why)
		}
		return err
	}
}

// setLevel takes down how full a child's memory is. One that is spent is replaced.
func (c *child) setLevel(m wire.MemoryMsg) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()

	c.level = m.Level
	c.owner = m.Owner
	if m.Level != wire.Spent {
		return
	}
	c.retiring = true
	if c.jobs == 0 {
		c.kill()
	}
}

// forget takes down that a child does not have a build any more.
func (c *child) forget(build cloud.ID) {
	c.pool.mu.Lock()
	delete(c.builds, build)
	c.pool.mu.Unlock()

	c.mu.Lock()
	defer c.mu.Unlock()
	c.code.Add(-int64(c.loaded[build]))
	delete(c.loaded, build)
}

// has reports whether a child was sent a build: of others it has nothing to say.
func (c *child) has(build cloud.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.loaded[build]
	return ok
}

// programSize is how much of a bundle is code: its source map comes last, and takes little in a child.
func programSize(bundle string) int {
	if at := strings.LastIndex(bundle, "\n//# sourceMappingURL="); at >= 0 {
		return at
	}
	return len(bundle)
}

// isCrowded reports whether another build should go elsewhere, if it can. pool.mu is held.
func (c *child) isCrowded() bool {
	return c.level >= wire.Crowded || c.code.Load() > int64(c.key.memoryMiB)<<20/3/perCodeByte
}

// candidates are the shared children of a key that take runs, by what they mean for a build; each may be nil.
type candidates struct {
	has      *child // has the build, and the fewest jobs of those
	roomy    *child // has room for it
	anothers *child // has it, but most of its memory is another build's
	least    *child // has the least code of the others
	alive    int    // how many there are
}

// candidates looks for them. A child that is full is none while it has runs: what fills it may be theirs.
// p.mu is held.
func (p *Pool) candidates(key childKey, build cloud.ID) candidates {
	var found candidates
	for _, c := range p.children[key] {
		if c.exclusive || c.retiring || c.level >= wire.Full && c.jobs > 0 {
			continue
		}
		found.alive++

		_, has := c.builds[build]
		switch {
		case has && !c.owner.IsZero() && c.owner != build:
			found.anothers = c
		case has:
			found.has = fewerJobs(found.has, c)
		case !c.isCrowded():
			found.roomy = fewerJobs(found.roomy, c)
		case found.least == nil || c.code.Load() < found.least.code.Load():
			found.least = c
		}
	}

	return found
}

// choose is the shared child for a run of a build, nil if another should be started. A child that has the
// build comes first; then one with room for it, so that builds do not drive each other out of memory. If
// there are many already, or no memory for another, any that takes runs must do. p.mu is held.
func (p *Pool) choose(key childKey, build cloud.ID) *child {
	found := p.candidates(key, build)
	has, roomy := found.has, found.roomy

	switch {
	case has != nil && has.jobs < crowded:
		return has
	case roomy != nil && roomy.jobs < crowded:
		return roomy
	case has != nil || roomy != nil: // with more jobs than one child should have
		return p.orAnother(key, fewerJobs(has, roomy), found.alive < p.max)
	case found.anothers != nil: // with less memory than the build should have
		return p.orAnother(key, found.anothers, found.alive < max(p.max, maxSpread))
	case found.least != nil:
		return p.orAnother(key, found.least, found.alive < max(p.max, maxSpread))
	default:
		return nil
	}
}

// fewerJobs is the one of two children that has fewer jobs; either may be nil.
func fewerJobs(a, b *child) *child {
	if a == nil || b != nil && b.jobs < a.jobs {
		return b
	}
	return a
}

// orAnother is a child, or nil if another should be started instead: if it may, and there is memory for it at
// once. p.mu is held.
func (p *Pool) orAnother(key childKey, c *child, may bool) *child {
	if may && p.maySpread(key) {
		return nil
	}
	return c
}

// maySpread reports whether a child can start at once, and within its app's share. p.mu is held.
func (p *Pool) maySpread(key childKey) bool {
	c := &child{key: key}
	if p.missing(c) > 0 {
		return false
	}
	if p.budget.total == 0 || p.limitsFit(p.admitted(), c) {
		return true
	}
	usage := p.usage()
	return usage.all[key.app]+p.budget.need(c) <= usage.share
}
