package webapi

import (
	_ "embed"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/dop251/goja"
	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/engine"
)

//go:embed intl.js
var intlSource string

var intlProgram = sync.OnceValue(func() *goja.Program {
	return engine.MustCompile("picloud:intl", intlSource)
})

// loadIntl runs intl.js. What it gives is checked between runs like every other class.
func (g *Global) loadIntl() {
	host := g.VM.NewObject()
	g.Define(host, "zone", g.intlZone)
	g.Define(host, "offset", g.intlOffset)
	g.Define(host, "collator", g.intlCollator)
	g.Define(host, "segment", g.intlSegment)
	g.Define(host, "likely", g.intlLikely)
	g.Define(host, "displayName", g.intlName)
	g.Define(host, "zones", g.intlZones)

	library := g.RunLibrary(intlProgram(), host)
	g.SetGlobal("Intl", library.Get("intl"))
}

// intlZone is the canonical name of a time zone; undefined: there is none of that name.
func (g *Global) intlZone(c goja.FunctionCall) goja.Value {
	if offset, _, ok := offsetZone(c.Argument(0).String()); ok {
		return g.VM.ToValue(offset)
	}

	name, loc := cloud.Zone(c.Argument(0).String())
	if loc == nil {
		return goja.Undefined()
	}
	return g.VM.ToValue(name)
}

// intlOffset is the short name and the offset from UTC, in seconds, of a time zone at a time in Unix
// milliseconds.
func (g *Global) intlOffset(c goja.FunctionCall) goja.Value {
	_, loc := cloud.Zone(c.Argument(0).String())
	if _, seconds, ok := offsetZone(c.Argument(0).String()); ok {
		loc = time.FixedZone("", seconds)
	}
	if loc == nil {
		loc = time.UTC
	}

	o := g.VM.NewObject()
	name, seconds := time.UnixMilli(c.Argument(1).ToInteger()).In(loc).Zone()
	_ = o.Set("name", name)
	_ = o.Set("seconds", seconds)
	return o
}

// intlCollator is a function that compares two texts: (locale, sensitivity, numeric), as Intl.Collator has
// them.
func (g *Global) intlCollator(c goja.FunctionCall) goja.Value {
	var opts []collate.Option

	prepare := func(s string) string { return s }
	switch c.Argument(1).String() {
	case "base":
		opts = append(opts, collate.IgnoreCase, collate.IgnoreDiacritics)
	case "accent":
		opts = append(opts, collate.IgnoreCase)
	case "case":
		prepare = withoutAccents // the library cannot ignore accents alone
	}

	if c.Argument(2).ToBoolean() {
		opts = append(opts, collate.Numeric)
	}

	collator := collate.New(language.Make(c.Argument(0).String()), opts...)
	return g.VM.ToValue(func(c goja.FunctionCall) goja.Value {
		a := prepare(c.Argument(0).String())
		b := prepare(c.Argument(1).String())
		return g.VM.ToValue(collator.CompareString(a, b))
	})
}

func withoutAccents(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(s))
}
