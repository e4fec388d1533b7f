// Package static holds the dashboard's assets. Everything is served from here; nothing is loaded from elsewhere.
package static

import "embed"

// FS holds the assets. htmx.min.js is htmx 2.0.11 (Zero-Clause BSD), as its registry package ships it.
//
//go:embed app.css htmx.min.js
var FS embed.FS
