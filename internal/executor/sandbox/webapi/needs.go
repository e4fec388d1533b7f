package webapi

import (
	"strings"

	"picloud/internal/executor/sandbox/realm"
)

// Needs says which libraries a program's code can come to, so that they are loaded before it: one that is
// loaded during a run costs the runtime its next run. Too much costs time and memory in every new runtime,
// too little breaks nothing but that. Some are not there at all without being named: URLPattern, WebAssembly,
// RegExp.$1 and its like, and what MissingECMAScript and Additions add.
type Needs struct {
	Streams           bool // streams, blobs, forms or bodies
	Intl              bool // formats or compares by locale
	Events            bool // events, signals, messages or performance
	MissingECMAScript bool // what the engine lacks
	Subtle            bool // crypto.subtle
	URLPattern        bool
	Additions         Additions // what else the engine lacks
	ServiceWorker     bool      // listeners that are handlers
	LegacyRegExp      bool      // RegExp.$1 and its like
	WebAssembly       bool
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
		Additions:         additionsOf(code),
		ServiceWorker:     needsServiceWorker(code),
		LegacyRegExp:      strings.Contains(code, "RegExp") && legacyRegExpNames.In(code),
		WebAssembly:       strings.Contains(code, "WebAssembly"),
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

// legacyRegExpNames are the names of RegExp's properties that tell of the last match. Some are computed.
var legacyRegExpNames = realm.Mentions{
	Parts: []string{
		"$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "RegExp[", "$_",
		"lastMatch", "lastParen", "leftContext", "rightContext", `"$"`, "'$'", "`$${",
	},
	Words: []string{"input"},
}

// missingNames are the names of what missing_ecmascript.js adds.
var missingNames = realm.Mentions{
	Parts: []string{
		"8Array", "16Array", "32Array", "64Array", "ClampedArray", "WellFormed",
		"captureStackTrace", "WeakRef", "FinalizationRegistry", "withResolvers", "groupBy", "fromAsync",
		"Promise.try",
	},
}

// needsMissingECMAScript finds code that may need what missing_ecmascript.js adds, by its names.
func needsMissingECMAScript(code string) bool { return missingNames.In(code) }
