package regex

import "bytes"

// The instructions that match a character any number of times: most of what patterns repeat is one.

// scan is how far characters of a set go on from an index: at most limit of them. It gives the index behind
// them, and how many there are.
func scan[T unit](p *Program, set *charSet, text []T, at int, limit int32) (end int, count int32) {
	if !p.unicode {
		stop := len(text)
		if int64(at)+int64(limit) < int64(stop) {
			stop = at + int(limit)
		}

		k := at
		for ; k < stop; k++ {
			c := rune(text[k])
			if c < 0x100 {
				if set.low[c>>6]&(1<<(c&63)) == 0 {
					break
				}
			} else if !set.has(c) {
				break
			}
		}
		return k, int32(k - at)
	}

	for at < len(text) && count < limit {
		c, size := charAt(true, text, at)
		if !set.has(c) {
			break
		}
		at += size
		count++
	}
	return at, count
}

// atLeast skips the characters that a run must have.
func atLeast[T unit](m *Matcher, p *Program, i *inst, text []T, pos int32) (int32, bool) {
	if i.y == 0 {
		return pos, true
	}
	end, count := scan(p, p.sets[i.x], text, int(pos), i.y)
	m.spend(count)

	return int32(end), count == i.y
}

// greedy matches as many characters as there are, and leaves a frame for fewer.
func greedy[T unit](m *Matcher, p *Program, i *inst, text []T, pc, pos int32) (int32, bool) {
	low, ok := atLeast(m, p, i, text, pos)
	if !ok {
		return 0, false
	}

	end, _ := scan(p, p.sets[i.x], text, int(low), i.z-i.y)
	m.spend(int32(end) - low)
	if i.w == runClosed {
		return int32(end), true
	}

	high, ok := settle(m, i, text, low, int32(end))
	if ok && high > low {
		m.push(pc, high, low)
	}
	return high, ok
}

// settle finds the last index from low to high at which what follows the run may begin.
func settle[T unit](m *Matcher, i *inst, text []T, low, high int32) (int32, bool) {
	if i.w >= 0 {
		return high, high >= low
	}

	next := -i.w - 1
	if int(high) == len(text) {
		high--
	}
	if bytesText, ok := any(text).([]uint8); ok && high-low > 16 {
		if next >= 0x100 {
			return 0, false
		}
		m.spend(high - low)
		k := bytes.LastIndexByte(bytesText[low:high+1], byte(next))
		return low + int32(k), k >= 0
	}

	at := high
	for at >= low && int32(text[at]) != next {
		at--
	}
	m.spend(high - at)

	return at, at >= low
}

// lessGreedy gives back a character of a run.
func lessGreedy[T unit](m *Matcher, p *Program, i *inst, text []T, f frame) (int32, bool) {
	_, size := charBefore(p.unicode, text, int(f.x))
	top := len(m.stack) - 1

	pos, ok := settle(m, i, text, f.y, f.x-int32(size))
	if !ok || pos <= f.y {
		m.stack = m.stack[:top]
	} else {
		m.stack[top].x = pos
	}
	return pos, ok
}

// lazy matches as few characters as there must be, and leaves a frame for more.
func lazy[T unit](m *Matcher, p *Program, i *inst, text []T, pc, pos int32) (int32, bool) {
	low, ok := atLeast(m, p, i, text, pos)
	if !ok {
		return 0, false
	}
	return reach(m, p, i, text, pc, low, i.z-i.y)
}

// reach goes on to the next index at which what follows may begin, and leaves a frame for going on from
// there. more is how many characters may be taken.
func reach[T unit](m *Matcher, p *Program, i *inst, text []T, pc, pos, more int32) (int32, bool) {
	start := pos
	if i.w < 0 {
		next := -i.w - 1
		for int(pos) >= len(text) || int32(text[pos]) != next {
			c, size := charAt(p.unicode, text, int(pos))
			if more == 0 || size == 0 || !p.sets[i.x].has(c) {
				m.spend(pos - start)
				return 0, false
			}
			pos += int32(size)
			more--
		}
	}

	m.spend(pos - start)
	if more > 0 {
		m.push(pc, pos, more)
	}
	return pos, true
}

// lessLazy takes another character.
func lessLazy[T unit](m *Matcher, p *Program, i *inst, text []T, f frame) (int32, bool) {
	m.stack = m.stack[:len(m.stack)-1]
	c, size := charAt(p.unicode, text, int(f.x))
	if size == 0 || !p.sets[i.x].has(c) {
		return 0, false
	}
	return reach(m, p, i, text, f.pc, f.x+int32(size), f.y-1)
}

// greedyBack is greedy before the position.
func greedyBack[T unit](m *Matcher, p *Program, i *inst, text []T, pc, pos int32) (int32, bool) {
	set := p.sets[i.x]

	start, high := pos, pos
	for count := int32(0); count < i.z; count++ {
		if count == i.y {
			high = pos
		}
		c, size := charBefore(p.unicode, text, int(pos))
		if size == 0 || !set.has(c) {
			m.spend(start - pos)
			if count < i.y {
				return 0, false
			}
			break
		}
		pos -= int32(size)
		if count+1 == i.y {
			high = pos
		}
	}

	if pos < high {
		m.push(pc, pos, high)
	}
	return pos, true
}

// lessGreedyBack gives back a character of a run before the position.
func lessGreedyBack[T unit](m *Matcher, p *Program, text []T, f frame) (int32, bool) {
	_, size := charAt(p.unicode, text, int(f.x))
	pos := f.x + int32(size)

	top := len(m.stack) - 1
	if pos >= f.y {
		m.stack = m.stack[:top]
	} else {
		m.stack[top].x = pos
	}
	return pos, true
}
