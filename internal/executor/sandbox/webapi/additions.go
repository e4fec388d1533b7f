package webapi

import (
	_ "embed"
	"regexp"
	"strings"
	"sync"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
)

// addition is a part of ECMAScript that the engine lacks or has wrong, as a library for the code that names
// it: each costs a new runtime memory and time.
type addition struct {
	name   string
	source string
	needed func(code string) bool
	// first is loaded before Object.prototype is closed.
	first bool
	// host gives what only Go can give, and loaded takes what the library returns; nil if nothing.
	host   func(*Global, *goja.Object)
	loaded func(*Global, *goja.Object)
}

//go:embed annex_b.js
var annexBSource string

//go:embed big_int_arrays.js
var bigIntArraysSource string

//go:embed disposables.js
var disposablesSource string

//go:embed iterators.js
var iteratorsSource string

//go:embed json_source.js
var jsonSourceSource string

//go:embed weak_symbols.js
var weakSymbolsSource string

// additions are loaded in this order.
var additions = [...]addition{
	{name: "annex-b", source: annexBSource, needed: annexBNames.In, first: true},
	{name: "big-int-arrays", source: bigIntArraysSource, needed: bigIntArrayNames.In},
	{name: "iterators", source: iteratorsSource, needed: needsIterators},
	{name: "disposables", source: disposablesSource, needed: disposableNames.In},
	{name: "weak-symbols", source: weakSymbolsSource, needed: needsWeakSymbols},
	{
		name: "json-source", source: jsonSourceSource, needed: needsJSONSource,
		host:   func(g *Global, host *goja.Object) { g.JSON.SourceHost(host) },
		loaded: func(g *Global, library *goja.Object) { g.JSON.SetFunctions(library) },
	},
}

var annexBNames = realm.Mentions{
	Parts: []string{
		"__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__", "getYear", "setYear",
		"toGMTString", ".anchor", ".big", ".blink", ".bold", ".fixed", ".fontcolor", ".fontsize",
		".italics", ".link", ".small", ".strike", ".sub", ".sup",
	},
}

var bigIntArrayNames = realm.Mentions{Parts: []string{"64Array"}}

var disposableNames = realm.Mentions{Parts: []string{"dispose", "Dispose", "Disposable", "SuppressedError"}}

var (
	iteratorNames   = realm.Mentions{Parts: []string{".values(", ".keys(", ".entries(", ".matchAll("}}
	weakNames       = realm.Mentions{Words: []string{"WeakMap", "WeakSet"}}
	rawJSONNames    = realm.Mentions{Words: []string{"rawJSON", "isRawJSON"}}
	jsonReviveNames = realm.Mentions{Words: []string{"parse"}}
)

// needsIterators finds code that has an iterator of the engine's: of a collection, a generator, or Iterator.
func needsIterators(code string) bool {
	return iteratorNames.In(code) || strings.Contains(code, "Iterator") ||
		yieldWord.In(code) || generators.MatchString(code)
}

// generators begins with a text that is searched for first.
var generators = regexp.MustCompile(`function\s*\*`)

var yieldWord = realm.Mentions{Words: []string{"yield"}}

// needsWeakSymbols finds code in which a symbol may be a key of a WeakMap or WeakSet.
func needsWeakSymbols(code string) bool {
	return weakNames.In(code) && strings.Contains(code, "Symbol")
}

// needsJSONSource finds code that may use the third argument of a reviver, or raw JSON.
func needsJSONSource(code string) bool {
	return rawJSONNames.In(code) ||
		strings.Contains(code, "JSON") && jsonReviveNames.In(code) && sourceWord.In(code)
}

var sourceWord = realm.Mentions{Words: []string{"source"}}

// Additions is a set of additions, a bit for each.
type Additions uint32

func additionsOf(code string) Additions {
	var set Additions
	for k := range additions {
		if additions[k].needed(code) {
			set |= 1 << k
		}
	}
	return set
}

// additionPrograms are compiled once per process, when they are needed first.
var additionPrograms [len(additions)]struct {
	once sync.Once
	p    *goja.Program
}

func additionProgram(k int) *goja.Program {
	made := &additionPrograms[k]
	made.once.Do(func() { made.p = engine.MustCompile("picloud:"+additions[k].name, additions[k].source) })
	return made.p
}

// loadAdditions loads those of the set that are to be loaded first, or the others.
func (g *Global) loadAdditions(set Additions, first bool) {
	for k := range additions {
		a := &additions[k]
		if set&(1<<k) == 0 || a.first != first {
			continue
		}

		host := g.VM.NewObject()
		if a.host != nil {
			a.host(g, host)
		}
		library := g.RunLibrary(additionProgram(k), host)
		if a.loaded != nil {
			a.loaded(g, library)
		}
	}
}
