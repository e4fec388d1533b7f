package regexps

import (
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/regex"
)

// symbolReplace is RegExp.prototype[Symbol.replace] (22.2.6.11).
func (r *RegExps) symbolReplace(c goja.FunctionCall) goja.Value {
	o := r.receiver(c.This, "[Symbol.replace]")
	s := r.text(c.Argument(0))

	by := replacement{r: r, text: s}
	if f, ok := callable(c.Argument(1)); ok {
		by.call = f
	} else {
		by.template = r.text(c.Argument(1))
		by.isPlain = !hasDollar(by.template)
	}

	if x, ok := r.unchanged(o); ok {
		return by.matches(x)
	}
	return by.results(o)
}

// replacement puts a text together.
type replacement struct {
	r        *RegExps
	text     goja.String
	call     engine.Native // nil: template is what replaces
	template goja.String
	isPlain  bool // template means what it says

	out  goja.StringBuilder
	done int // up to where text is in out
}

func hasDollar(s goja.String) bool {
	ascii, units := engine.RawText(s)
	if units == nil {
		return strings.IndexByte(string(ascii), '$') >= 0
	}

	for _, u := range units {
		if u == '$' {
			return true
		}
	}
	return false
}

// matches replaces the matches of a regular expression that does what RegExp's own does.
func (b *replacement) matches(x engine.RegExp) goja.Value {
	p := b.r.patternOf(x)
	any := false
	replace := func(found []int32) {
		any = true
		if b.isPlain {
			b.replace(int(found[0]), int(found[1]), b.template)
			return
		}

		begin, end := int(found[0]), int(found[1])
		items := captured(b.text, found)
		groups := b.r.groups(p.Program, items)
		b.replace(begin, end, b.by(items, begin, groups))
	}

	if p.Program.Flags.Has(regex.Global) {
		b.r.eachMatch(x, p, b.text, replace)
	} else if found, _ := b.r.advance(x, b.text); found != nil {
		replace(found)
	}

	if !any {
		return b.text
	}
	return b.end()
}

// results replaces what exec finds, whatever a script has made of it.
func (b *replacement) results(o *goja.Object) goja.Value {
	flags := b.r.text(get(o, "flags")).String()

	var all []*goja.Object
	if strings.Contains(flags, "g") {
		b.r.eachResult(o, b.text, strings.ContainsAny(flags, "uv"), func(result *goja.Object) {
			all = append(all, result)
		})
	} else if result, ok := b.r.regExpExec(o, b.text).(*goja.Object); ok {
		all = append(all, result)
	}

	for _, result := range all {
		count := max(toLength(get(result, "length"))-1, 0)
		matched := b.r.text(get(result, "0"))
		begin := int(min(max(get(result, "index").ToInteger(), 0), int64(b.text.Length())))

		items := []goja.Value{matched}
		for k := 1; k <= count; k++ {
			item := get(result, b.r.vm.ToValue(k).String())
			if !goja.IsUndefined(item) {
				item = b.r.text(item)
			}
			items = append(items, item)
		}

		groups := get(result, "groups")
		if b.call == nil && !goja.IsUndefined(groups) {
			groups = groups.ToObject(b.r.vm)
		}
		text := b.by(items, begin, groups)
		if begin >= b.done {
			b.replace(begin, begin+matched.Length(), text)
		}
	}

	return b.end()
}

// replace puts a text in the place of another.
func (b *replacement) replace(begin, end int, by goja.String) {
	b.out.WriteSubstring(b.text, b.done, begin)
	b.out.WriteString(by)
	b.done = end
}

// end is the whole text, with what follows the last match.
func (b *replacement) end() goja.Value {
	if b.done < b.text.Length() {
		b.out.WriteSubstring(b.text, b.done, b.text.Length())
	}
	return b.out.String()
}

// by is what replaces a match, whose groups are items.
func (b *replacement) by(items []goja.Value, at int, groups goja.Value) goja.String {
	if b.call == nil {
		return b.substitute(items, at, groups)
	}

	args := append(items, b.r.vm.ToValue(at), b.text)
	if !goja.IsUndefined(groups) {
		args = append(args, groups)
	}
	return b.r.text(b.call(goja.FunctionCall{This: goja.Undefined(), Arguments: args}))
}

// substitute is GetSubstitution (22.1.3.19.1).
func (b *replacement) substitute(items []goja.Value, at int, groups goja.Value) goja.String {
	t := b.template
	var out goja.StringBuilder

	plainFrom := 0

	length := t.Length()
	for k := 0; k < length-1; k++ {
		if t.CharAt(k) != '$' {
			continue
		}

		by, size := b.symbol(items, at, groups, k)
		if size == 0 {
			continue
		}
		out.WriteSubstring(t, plainFrom, k)
		out.WriteString(by)
		k += size - 1
		plainFrom = k + 1
	}

	out.WriteSubstring(t, plainFrom, length)
	return out.String()
}

// symbol is what a symbol of the template stands for, and its size: 0 if it is none.
func (b *replacement) symbol(items []goja.Value, at int, groups goja.Value, k int) (goja.String, int) {
	t := b.template

	matched := items[0].(goja.String)
	switch c := t.CharAt(k + 1); {
	case c == '$':
		return t.Substring(k, k+1), 2
	case c == '&':
		return matched, 2
	case c == '`':
		return b.text.Substring(0, at), 2
	case c == '\'':
		return b.text.Substring(min(at+matched.Length(), b.text.Length()), b.text.Length()), 2
	case '0' <= c && c <= '9':
		return b.numbered(items, k)
	case c == '<' && !goja.IsUndefined(groups):
		return b.named(groups, k)
	}
	return nil, 0
}

// numbered is the group of one digit or two.
func (b *replacement) numbered(items []goja.Value, k int) (goja.String, int) {
	t := b.template
	number := int(t.CharAt(k+1) - '0')
	size := 2
	if k+2 < t.Length() {
		if c := t.CharAt(k + 2); '0' <= c && c <= '9' && number*10+int(c-'0') < len(items) {
			number = number*10 + int(c-'0')
			size = 3
		}
	}
	if number == 0 || number >= len(items) {
		return nil, 0
	}

	if s, ok := items[number].(goja.String); ok {
		return s, size
	}
	return t.Substring(0, 0), size
}

// named is the group of a name between angle brackets.
func (b *replacement) named(groups goja.Value, k int) (goja.String, int) {
	t := b.template
	for end := k + 2; end < t.Length(); end++ {
		if t.CharAt(end) != '>' {
			continue
		}

		size := end + 1 - k
		value := get(groups.(*goja.Object), t.Substring(k+2, end).String())
		if goja.IsUndefined(value) {
			return t.Substring(0, 0), size
		}
		return b.r.text(value), size
	}
	return nil, 0
}
