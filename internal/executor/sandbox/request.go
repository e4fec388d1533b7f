package sandbox

import (
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
)

type requestState struct {
	own
	method, url string
	headers     *headersState
	headersObj  *goja.Object
	body        bodyState
	signal      goja.Value
	incoming    bool // the run's own request: its signal follows the caller
	redirect    string
}

func (i *isolate) newRequestClass() class {
	c := i.newClass("Request", i.constructRequest)
	this := func(v goja.Value) *requestState { return mustState[requestState](i, v, "Request") }
	i.getter(c.proto, "method", func(v goja.Value) goja.Value { return i.vm.ToValue(this(v).method) })
	i.getter(c.proto, "url", func(v goja.Value) goja.Value { return i.vm.ToValue(this(v).url) })
	i.getter(c.proto, "headers", func(v goja.Value) goja.Value {
		r := this(v)
		if r.headersObj == nil {
			r.headersObj = i.instance(i.headers, r.headers)
		}
		return r.headersObj
	})
	i.getter(c.proto, "redirect", func(v goja.Value) goja.Value { return i.vm.ToValue(this(v).redirectMode()) })
	i.getter(c.proto, "signal", func(v goja.Value) goja.Value {
		r := this(v)
		if r.signal == nil {
			s, err := i.loadEvents().newSignal(goja.Undefined())
			if err != nil {
				panic(err)
			}
			r.signal = s
			if r.incoming && i.cur != nil {
				i.cur.watchSignal(s)
			}
		}
		return r.signal
	})
	i.define(c.proto, "clone", func(c goja.FunctionCall) goja.Value {
		r := this(c.This)
		return i.instance(i.request, &requestState{method: r.method, url: r.url, body: i.cloneBody(&r.body, "Request"), signal: r.signal,
			headers: &headersState{list: append([]cloud.Header(nil), r.headers.list...)}, incoming: r.incoming, redirect: r.redirect})
	})
	i.addBody(c.proto, func(v goja.Value) (*bodyState, *headersState) { return &this(v).body, this(v).headers })
	return c
}

func (i *isolate) constructRequest(c goja.ConstructorCall) any {
	r := &requestState{method: "GET", headers: &headersState{}}
	r.body.null = true
	if other := stateOf[requestState](c.Argument(0)); other != nil {
		if other.body.used {
			panic(i.vm.NewTypeError("the request's body has already been read"))
		}
		r.method, r.url, r.body, r.signal, r.redirect = other.method, other.url, other.body, other.signal, other.redirect
		r.headers.list = append(r.headers.list, other.headers.list...)
		if r.body.whole {
			r.body.stream, r.body.whole = nil, false
		}
	} else {
		u, err := parseURL(c.Argument(0).String(), "")
		if err != nil {
			panic(i.vm.NewTypeError("%q is not a valid URL", clip(c.Argument(0).String())))
		}
		if u.Username() != "" || u.Password() != "" {
			panic(i.vm.NewTypeError("the URL of a Request must not carry a username or password: send an Authorization header"))
		}
		r.url = u.Href(false)
	}
	init, ok := c.Argument(1).(*goja.Object)
	if !ok {
		return r
	}
	if m := init.Get("method"); m != nil && !goja.IsUndefined(m) {
		r.method = i.method(m.String())
	}
	if h := init.Get("headers"); h != nil && !goja.IsUndefined(h) {
		r.headers.list = nil
		i.fillHeaders(r.headers, h)
	}
	if m := init.Get("redirect"); m != nil && !goja.IsUndefined(m) {
		switch r.redirect = m.String(); r.redirect {
		case "follow", "manual", "error":
		default:
			panic(i.vm.NewTypeError("redirect is follow, manual or error; it is %q", clip(r.redirect)))
		}
	}
	if s := init.Get("signal"); s != nil && !goja.IsUndefined(s) && !goja.IsNull(s) {
		r.signal = s
	}
	if b := init.Get("body"); b != nil && !goja.IsUndefined(b) && !goja.IsNull(b) {
		if r.method == "GET" || r.method == "HEAD" {
			panic(i.vm.NewTypeError("a %s request cannot have a body", r.method))
		}
		r.body = bodyState{}
		if ct := i.setBody(&r.body, b); ct != "" {
			if _, has := r.headers.get("content-type"); !has {
				r.headers.list = append(r.headers.list, cloud.Header{Name: "content-type", Value: ct})
			}
		}
	}
	return r
}

func (r *requestState) redirectMode() string {
	if r.redirect == "" {
		return "follow"
	}
	return r.redirect
}

// method normalises as the Fetch standard does (2.2.1).
func (i *isolate) method(m string) string {
	if !validHeaderName(m) {
		panic(i.vm.NewTypeError("%q is not a valid method", clip(m)))
	}
	up := strings.ToUpper(m)
	switch up {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS":
		return up
	case "CONNECT", "TRACE", "TRACK":
		panic(i.vm.NewTypeError("the method %s is forbidden", up))
	}
	return m
}

// incomingRequest is the Request of a run.
func (i *isolate) incomingRequest(r *cloud.Request) *goja.Object {
	return i.instance(i.request, &requestState{method: r.Method, url: r.URL, headers: &headersState{list: r.Headers},
		body: bodyState{bytes: r.Body, null: len(r.Body) == 0}, incoming: true})
}
