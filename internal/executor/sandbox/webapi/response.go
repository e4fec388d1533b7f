package webapi

import (
	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
)

type Response struct {
	realm.Own
	status     int
	statusText string
	url        string
	redirected bool
	headers    *headersState
	headersObj *goja.Object
	body       bodyState
}

func nullBodyStatus(s int) bool { return s == 101 || s == 204 || s == 205 || s == 304 }

func (g *Global) newResponseClass() realm.Class {
	c := g.NewClass("Response", func(c goja.ConstructorCall) any {
		r := &Response{status: 200, headers: &headersState{}}
		g.initResponse(r, c.Argument(1))
		if ct := g.setBody(&r.body, c.Argument(0)); ct != "" {
			g.defaultType(r, ct)
		}
		if nullBodyStatus(r.status) && !r.body.null {
			panic(g.VM.NewTypeError("a Response with status %d cannot have a body", r.status))
		}
		return r
	})
	g.Define(c.Ctor, "json", func(c goja.FunctionCall) goja.Value {
		text, err := g.JSON.Encode(c.Argument(0))
		if err != nil {
			panic(err)
		}
		if text == nil {
			panic(g.VM.NewTypeError("Response.json: the value has no JSON form"))
		}
		r := &Response{status: 200, headers: &headersState{}, body: bodyState{bytes: text}}
		g.initResponse(r, c.Argument(1))
		if nullBodyStatus(r.status) {
			panic(g.VM.NewTypeError("a Response with status %d cannot have a body", r.status))
		}
		g.defaultType(r, "application/json")
		return g.Instance(g.response, r)
	})
	g.Define(c.Ctor, "redirect", func(c goja.FunctionCall) goja.Value {
		u, err := parseURL(c.Argument(0).String(), g.baseURL())
		if err != nil {
			panic(g.VM.NewTypeError("Response.redirect: %q is not a valid URL", realm.Clip(c.Argument(0).String())))
		}
		status := 302
		if s := c.Argument(1); !goja.IsUndefined(s) {
			status = int(s.ToInteger())
		}
		switch status {
		case 301, 302, 303, 307, 308:
		default:
			g.Throw("RangeError", "Response.redirect: the status must be 301, 302, 303, 307 or 308")
		}
		return g.Instance(g.response, &Response{status: status, body: bodyState{null: true},
			headers: &headersState{list: []cloud.Header{{Name: "location", Value: u.Href(false)}}}})
	})
	g.Define(c.Ctor, "error", func(goja.FunctionCall) goja.Value {
		return g.Instance(g.response, &Response{headers: &headersState{}, body: bodyState{null: true}})
	})
	this := func(v goja.Value) *Response { return realm.MustState[Response](g.Realm, v, "Response") }
	g.Getter(c.Proto, "status", func(v goja.Value) goja.Value { return g.VM.ToValue(this(v).status) })
	g.Getter(c.Proto, "ok", func(v goja.Value) goja.Value {
		return g.VM.ToValue(this(v).status >= 200 && this(v).status <= 299)
	})
	g.Getter(c.Proto, "statusText", func(v goja.Value) goja.Value { return g.VM.ToValue(this(v).statusText) })
	g.Getter(c.Proto, "url", func(v goja.Value) goja.Value { return g.VM.ToValue(this(v).url) })
	g.Getter(c.Proto, "redirected", func(v goja.Value) goja.Value { return g.VM.ToValue(this(v).redirected) })
	g.Getter(c.Proto, "type", func(v goja.Value) goja.Value {
		if this(v).status == 0 {
			return g.VM.ToValue("error")
		}
		return g.VM.ToValue("default")
	})
	g.Getter(c.Proto, "headers", func(v goja.Value) goja.Value {
		r := this(v)
		if r.headersObj == nil {
			r.headersObj = g.Instance(g.headers, r.headers)
		}
		return r.headersObj
	})
	g.Define(c.Proto, "clone", func(c goja.FunctionCall) goja.Value {
		r := this(c.This)
		body := g.cloneBody(&r.body, "Response")
		twin := *r
		twin.body = body
		twin.headersObj, twin.Own = nil, realm.Own{}
		twin.headers = &headersState{list: append([]cloud.Header(nil), r.headers.list...)}
		return g.Instance(g.response, &twin)
	})
	g.addBody(c.Proto, func(v goja.Value) (*bodyState, *headersState) { return &this(v).body, this(v).headers })
	return c
}

func (g *Global) initResponse(r *Response, v goja.Value) {
	init, ok := v.(*goja.Object)
	if !ok {
		return
	}
	if s := init.Get("status"); s != nil && !goja.IsUndefined(s) {
		r.status = int(s.ToInteger())
		if r.status < 200 || r.status > 599 {
			g.Throw("RangeError", "the status of a Response must be from 200 to 599")
		}
	}
	if s := init.Get("statusText"); s != nil && !goja.IsUndefined(s) {
		r.statusText = s.String()
	}
	g.fillHeaders(r.headers, init.Get("headers"))
}

func (g *Global) defaultType(r *Response, contentType string) {
	if _, has := r.headers.get("content-type"); !has {
		r.headers.list = append(r.headers.list, cloud.Header{Name: "content-type", Value: contentType})
	}
}

func (g *Global) baseURL() string {
	if g.run != nil && g.run.Request != nil {
		return g.run.Request.URL
	}
	return ""
}

// ResponseOf turns what a handler returned into a response: a Response, text, JSON, or nothing.
func (g *Global) ResponseOf(v goja.Value) *cloud.Response {
	if v == nil || goja.IsUndefined(v) {
		return &cloud.Response{Status: 204}
	}
	if r := realm.State[Response](v); r != nil {
		if g.isUsed(&r.body) {
			panic(g.VM.NewTypeError("the returned Response's body has already been read"))
		}
		if r.status == 0 {
			panic(g.VM.NewTypeError("the handler returned Response.error()"))
		}
		return &cloud.Response{Status: r.status, Headers: r.headers.list, Body: r.body.bytes}
	}
	if s, ok := v.(goja.String); ok {
		return &cloud.Response{Status: 200, Body: engine.UTF8(s.String()),
			Headers: []cloud.Header{{Name: "content-type", Value: "text/plain;charset=UTF-8"}}}
	}
	text, err := g.JSON.Encode(v)
	if err != nil {
		panic(err)
	}
	if text == nil {
		panic(g.VM.NewTypeError("the handler returned a value that has no JSON form; " +
			"return a Response, a JSON value, a string or undefined"))
	}
	return &cloud.Response{Status: 200, Body: text,
		Headers: []cloud.Header{{Name: "content-type", Value: "application/json"}}}
}
