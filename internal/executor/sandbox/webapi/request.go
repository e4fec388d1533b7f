package webapi

import (
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/realm"
)

type Request struct {
	realm.Own
	method, url string
	headers     *headersState
	headersObj  *goja.Object
	body        bodyState
	signal      goja.Value
	incoming    bool // the run's own request: its signal follows the caller
	redirect    string
}

func (g *Global) newRequestClass() realm.Class {
	c := g.NewClass("Request", g.constructRequest)
	this := func(v goja.Value) *Request { return realm.MustState[Request](g.Realm, v, "Request") }
	g.Getter(c.Proto, "method", func(v goja.Value) goja.Value { return g.VM.ToValue(this(v).method) })
	g.Getter(c.Proto, "url", func(v goja.Value) goja.Value { return g.VM.ToValue(this(v).url) })
	g.Getter(c.Proto, "headers", func(v goja.Value) goja.Value {
		r := this(v)
		if r.headersObj == nil {
			r.headersObj = g.Instance(g.headers, r.headers)
		}
		return r.headersObj
	})
	g.Getter(c.Proto, "redirect", func(v goja.Value) goja.Value { return g.VM.ToValue(this(v).redirectMode()) })
	g.Getter(c.Proto, "signal", func(v goja.Value) goja.Value {
		r := this(v)
		if r.signal == nil {
			s, err := g.loadEvents().newSignal(goja.Undefined())
			if err != nil {
				panic(err)
			}
			r.signal = s
			if r.incoming && g.run != nil {
				g.watchSignal(g.run, s)
			}
		}
		return r.signal
	})
	g.Define(c.Proto, "clone", func(c goja.FunctionCall) goja.Value {
		r := this(c.This)
		return g.Instance(g.request, &Request{method: r.method, url: r.url, body: g.cloneBody(&r.body, "Request"), signal: r.signal,
			headers: &headersState{list: append([]cloud.Header(nil), r.headers.list...)}, incoming: r.incoming, redirect: r.redirect})
	})
	g.addBody(c.Proto, func(v goja.Value) (*bodyState, *headersState) { return &this(v).body, this(v).headers })
	return c
}

func (g *Global) constructRequest(c goja.ConstructorCall) any {
	r := &Request{method: "GET", headers: &headersState{}}
	r.body.null = true
	if other := realm.State[Request](c.Argument(0)); other != nil {
		if other.body.used {
			panic(g.VM.NewTypeError("the request's body has already been read"))
		}
		r.method, r.url, r.body, r.signal, r.redirect = other.method, other.url, other.body, other.signal, other.redirect
		r.headers.list = append(r.headers.list, other.headers.list...)
		if r.body.whole {
			r.body.stream, r.body.whole = nil, false
		}
	} else {
		u, err := parseURL(c.Argument(0).String(), "")
		if err != nil {
			panic(g.VM.NewTypeError("%q is not a valid URL", realm.Clip(c.Argument(0).String())))
		}
		if u.Username() != "" || u.Password() != "" {
			panic(g.VM.NewTypeError("the URL of a Request must not carry a username or password: send an Authorization header"))
		}
		r.url = u.Href(false)
	}
	init, ok := c.Argument(1).(*goja.Object)
	if !ok {
		return r
	}
	if m := init.Get("method"); m != nil && !goja.IsUndefined(m) {
		r.method = g.method(m.String())
	}
	if h := init.Get("headers"); h != nil && !goja.IsUndefined(h) {
		r.headers.list = nil
		g.fillHeaders(r.headers, h)
	}
	if m := init.Get("redirect"); m != nil && !goja.IsUndefined(m) {
		switch r.redirect = m.String(); r.redirect {
		case "follow", "manual", "error":
		default:
			panic(g.VM.NewTypeError("redirect is follow, manual or error; it is %q", realm.Clip(r.redirect)))
		}
	}
	if s := init.Get("signal"); s != nil && !goja.IsUndefined(s) && !goja.IsNull(s) {
		r.signal = s
	}
	if b := init.Get("body"); b != nil && !goja.IsUndefined(b) && !goja.IsNull(b) {
		if r.method == "GET" || r.method == "HEAD" {
			panic(g.VM.NewTypeError("a %s request cannot have a body", r.method))
		}
		r.body = bodyState{}
		if ct := g.setBody(&r.body, b); ct != "" {
			if _, has := r.headers.get("content-type"); !has {
				r.headers.list = append(r.headers.list, cloud.Header{Name: "content-type", Value: ct})
			}
		}
	}
	return r
}

func (r *Request) redirectMode() string {
	if r.redirect == "" {
		return "follow"
	}
	return r.redirect
}

// method normalises as the Fetch standard does (2.2.1).
func (g *Global) method(m string) string {
	if !validHeaderName(m) {
		panic(g.VM.NewTypeError("%q is not a valid method", realm.Clip(m)))
	}
	up := strings.ToUpper(m)
	switch up {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS":
		return up
	case "CONNECT", "TRACE", "TRACK":
		panic(g.VM.NewTypeError("the method %s is forbidden", up))
	}
	return m
}

// IncomingRequest is the Request of a run.
func (g *Global) IncomingRequest(r *cloud.Request) *goja.Object {
	return g.Instance(g.request, &Request{method: r.Method, url: r.URL, headers: &headersState{list: r.Headers},
		body: bodyState{bytes: r.Body, null: len(r.Body) == 0}, incoming: true})
}
