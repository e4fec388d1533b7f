package webapi

import (
	"regexp"
	"strings"

	"picloud/internal/executor/sandbox/realm"
)

// Needs says which libraries a program's code can come to, so that they are loaded before it: one that is
// loaded during a run costs the runtime its next run. Too much costs time and memory in every new runtime,
// too little breaks nothing but that. Two are not there at all without being named: URLPattern, and what
// MissingECMAScript adds.
type Needs struct {
	Streams           bool // streams, blobs, forms or bodies
	Intl              bool // formats or compares by locale
	Events            bool // events, signals, messages or performance
	MissingECMAScript bool // what the engine lacks
	Subtle            bool // crypto.subtle
	URLPattern        bool
	Clone             bool // structuredClone, also by messages and bodies that are cloned
}

// NeedsOf finds out what a program needs by the names in its code.
func NeedsOf(code string) Needs {
	return Needs{
		Streams:           streamNames.In(code),
		Intl:              intlNames.In(code),
		Events:            eventNames.In(code),
		MissingECMAScript: needsMissingECMAScript(code),
		Subtle:            subtleNames.In(code),
		URLPattern:        strings.Contains(code, "URLPattern"),
		Clone:             cloneNames.In(code),
	}
}

// streamNames are the names by which code can come to what streams.js defines.
var streamNames = realm.Mentions{Starts: []string{
	"ReadableStream", "ReadableByteStream", "WritableStream", "TransformStream", "TextEncoderStream",
	"TextDecoderStream", "CountQueuingStrategy", "ByteLengthQueuingStrategy", "CompressionStream",
	"DecompressionStream", "Blob", "File", "FormData", "blob", "formData", "body",
}}

// eventNames are the names by which code can come to what events.js defines.
var eventNames = realm.Mentions{
	Parts: []string{
		"Event", "Abort", "MessageChannel", "MessagePort", "reportError", "performance", "Performance",
	},
	Words: []string{"signal", "onerror", "onunhandledrejection", "onrejectionhandled"},
}

// intlNames are the names by which code can come to what intl.js defines.
var intlNames = realm.Mentions{Parts: []string{"toLocale", "localeCompare"}, Words: []string{"Intl"}}

// cloneNames are the names by which code can come to what clone.js defines.
var cloneNames = realm.Mentions{Parts: []string{"structuredClone", "postMessage"}, Words: []string{"clone"}}

var subtleNames = realm.Mentions{Parts: []string{"subtle", "CryptoKey", "SubtleCrypto"}}

// missingNames are the names of what missing_ecmascript.js adds.
var missingNames = realm.Mentions{
	Parts: []string{
		`\p{`, `\P{`, "URLPattern", "8Array", "16Array", "32Array", "64Array", "ClampedArray", "WellFormed",
		"captureStackTrace", "WeakRef", "FinalizationRegistry", "withResolvers", "groupBy", "fromAsync",
		"Promise.try", "RegExp.escape", ".values(", ".keys(", ".entries(", ".matchAll(", "dispose", "Dispose",
	},
	Words: []string{"Iterator", "yield"},
}

// needsMissingECMAScript finds code that may need what missing_ecmascript.js adds: names, generators, and
// regular expressions with the flag v, which the bundler makes calls of.
func needsMissingECMAScript(code string) bool {
	return missingNames.In(code) || generators.MatchString(code) || setFlags.MatchString(code)
}

// Both begin with a text that is searched for first.
var (
	generators = regexp.MustCompile(`function\s*\*`)
	setFlags   = regexp.MustCompile(`"[dgimsuy]*v[dgimsuy]*"\)`)
)
