package handlers

import (
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// lastDate is the Date of the last answer. Answers of the same second share it; whoever finds it old replaces
// it.
var lastDate atomic.Pointer[date]

// date is a moment as the header Date has it.
type date struct {
	second int64 // since 1970
	text   []byte
}

// setDate sets the header Date (RFC 9110, section 6.6.1), which no script decides. fasthttp ignores a Date
// that a handler sets, and its own clock goroutine wakes an idle process every second. So the header is added
// under the invalid name "?ate", and its first byte is patched.
func setDate(ctx *fasthttp.RequestCtx) {
	now := time.Now()
	d := lastDate.Load()
	if d == nil || d.second != now.Unix() {
		d = &date{now.Unix(), fasthttp.AppendHTTPDate(nil, now)}
		lastDate.Store(d)
	}

	ctx.Response.Header.AddBytesV("?ate", d.text)

	for name := range ctx.Response.Header.All() {
		if len(name) > 0 && name[0] == '?' {
			name[0] = 'D'
		}
	}
}
