package regex

import (
	"bytes"
	"errors"
	"sync/atomic"
	"unicode/utf16"
)

// unit is what a text consists of: bytes of ASCII or Latin-1, or UTF-16 code units.
type unit interface{ uint8 | uint16 }

// Errors of a match.
var (
	ErrInterrupted = errors.New("the match was interrupted")
	ErrTooDeep     = errors.New("the match needs too much memory")
)

const (
	// maxFrames bounds what a match can go back to: 36 MB.
	maxFrames = 3 << 20
	// keptFrames is how many a Matcher keeps for its next match.
	keptFrames = 1 << 13
	// stepsPerCheck is how many steps pass between two looks at the flag that interrupts it: some 20 us.
	stepsPerCheck = 1 << 11
)

// frame is something to go back to: a place in the program and in the text, or, if pc is undoCapture or
// undoRegister, a value that was overwritten.
type frame struct {
	pc   int32
	x, y int32
}

const (
	undoCapture  = -1
	undoRegister = -2
	// plain is the y of a frame that is no more than a place; in the others pc is an instruction that goes
	// on in a way of its own.
	plain = -1
)

// Matcher runs programs. It belongs to one goroutine at a time.
type Matcher struct {
	// Interrupted, if not nil, ends a match within microseconds when it is not 0.
	Interrupted *uint32
	// Captures has the beginning and the end of each group after a match, the whole match first; a group
	// that captured nothing has -1 in one of the two.
	Captures []int32

	stack     []frame
	registers []int32
	budget    int // steps until the next check
}

// Match looks for a match of a program in a text, from an index on or, if sticky, at it. It reports whether
// there is one. Its errors are ErrInterrupted and ErrTooDeep.
func Match[T unit](m *Matcher, p *Program, text []T, from int, sticky bool) (found bool, err error) {
	if cap(m.Captures) < 2*p.Captures {
		m.Captures = make([]int32, 2*p.Captures)
	}
	m.Captures = m.Captures[:2*p.Captures]
	if len(m.registers) < p.registers {
		m.registers = make([]int32, p.registers)
	}

	defer m.release()

	if from > len(text) {
		return false, nil
	}
	if p.unicode && from > 0 && from < len(text) && isLow(text[from]) && isHigh(text[from-1]) {
		from-- // a character is not begun in its middle
	}

	if sticky {
		return run(m, p, text, from)
	}
	if p.anchored {
		if from > 0 {
			return false, nil
		}
		return run(m, p, text, 0)
	}

	for {
		from = candidate(p, text, from)
		if from < 0 {
			return false, nil
		}

		found, err = run(m, p, text, from)
		if found || err != nil {
			return found, err
		}
		from += sizeAt(p, text, from)
	}
}

// release gives a stack that has become big back to the collector.
func (m *Matcher) release() {
	if cap(m.stack) > keptFrames {
		m.stack = nil
	}
}

// sizeAt is how many code units the character at an index has.
func sizeAt[T unit](p *Program, text []T, at int) int {
	if p.unicode && at+1 < len(text) && isHigh(text[at]) && isLow(text[at+1]) {
		return 2
	}
	return 1
}

// candidate is the next index at which a match may begin, or -1.
func candidate[T unit](p *Program, text []T, from int) int {
	if from > len(text) { // the last attempt was at the end
		return -1
	}

	ascii, isASCII := any(text).([]uint8)
	switch {
	case p.prefix != "" && isASCII:
		k := bytes.Index(ascii[from:], []byte(p.prefix))
		if k < 0 {
			return -1
		}
		return from + k
	case p.first == nil:
		return from
	}

	set := p.first
	for k := from; k < len(text); k++ {
		c := rune(text[k])
		if c < 0x100 {
			if set.low[c>>6]&(1<<(c&63)) != 0 {
				return k
			}
			continue
		}

		if p.unicode && isHigh(text[k]) && k+1 < len(text) && isLow(text[k+1]) {
			if set.has(utf16.DecodeRune(c, rune(text[k+1]))) {
				return k
			}
			k++
			continue
		}
		if set.has(c) {
			return k
		}
	}

	return -1
}

// charAt is the character at an index, and its size; 0 at the end.
func charAt[T unit](unicode bool, text []T, at int) (c rune, size int) {
	if at >= len(text) {
		return -1, 0
	}
	c = rune(text[at])
	if unicode && c&0xfc00 == 0xd800 && at+1 < len(text) && isLow(text[at+1]) {
		return utf16.DecodeRune(c, rune(text[at+1])), 2
	}
	return c, 1
}

// charBefore is charAt of the character that ends at an index.
func charBefore[T unit](unicode bool, text []T, at int) (c rune, size int) {
	if at <= 0 {
		return -1, 0
	}
	c = rune(text[at-1])
	if unicode && c&0xfc00 == 0xdc00 && at > 1 && isHigh(text[at-2]) {
		return utf16.DecodeRune(rune(text[at-2]), c), 2
	}
	return c, 1
}

// check is called now and then: it ends a match that was interrupted or that needs too much memory.
func (m *Matcher) check() error {
	if m.Interrupted != nil && atomic.LoadUint32(m.Interrupted) != 0 {
		return ErrInterrupted
	}
	if len(m.stack) > maxFrames {
		return ErrTooDeep
	}
	return nil
}

func (m *Matcher) push(pc, x, y int32) { m.stack = append(m.stack, frame{pc, x, y}) }

// capture sets the end of a group, so that going back restores it.
func (m *Matcher) capture(slot, to int32) {
	if len(m.stack) > 0 {
		m.push(undoCapture, slot, m.Captures[slot])
	}
	m.Captures[slot] = to
}

// set sets a register, so that going back restores it.
func (m *Matcher) set(register, to int32) {
	if len(m.stack) > 0 {
		m.push(undoRegister, register, m.registers[register])
	}
	m.registers[register] = to
}

// clear forgets what groups have captured.
func (m *Matcher) clear(first, last int32) {
	for slot := 2 * first; slot < 2*last; slot++ {
		if m.Captures[slot] >= 0 {
			m.capture(slot, -1)
		}
	}
}

// undo restores what a frame says was overwritten.
func (m *Matcher) undo(f frame) {
	if f.pc == undoCapture {
		m.Captures[f.x] = f.y
	} else {
		m.registers[f.x] = f.y
	}
}

// cut gives up the places to go back to above a height of the stack. What was overwritten meanwhile stays
// there, to be restored by going back further.
func (m *Matcher) cut(height int32) {
	kept := m.stack[:height]
	for _, f := range m.stack[height:] {
		if f.pc < 0 {
			kept = append(kept, f)
		}
	}
	m.stack = kept
}

// unwind goes back to a height of the stack, as if nothing above had been matched.
func (m *Matcher) unwind(height int32) {
	for k := len(m.stack) - 1; k >= int(height); k-- {
		if m.stack[k].pc < 0 {
			m.undo(m.stack[k])
		}
	}
	m.stack = m.stack[:height]
}

// run matches a program at an index of a text.
//
//nolint:gocyclo,cyclop,funlen // one switch over all instructions is what makes it fast
func run[T unit](m *Matcher, p *Program, text []T, at int) (bool, error) {
	m.stack = m.stack[:0]
	for k := range m.Captures {
		m.Captures[k] = -1
	}

	pos := int32(at)

	pc := int32(0)
	for {
		i := &p.code[pc]

		pc++
		switch i.op {
		case opChar:
			if uint(pos) < uint(len(text)) && int32(text[pos]) == i.x {
				pos++
				continue
			}
		case opCharBack:
			if pos > 0 && int32(text[pos-1]) == i.x {
				pos--
				continue
			}
		case opSet:
			if c, size := charAt(p.unicode, text, int(pos)); size > 0 && p.sets[i.x].has(c) {
				pos += int32(size)
				continue
			}
		case opSetBack:
			if c, size := charBefore(p.unicode, text, int(pos)); size > 0 && p.sets[i.x].has(c) {
				pos -= int32(size)
				continue
			}
		case opRun:
			if to, ok := greedy(m, p, i, text, pc-1, pos); ok {
				pos = to
				continue
			}
		case opRunLazy:
			if to, ok := lazy(m, p, i, text, pc-1, pos); ok {
				pos = to
				continue
			}
		case opRunBack:
			if to, ok := greedyBack(m, p, i, text, pc-1, pos); ok {
				pos = to
				continue
			}
		case opJump:
			pc = i.x
			if err := m.step(); err != nil {
				return false, err
			}
			continue
		case opSplit:
			m.push(i.y, pos, plain)
			pc = i.x
			if err := m.step(); err != nil {
				return false, err
			}
			continue
		case opChoose:
			pc = choose(m, p, i, text, pos)
			if err := m.step(); err != nil {
				return false, err
			}
			continue
		case opSave:
			m.capture(i.x, pos)
			continue
		case opClear:
			m.clear(i.x, i.y)
			continue
		case opCount:
			m.set(i.x, 0)
			continue
		case opLoop:
			pc = m.loop(p, i, pos, pc-1)
			continue
		case opLoopEnd:
			if err := m.step(); err != nil {
				return false, err
			}
			if m.iterated(&p.loops[i.y], i.x, pos) {
				pc = p.loops[i.y].begin
				continue
			}
		case opMark:
			m.set(i.x, pos)
			continue
		case opProgress:
			if m.registers[i.x] != pos {
				continue
			}
		case opLineStart:
			if pos == 0 {
				continue
			}
		case opLineStartMulti:
			if pos == 0 || isLineTerminator(text[pos-1]) {
				continue
			}
		case opLineEnd:
			if int(pos) == len(text) {
				continue
			}
		case opLineEndMulti:
			if int(pos) == len(text) || isLineTerminator(text[pos]) {
				continue
			}
		case opBoundary:
			if atBoundary(p.sets[i.x], text, int(pos)) {
				continue
			}
		case opNotBoundary:
			if !atBoundary(p.sets[i.x], text, int(pos)) {
				continue
			}
		case opBackRef:
			if to, ok := backReferenced(m, p, i, text, int(pos)); ok {
				pos = int32(to)
				continue
			}
		case opLook:
			m.set(i.x+1, pos)
			m.set(i.x, 0)
			m.registers[i.x] = int32(len(m.stack))
			if i.y >= 0 {
				m.push(i.y, pos, plain)
			}
			continue
		case opLookEnd:
			m.cut(m.registers[i.x])
			pos = m.registers[i.x+1]
			continue
		case opNotEnd:
			m.unwind(m.registers[i.x])
		case opMatch:
			return true, nil
		}

		// The instruction does not match: go back.
		if err := m.step(); err != nil {
			return false, err
		}
		var ok bool
		if pc, pos, ok = goBack(m, p, text); !ok {
			return false, nil
		}
	}
}

// step counts what makes a match long.
func (m *Matcher) step() error {
	m.budget--
	if m.budget >= 0 {
		return nil
	}
	m.budget = stepsPerCheck
	return m.check()
}

// spend counts characters that one instruction goes over, which takes less than a step for each.
func (m *Matcher) spend(characters int32) { m.budget -= int(characters >> 4) }

// goBack finds the latest choice that has another way.
func goBack[T unit](m *Matcher, p *Program, text []T) (pc, pos int32, ok bool) {
	for len(m.stack) > 0 {
		top := len(m.stack) - 1

		f := m.stack[top]
		switch {
		case f.pc < 0:
			m.undo(f)
			m.stack = m.stack[:top]
			continue
		case f.y < 0:
			m.stack = m.stack[:top]
			return f.pc, f.x, true
		}

		i := &p.code[f.pc]
		switch i.op {
		case opRun:
			pos, ok = lessGreedy(m, p, i, text, f)
		case opRunLazy:
			pos, ok = lessLazy(m, p, i, text, f)
		case opRunBack:
			pos, ok = lessGreedyBack(m, p, text, f)
		case opLoop:
			m.stack = m.stack[:top]
			return m.iterate(&p.loops[i.y], f.x), f.x, true
		}
		if ok {
			return f.pc + 1, pos, true
		}
	}
	return 0, 0, false
}

// choose decides a split by the next character, or leaves the decision for later.
func choose[T unit](m *Matcher, p *Program, i *inst, text []T, pos int32) int32 {
	c, size := charAt(p.unicode, text, int(pos))
	switch {
	case i.z >= 0 && (size == 0 || !p.sets[i.z].has(c)):
		return i.y
	case i.w < 0 || size > 0 && p.sets[i.w].has(c):
		m.push(i.y, pos, plain)
	}
	return i.x
}

// loop decides whether a counted repeat goes on.
func (m *Matcher) loop(p *Program, i *inst, pos, pc int32) int32 {
	l := &p.loops[i.y]

	count := m.registers[i.x]
	switch {
	case count < l.min:
	case count >= l.max:
		return l.exit
	case l.lazy:
		m.push(pc, pos, 0)
		return l.exit
	default:
		m.push(l.exit, pos, plain)
	}
	return m.iterate(l, pos)
}

// iterate begins an iteration.
func (m *Matcher) iterate(l *loop, pos int32) int32 {
	if l.start >= 0 {
		m.set(l.start, pos)
	}
	m.clear(l.first, l.last)
	return l.begin + 1
}

// iterated ends an iteration. One that took nothing fails when it was not needed; when it was, all others
// that are needed would do the same.
func (m *Matcher) iterated(l *loop, counter, pos int32) bool {
	count := m.registers[counter] + 1
	if l.start >= 0 && m.registers[l.start] == pos {
		if count > l.min {
			return false
		}
		count = l.min
	}
	m.set(counter, min(count, unbounded-1))
	return true
}

func isLineTerminator[T unit](u T) bool {
	c := rune(u)
	return c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029
}

// atBoundary reports whether of the characters around an index one is of a word and one is not.
func atBoundary[T unit](word *charSet, text []T, at int) bool {
	before := at > 0 && word.has(rune(text[at-1]))
	after := at < len(text) && word.has(rune(text[at]))
	return before != after
}

// backReferenced matches what a group has captured once more. What has captured nothing matches.
func backReferenced[T unit](m *Matcher, p *Program, i *inst, text []T, pos int) (int, bool) {
	begin, end := -1, -1
	for _, group := range p.lists[i.x] {
		if b, e := m.Captures[2*group], m.Captures[2*group+1]; b >= 0 && e >= 0 {
			begin, end = int(b), int(e)
			break
		}
	}
	if begin < 0 {
		return pos, true
	}

	isBack := i.y&refBack != 0
	from := pos
	if isBack {
		from = pos - (end - begin)
	}

	m.spend(int32(end - begin))

	ok := repeats(p.unicode, i.y&refIgnoreCase != 0, text, begin, end, from)
	if isBack {
		return from, ok
	}
	return from + end - begin, ok
}

// repeats reports whether the text from begin to end stands at from, too.
func repeats[T unit](unicode, ignoreCase bool, text []T, begin, end, from int) bool {
	to := from + end - begin
	if from < 0 || to > len(text) {
		return false
	}
	if unicode && splitsPair(text, from) || unicode && splitsPair(text, to) {
		return false
	}

	if !ignoreCase {
		for k := range end - begin {
			if text[begin+k] != text[from+k] {
				return false
			}
		}
		return true
	}

	for begin < end {
		a, size := charAt(unicode, text, begin)
		b, sizeB := charAt(unicode, text, from)
		if size != sizeB || canonicalize(a, unicode) != canonicalize(b, unicode) {
			return false
		}
		begin += size
		from += size
	}
	return true
}

// splitsPair reports whether an index is in the middle of a character.
func splitsPair[T unit](text []T, at int) bool {
	return at > 0 && at < len(text) && isHigh(text[at-1]) && isLow(text[at])
}
