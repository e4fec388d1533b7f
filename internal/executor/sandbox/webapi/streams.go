package webapi

import (
	"crypto/rand"
	"embed"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
)

//go:embed streams
var streamsSource embed.FS

// streamsProgram is one function of all files, in the order of their names.
var streamsProgram = sync.OnceValue(func() *goja.Program {
	var source strings.Builder
	source.WriteString("(function (host) {\n\"use strict\";\n")

	files, err := streamsSource.ReadDir("streams")
	if err != nil {
		panic(err) // it is in the binary
	}

	for _, f := range files {
		part, err := streamsSource.ReadFile("streams/" + f.Name())
		if err != nil {
			panic(err)
		}
		source.Write(part)
	}

	source.WriteString("})")
	return engine.MustCompile("picloud:web", source.String())
})

// streams is what Go calls of streams.js.
type streams struct {
	// of bodies
	fromBytes, fromPull, bodyInit, untouched, disturbed, drain goja.Callable
	tee, proxy, spend, spent                                   goja.Callable
	// of what is made of a body
	blob, form, cloneBlob goja.Callable
	// of a stream that is read piece by piece
	reader, piece, giveUp goja.Callable
}

// loadStreams runs streams.js, once in a runtime.
func (g *Global) loadStreams() *streams {
	if g.streams != nil {
		return g.streams
	}

	library := g.RunLibrary(streamsProgram(), g.streamsHost())
	loaded := &streams{}
	realm.Callables(library, map[string]*goja.Callable{
		"fromBytes": &loaded.fromBytes,
		"fromPull":  &loaded.fromPull,
		"bodyInit":  &loaded.bodyInit,
		"untouched": &loaded.untouched,
		"disturbed": &loaded.disturbed,
		"drain":     &loaded.drain,
		"tee":       &loaded.tee,
		"proxy":     &loaded.proxy,
		"spend":     &loaded.spend,
		"spent":     &loaded.spent,
		"blob":      &loaded.blob,
		"cloneBlob": &loaded.cloneBlob,
		"form":      &loaded.form,
		"reader":    &loaded.reader,
		"piece":     &loaded.piece,
		"giveUp":    &loaded.giveUp,
	})
	g.streams = loaded
	g.LoadedLate()

	return loaded
}

// streamsHost is what only Go can give to streams.js.
func (g *Global) streamsHost() *goja.Object {
	host := g.VM.NewObject()
	g.Define(host, "utf8Encode", g.utf8Encode)
	g.Define(host, "utf8Decode", g.utf8Decode)
	g.addBuffers(host)
	g.addSignals(host)
	g.addCompression(host)
	g.Define(host, "tooLarge", func(c goja.FunctionCall) goja.Value {
		limit := c.Argument(0).ToInteger()
		message := fmt.Sprintf("the body has more than the %d bytes that are allowed", limit)
		return g.NewError("LimitError", message)
	})
	g.Define(host, "random", func(goja.FunctionCall) goja.Value {
		var b [12]byte
		_, _ = rand.Read(b[:])
		return g.VM.ToValue(hex.EncodeToString(b[:]))
	})

	return host
}

// maxDrain bounds a stream outside of runs, in bytes.
const maxDrain = 10 << 20

// drain is a promise of all that a stream gives, as a Uint8Array.
func (g *Global) drain(stream goja.Value) goja.Value {
	limit := maxDrain
	if g.run != nil {
		limit = g.run.MaxBody
	}
	return g.MustCall(g.loadStreams().drain, stream, g.VM.ToValue(limit))
}
