package regex

import "unicode/utf16"

// opcode is what an instruction does. Unless it says otherwise, an instruction that matches is followed by
// the next, and one that does not makes the matcher go back.
type opcode uint8

const (
	opMatch opcode = iota // the whole pattern matches

	opChar     // the code unit x
	opCharBack // the same, before the position
	opSet      // a character of the set x
	opSetBack

	opRun     // characters of the set x, y to z times, as many as possible; w tells what follows
	opRunLazy // as few as possible
	opRunBack // opRun before the position

	opJump   // go to x
	opSplit  // go to x; going back, to y
	opChoose // opSplit whose sides begin with characters of the sets z and w, -1 for any

	opSave     // the position is the end x of a group
	opClear    // the groups x to y-1 have captured nothing
	opCount    // register x is 0
	opLoop     // decides by the count in register x whether to repeat: loops y
	opLoopEnd  // counts an iteration of loops y and goes to its beginning
	opMark     // register x is the position
	opProgress // the position is not that of register x

	opLineStart      // ^
	opLineStartMulti // ^ with the flag m
	opLineEnd        // $
	opLineEndMulti
	opBoundary    // \b, of the characters of the set x
	opNotBoundary // \B

	opBackRef // what a group of list x has captured; y has the bits of reference
	opLook    // a lookaround begins, of the registers x and x+1; negative, until y, if y is not -1
	opLookEnd // it matched
	opNotEnd  // the body of a negative one matched
)

// What an opRun knows of what follows: nothing, that it is the character -w-1, or that going back to fewer
// characters is in vain.
const (
	runOpen   = 0
	runClosed = 1
)

// Bits of opBackRef.
const (
	refIgnoreCase = 1 << iota
	refBack
)

// inst is an instruction.
type inst struct {
	op         opcode
	x, y, z, w int32
}

// loop is a repeat with a count.
type loop struct {
	min, max    int32
	lazy        bool
	first, last int32 // groups to clear
	start       int32 // register of the position where the iteration began, -1 when the body takes something
	begin, exit int32 // instructions: opLoop, and behind the loop
}

// maxInstructions bounds a program.
const maxInstructions = 2_000_000

// compiler makes the instructions of a tree.
type compiler struct {
	flags Flags
	prog  *Program
	back  bool            // within a lookbehind: terms are matched from the last to the first
	known map[*span]int32 // numbers of sets, by where their spans are
	ones  map[rune]int32  // those of sets of one character
}

func (c *compiler) compile(root node) error {
	p := c.prog
	c.known = map[*span]int32{}
	c.ones = map[rune]int32{}

	c.emit(inst{op: opSave, x: 0})
	c.node(root)
	c.emit(inst{op: opSave, x: 1})
	c.emit(inst{op: opMatch})

	if len(p.code) > maxInstructions {
		return syntaxError(0, "Regular expression too large")
	}
	p.lookAhead()

	if first, known := firstOf(root); known {
		p.first = newCharSet(first)
	}
	p.prefix = c.prefix(root)
	p.anchored = isAnchored(root)

	return nil
}

// prefix is the text with which every match begins, if it is two characters of ASCII or more.
func (c *compiler) prefix(n node) string {
	terms, ok := n.(sequence)
	if !ok {
		return ""
	}

	var text []byte
	for _, term := range terms {
		one, ok := term.(oneOf)
		if !ok {
			break
		}
		char, ok := one.chars.only()
		if !ok || char >= 0x80 {
			break
		}
		text = append(text, byte(char))
	}

	if len(text) < 2 {
		return ""
	}
	return string(text)
}

// isAnchored reports whether a pattern can match at the beginning of the text only.
func isAnchored(n node) bool {
	switch n := n.(type) {
	case lineStart:
		return !n.multiline
	case sequence:
		return isAnchored(n[0])
	case group:
		return isAnchored(n.body)
	case alternatives:
		for _, a := range n {
			if !isAnchored(a) {
				return false
			}
		}
		return true
	}
	return false
}

func (c *compiler) emit(i inst) int {
	if len(c.prog.code) <= maxInstructions { // more are an error at the end
		c.prog.code = append(c.prog.code, i)
	}
	return len(c.prog.code) - 1
}

// here is where the next instruction will be.
func (c *compiler) here() int32 { return int32(len(c.prog.code)) }

func (c *compiler) register() int32 {
	c.prog.registers++
	return int32(c.prog.registers - 1)
}

// set gives the number of a set. The same set, as of one property, has the same number.
func (c *compiler) set(s chars) int32 {
	if char, ok := s.only(); ok {
		n, known := c.ones[char]
		if !known {
			n = int32(len(c.prog.sets))
			c.prog.sets = append(c.prog.sets, newCharSet(s))
			c.ones[char] = n
		}
		return n
	}

	if len(s) > 0 {
		if n, ok := c.known[&s[0]]; ok && len(c.prog.sets[n].all) == len(s) {
			return n
		}
	}

	n := int32(len(c.prog.sets))
	c.prog.sets = append(c.prog.sets, newCharSet(s))
	if len(s) > 0 {
		c.known[&s[0]] = n
	}

	return n
}

func (c *compiler) node(n node) {
	switch n := n.(type) {
	case sequence:
		c.sequence(n)
	case alternatives:
		c.alternatives(n)
	case oneOf:
		c.oneOf(n.chars)
	case lineStart:
		c.assertion(n.multiline, opLineStart, opLineStartMulti)
	case lineEnd:
		c.assertion(n.multiline, opLineEnd, opLineEndMulti)
	case boundary:
		op := opBoundary
		if n.not {
			op = opNotBoundary
		}
		c.emit(inst{op: op, x: c.set(n.word)})
	case look:
		c.look(n)
	case group:
		begin, end := int32(2*n.index), int32(2*n.index+1)
		if c.back {
			begin, end = end, begin
		}
		c.emit(inst{op: opSave, x: begin})
		c.node(n.body)
		c.emit(inst{op: opSave, x: end})
	case repeat:
		c.repeat(n)
	case *backReference:
		c.backReference(n)
	}
}

func (c *compiler) assertion(multiline bool, plain, multi opcode) {
	if multiline {
		plain = multi
	}
	c.emit(inst{op: plain})
}

func (c *compiler) sequence(terms sequence) {
	for k := range terms {
		if c.back {
			k = len(terms) - 1 - k
		}
		c.node(terms[k])
	}
}

// alternatives emits a split before each but the last.
func (c *compiler) alternatives(all alternatives) {
	var ends []int
	for k, a := range all {
		if k == len(all)-1 {
			c.node(a)
			break
		}

		split := c.emit(inst{op: opSplit, x: c.here() + 1})
		c.choose(split, a, all[k+1:])
		c.node(a)
		ends = append(ends, c.emit(inst{op: opJump}))
		c.prog.code[split].y = c.here()
	}

	for _, at := range ends {
		c.prog.code[at].x = c.here()
	}
}

// choose makes a split look at the next character, where that may decide it.
func (c *compiler) choose(split int, left node, right alternatives) {
	if c.back {
		return
	}

	z, w := int32(-1), int32(-1)
	if first, known := firstOf(left); known {
		z = c.set(first)
	}
	if len(right) <= 8 { // else compiling many alternatives would take their square
		if first, known := firstOf(right); known {
			w = c.set(first)
		}
	}

	if z >= 0 || w >= 0 {
		i := &c.prog.code[split]
		i.op, i.z, i.w = opChoose, z, w
	}
}

// oneOf emits one character: of a set, or one or two code units. With the flag u or v half of a pair does not
// match in a pair, so that it is a set too.
func (c *compiler) oneOf(s chars) {
	op := opChar
	if c.back {
		op = opCharBack
	}

	char, isOne := s.only()
	switch {
	case isOne && char > 0xffff:
		first, second := utf16.EncodeRune(char)
		if c.back {
			first, second = second, first
		}
		c.emit(inst{op: op, x: first})
		c.emit(inst{op: op, x: second})
	case isOne && (!c.prog.unicode || !utf16.IsSurrogate(char)):
		c.emit(inst{op: op, x: char})
	case c.back:
		c.emit(inst{op: opSetBack, x: c.set(s)})
	default:
		c.emit(inst{op: opSet, x: c.set(s)})
	}
}

// look emits a lookaround.
func (c *compiler) look(n look) {
	registers := c.register()
	c.register()

	begin := c.emit(inst{op: opLook, x: registers, y: -1})
	outer := c.back
	c.back = n.behind
	c.node(n.body)
	c.back = outer

	if n.not {
		c.emit(inst{op: opNotEnd, x: registers})
		c.prog.code[begin].y = c.here()
	} else {
		c.emit(inst{op: opLookEnd, x: registers})
	}
}

func (c *compiler) backReference(n *backReference) {
	var bits int32
	if n.ignoreCase {
		bits |= refIgnoreCase
	}
	if c.back {
		bits |= refBack
	}
	c.prog.lists = append(c.prog.lists, n.groups)
	c.emit(inst{op: opBackRef, x: int32(len(c.prog.lists) - 1), y: bits})
}

// repeat emits a quantified term: by one instruction if it is a character, by splits if it needs no count.
func (c *compiler) repeat(n repeat) {
	if n.max == 0 {
		return
	}
	if one, ok := n.body.(oneOf); ok && (!c.back || !n.lazy) {
		c.run(n, one.chars)
		return
	}

	mayBeEmpty := canBeEmpty(n.body)
	switch {
	case n.min == 0 && n.max == 1:
		c.optional(n, mayBeEmpty)
	case n.min == 0 && n.max == unbounded:
		c.star(n, mayBeEmpty)
	case n.min == 1 && n.max == unbounded && !mayBeEmpty:
		c.plus(n)
	case n.min == 1 && n.max == 1:
		c.clear(n)
		c.node(n.body)
	default:
		c.counted(n, mayBeEmpty)
	}
}

func (c *compiler) run(n repeat, s chars) {
	op := opRun
	switch {
	case c.back:
		op = opRunBack
	case n.lazy:
		op = opRunLazy
	}
	c.emit(inst{op: op, x: c.set(s), y: int32(n.min), z: int32(n.max)})
}

// clear forgets what the groups of a repeat have captured in the iteration before.
func (c *compiler) clear(n repeat) {
	if n.first < n.last {
		c.emit(inst{op: opClear, x: int32(n.first), y: int32(n.last)})
	}
}

// split emits the choice between the body, which comes next, and an exit that is given later.
func (c *compiler) split(n repeat) (exit func()) {
	at := c.emit(inst{op: opSplit, x: c.here() + 1, z: -1, w: -1})
	if first, known := firstOf(n.body); known && !c.back {
		i := &c.prog.code[at]
		i.op = opChoose
		i.z = c.set(first)
	}

	return func() {
		i := &c.prog.code[at]
		i.y = c.here()
		if n.lazy {
			i.x, i.y = i.y, i.x
			i.z, i.w = i.w, i.z
		}
	}
}

// body emits one iteration. One that takes nothing fails (22.2.2.3.1, step 2.b).
func (c *compiler) body(n repeat, mayBeEmpty bool) {
	register := int32(-1)
	if mayBeEmpty {
		register = c.register()
		c.emit(inst{op: opMark, x: register})
	}

	c.clear(n)
	c.node(n.body)

	if mayBeEmpty {
		c.emit(inst{op: opProgress, x: register})
	}
}

func (c *compiler) optional(n repeat, mayBeEmpty bool) {
	exit := c.split(n)
	c.body(n, mayBeEmpty)
	exit()
}

func (c *compiler) star(n repeat, mayBeEmpty bool) {
	begin := c.here()
	exit := c.split(n)
	c.body(n, mayBeEmpty)
	c.emit(inst{op: opJump, x: begin})
	exit()
}

func (c *compiler) plus(n repeat) {
	begin := c.here()
	c.body(n, false)

	next := c.here() + 1
	if n.lazy {
		c.emit(inst{op: opSplit, x: next, y: begin})
	} else {
		c.emit(inst{op: opSplit, x: begin, y: next})
	}
}

// counted emits a repeat whose iterations are counted.
func (c *compiler) counted(n repeat, mayBeEmpty bool) {
	p := c.prog
	count := c.register()
	l := loop{
		min: int32(n.min), max: int32(n.max), lazy: n.lazy,
		first: int32(n.first), last: int32(n.last), start: -1,
	}
	if mayBeEmpty {
		l.start = c.register()
	}

	number := int32(len(p.loops))
	p.loops = append(p.loops, l)

	c.emit(inst{op: opCount, x: count})
	p.loops[number].begin = int32(c.emit(inst{op: opLoop, x: count, y: number}))
	c.node(n.body)
	c.emit(inst{op: opLoopEnd, x: count, y: number})
	p.loops[number].exit = c.here()
}

// lookAhead tells each run of characters what follows it.
func (p *Program) lookAhead() {
	for k := range p.code {
		run := &p.code[k]
		if run.op != opRun && run.op != opRunLazy {
			continue
		}

		next := k + 1
		for p.code[next].op == opSave && next < len(p.code)-1 {
			next++
		}

		set := p.sets[run.x]
		switch i := p.code[next]; i.op {
		case opChar:
			run.w = -i.x - 1
			isHalf := p.unicode && utf16.IsSurrogate(i.x) // of a character that the set may have
			if run.op == opRun && !isHalf && !set.has(i.x) {
				run.w = runClosed
			}
		case opSet:
			if run.op == opRun && !set.all.overlaps(p.sets[i.x].all) {
				run.w = runClosed
			}
		case opMatch:
			if run.op == opRun {
				run.w = runClosed
			}
		}
	}
}
