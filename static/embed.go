// Package static holds the dashboard's assets. Everything is served from here; nothing is loaded from
// elsewhere.
package static

import "embed"

// FS holds the assets. htmx.min.js is htmx 2.0.11 (Zero-Clause BSD), as its registry package ships it.
// editor.js is CodeMirror 6 (MIT) with web/editor.js, bundled by `make editor`. picloud.d.ts types the script
// API.
//
//go:embed app.css app.js editor.js htmx.min.js picloud.d.ts
var FS embed.FS
