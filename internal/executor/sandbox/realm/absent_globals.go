package realm

// absentGlobals says what scripts have in place of what other runtimes have, for the message of the
// ReferenceError.
var absentGlobals = map[string]string{
	"Bun":            "scripts run on PiCloud; use fetch and the module \"picloud\"",
	"Deno":           "scripts run on PiCloud; use fetch and the module \"picloud\"",
	"EventSource":    "read the body of a fetch as a stream",
	"HTMLRewriter":   "bundle a parser such as cheerio or linkedom",
	"WebSocket":      "scripts have fetch alone",
	"XMLHttpRequest": "use fetch",
	"__dirname":      "scripts have no files",
	"__filename":     "scripts have no files",
	"caches":         "keep data in kv, with a ttl",
	"deadLetters":    "import { deadLetters } from \"picloud\"",
	"document":       "scripts run on a server; build HTML as text, or bundle a parser",
	"env":            "it is the second argument of handlers; or import { env } from \"picloud\"",
	"kv":             "import { kv } from \"picloud\"",
	"localStorage":   "keep data in kv",
	"log":            "import { log } from \"picloud\"",
	"require":        "write import at the top of the file",
	"sessionStorage": "keep data in kv",
	"window":         "use globalThis",
}
