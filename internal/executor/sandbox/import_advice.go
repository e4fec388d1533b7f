package sandbox

import (
	"fmt"
	"path"
	"strings"
)

// What an author is told who imports something that is not there: what to write instead.

// howToBundle ends what is said of a package.
const howToBundle = "bundle packages into the script before you upload it: " +
	"esbuild script.js --bundle --format=esm --platform=neutral --external:picloud"

// insteadOfNode says what scripts have in place of Node's modules. What is not listed has no counterpart.
var insteadOfNode = map[string]string{
	"child_process":  "nothing can be started from a script; use fetch to call another service",
	"dns":            "use fetch, which looks names up",
	"fs":             "there are no files; keep data in kv",
	"http":           "use fetch, and export default { fetch } to serve",
	"http2":          "use fetch, and export default { fetch } to serve",
	"https":          "use fetch",
	"module":         "write import at the top of the file",
	"net":            "there are no sockets; use fetch",
	"punycode":       "use URL, which encodes host names",
	"test":           "test scripts before you deploy them",
	"tls":            "there are no sockets; use fetch",
	"vm":             "code is deployed, not evaluated",
	"worker_threads": "there are no threads; trigger another script by writing to kv",
	"zlib":           "use CompressionStream and DecompressionStream",
	"readline":       "there is no terminal",
	"cluster":        "PiCloud runs scripts in parallel",
	"dgram":          "there are no sockets; use fetch",
	"sqlite":         "keep data in kv",
	"inspector":      "use console and the live tail",
	"v8":             "use structuredClone",
	"fs/promises":    "there are no files; keep data in kv",
}

// nodeModule is what to use instead of one of Node's modules; ok is false if the path is not one.
func nodeModule(name string) (instead string, ok bool) {
	bare, hasPrefix := strings.CutPrefix(name, "node:")
	instead, ok = insteadOfNode[bare]
	if !ok && hasPrefix {
		instead, ok = "it has no counterpart here", true
	}
	return instead, ok
}

// notImportable says why a path that does not begin with "./" cannot be imported.
func notImportable(name string) string {
	if instead, ok := nodeModule(name); ok {
		return fmt.Sprintf("%q is a module of Node.js, which scripts do not have: %s", name, instead)
	}

	switch {
	case strings.HasPrefix(name, "cloudflare:"):
		return fmt.Sprintf("%q is a module of Cloudflare Workers, which scripts do not have: "+
			"import { kv, log, env } from \"picloud\"", name)
	case strings.HasPrefix(name, "http:") || strings.HasPrefix(name, "https:") ||
		strings.HasPrefix(name, "npm:") || strings.HasPrefix(name, "jsr:"):
		return fmt.Sprintf("cannot import %q: nothing is downloaded when a script is deployed; %s",
			name, howToBundle)
	case strings.HasPrefix(name, "../") || strings.HasPrefix(name, "/") || name == "." || name == "..":
		return fmt.Sprintf("cannot import %q: the modules of an app lie side by side; "+
			"import one as \"./name\"", name)
	default:
		return fmt.Sprintf("cannot import %q: a script imports \"picloud\" and modules of its app as "+
			"\"./name\"; %s", name, howToBundle)
	}
}

// noSuchModule says what to do about an import "./name" of which there is no module.
func noSuchModule(name string) string {
	switch path.Ext(name) {
	case ".json":
		return fmt.Sprintf("cannot import \"./%s\": only scripts can be imported; put the data into a "+
			"module script, as export default { ... }", name)
	case ".wasm", ".txt", ".html", ".css", ".sql", ".md", ".svg":
		return fmt.Sprintf("cannot import \"./%s\": only scripts can be imported; put the text into a "+
			"module script, as export default `...`", name)
	case ".mjs", ".cjs", ".mts", ".cts", ".jsx", ".tsx":
		return fmt.Sprintf("this app has no module named %q: modules are imported by the name of their "+
			"script, as \"./%s\", without such an ending", name, strings.TrimSuffix(name, path.Ext(name)))
	}

	if strings.Contains(name, "/") {
		return fmt.Sprintf("cannot import \"./%s\": the modules of an app lie side by side; import one as "+
			"\"./name\"", name)
	}

	return fmt.Sprintf("this app has no module named %q: "+
		"deploy a script of that name with kind \"module\" first", name)
}
