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
)

//go:embed intl.js
var intlSource string

var intlProgram = sync.OnceValue(func() *goja.Program { return goja.MustCompile("picloud:intl", intlSource, true) })

// loadIntl runs intl.js. What it gives is checked between runs like every other class.
func (g *Global) loadIntl() {
	host := g.VM.NewObject()
	g.Define(host, "zone", func(c goja.FunctionCall) goja.Value {
		name, loc := cloud.Zone(c.Argument(0).String())
		if loc == nil {
			return goja.Undefined()
		}
		return g.VM.ToValue(name)
	})
	g.Define(host, "offset", func(c goja.FunctionCall) goja.Value {
		o := g.VM.NewObject()
		_, loc := cloud.Zone(c.Argument(0).String())
		if loc == nil {
			loc = time.UTC
		}
		name, seconds := time.UnixMilli(c.Argument(1).ToInteger()).In(loc).Zone()
		_ = o.Set("name", name)
		_ = o.Set("seconds", seconds)
		return o
	})
	g.Define(host, "collator", func(c goja.FunctionCall) goja.Value {
		var opts []collate.Option
		switch c.Argument(1).String() {
		case "base":
			opts = append(opts, collate.IgnoreCase, collate.IgnoreDiacritics)
		case "accent":
			opts = append(opts, collate.IgnoreCase)
		}
		plain := func(v goja.Value) string { return v.String() }
		if c.Argument(1).String() == "case" { // the library cannot ignore accents alone
			plain = func(v goja.Value) string {
				return strings.Map(func(r rune) rune {
					if unicode.Is(unicode.Mn, r) {
						return -1
					}
					return r
				}, norm.NFD.String(v.String()))
			}
		}
		if c.Argument(2).ToBoolean() {
			opts = append(opts, collate.Numeric)
		}
		col := collate.New(language.Make(c.Argument(0).String()), opts...)
		return g.VM.ToValue(func(c goja.FunctionCall) goja.Value {
			return g.VM.ToValue(col.CompareString(plain(c.Argument(0)), plain(c.Argument(1))))
		})
	})
	o := g.RunLibrary(intlProgram(), host)
	intl := o.Get("intl").(*goja.Object)
	g.SetGlobal("Intl", intl)
	g.Watch(intl)
	members := o.Get("members").(*goja.Object)
	for _, name := range members.Keys() {
		g.WatchClass(members.Get(name).(*goja.Object))
	}
}
