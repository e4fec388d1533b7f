package regexps

import (
	"math"
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// symbolSplit is RegExp.prototype[Symbol.split] (22.2.6.14).
func (r *RegExps) symbolSplit(c goja.FunctionCall) goja.Value {
	o := r.receiver(c.This, "[Symbol.split]")
	s := r.text(c.Argument(0))

	class := r.species(o)
	x, isPlain := r.unchanged(o)
	if isPlain && class == r.ctor {
		p := r.patternOf(x) // a limit may run code that compiles another
		return r.splitMatches(p, s, limitOf(c.Argument(1)))
	}

	flags := r.text(get(o, "flags"))
	unicode := strings.ContainsAny(flags.String(), "uv")
	if !strings.Contains(flags.String(), "y") {
		flags = flags.Concat(r.string("y"))
	}

	splitter := r.newOf(class, o, flags)
	return r.splitResults(splitter, s, limitOf(c.Argument(1)), unicode)
}

// limitOf is the greatest number of parts.
func limitOf(v goja.Value) uint32 {
	if goja.IsUndefined(v) {
		return math.MaxUint32
	}
	return toUint32(v)
}

// toUint32 is ToUint32 (7.1.7).
func toUint32(v goja.Value) uint32 {
	f := v.ToNumber().ToFloat()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	f = math.Mod(math.Trunc(f), 1<<32)
	if f < 0 {
		f += 1 << 32
	}
	return uint32(f)
}

// splitMatches splits by a pattern. Matching at each index, as the standard has it, finds the same as looking
// for the next match.
func (r *RegExps) splitMatches(p *engine.Pattern, s goja.String, limit uint32) goja.Value {
	size := s.Length()
	if limit == 0 {
		return r.array(nil)
	}
	if size == 0 {
		if r.find(p, s, 0, true) != nil {
			return r.array(nil)
		}
		return r.array([]goja.Value{s})
	}

	var parts []goja.Value

	begin, at := 0, 0
	for at < size {
		found := r.find(p, s, at, false)
		if found == nil || int(found[0]) >= size {
			break
		}

		start, end := int(found[0]), int(found[1])
		if end == begin {
			at = next(s, start, p.Program.Flags.FullUnicode())
			continue
		}

		parts = append(parts, s.Substring(begin, start))
		if uint32(len(parts)) == limit {
			return r.array(parts)
		}

		for _, item := range captured(s, found)[1:] {
			parts = append(parts, item)
			if uint32(len(parts)) == limit {
				return r.array(parts)
			}
		}

		begin = end
		at = end
	}

	return r.array(append(parts, s.Substring(begin, size)))
}

// splitResults splits by what exec of a splitter finds at each index.
func (r *RegExps) splitResults(splitter *goja.Object, s goja.String, limit uint32, unicode bool) goja.Value {
	size := s.Length()
	if limit == 0 {
		return r.array(nil)
	}
	if size == 0 {
		if !goja.IsNull(r.regExpExec(splitter, s)) {
			return r.array(nil)
		}
		return r.array([]goja.Value{s})
	}

	var parts []goja.Value

	begin, at := 0, 0
	for at < size {
		set(splitter, "lastIndex", r.vm.ToValue(at))
		result, ok := r.regExpExec(splitter, s).(*goja.Object)
		if !ok {
			at = next(s, at, unicode)
			continue
		}

		end := min(toLength(get(splitter, "lastIndex")), size)
		if end == begin {
			at = next(s, at, unicode)
			continue
		}

		parts = append(parts, s.Substring(begin, at))
		if uint32(len(parts)) == limit {
			return r.array(parts)
		}

		begin = end

		count := max(toLength(get(result, "length"))-1, 0)
		for k := 1; k <= count; k++ {
			parts = append(parts, get(result, r.vm.ToValue(k).String()))
			if uint32(len(parts)) == limit {
				return r.array(parts)
			}
		}
		at = begin
	}

	return r.array(append(parts, s.Substring(begin, size)))
}
