package webapi

import (
	"github.com/dop251/goja"

	"picloud/internal/cloud"
	"picloud/internal/executor/sandbox/engine"
	"picloud/internal/executor/sandbox/realm"
)

// Response is what an instance of the class Response carries.
type Response struct {
	status     int // 0 for Response.error()
	statusText string
	url        string
	redirected bool
	fetched    bool // it came from another server
	headers    *headersState
	headersObj *goja.Object // nil until asked for
	body       bodyState
}

// nullBodyStatus reports a status with which there is no body (Fetch standard, 2.2.3).
func nullBodyStatus(s int) bool { return s == 101 || s == 204 || s == 205 || s == 304 }

// newResponseClass defines Response (Fetch standard, 5.5).
func (g *Global) newResponseClass() realm.Class {
	class := g.NewClass("Response", func(c goja.ConstructorCall) any {
		r := &Response{status: 200, headers: &headersState{}}
		contentType := g.setBody(&r.body, c.Argument(0))
		g.initResponse(r, c.Argument(1))
		if !r.body.null {
			g.refuseNullBodyStatus(r)
		}
		if contentType != "" {
			r.headers.setDefaultType(contentType)
		}

		return r
	})
	g.Define(class.Ctor, "json", g.responseJSON)
	g.Define(class.Ctor, "redirect", g.responseRedirect)
	g.Define(class.Ctor, "error", func(goja.FunctionCall) goja.Value {
		return g.Instance(g.response, &Response{
			headers: &headersState{immutable: true},
			body:    bodyState{null: true},
		})
	})

	this := func(v goja.Value) *Response { return realm.MustState[Response](g.Realm, v, "Response") }
	g.addResponseAttributes(class.Proto, this)
	g.Define(class.Proto, "clone", func(c goja.FunctionCall) goja.Value {
		return g.cloneResponse(this(c.This))
	})
	g.addBody(class.Proto, func(v goja.Value) (*bodyState, *headersState) {
		r := this(v)
		return &r.body, r.headers
	})

	return class
}

func (g *Global) addResponseAttributes(proto *goja.Object, this func(goja.Value) *Response) {
	g.Getter(proto, "status", func(v goja.Value) goja.Value { return g.VM.ToValue(this(v).status) })
	g.Getter(proto, "ok", func(v goja.Value) goja.Value {
		status := this(v).status
		return g.VM.ToValue(status >= 200 && status <= 299)
	})
	g.Getter(proto, "statusText", func(v goja.Value) goja.Value { return g.VM.ToValue(this(v).statusText) })
	g.Getter(proto, "url", func(v goja.Value) goja.Value { return g.VM.ToValue(this(v).url) })
	g.Getter(proto, "redirected", func(v goja.Value) goja.Value { return g.VM.ToValue(this(v).redirected) })
	g.Getter(proto, "type", func(v goja.Value) goja.Value {
		switch r := this(v); {
		case r.status == 0:
			return g.VM.ToValue("error")
		case r.fetched:
			return g.VM.ToValue("basic")
		default:
			return g.VM.ToValue("default")
		}
	})

	g.Getter(proto, "headers", func(v goja.Value) goja.Value {
		r := this(v)
		if r.headersObj == nil {
			r.headersObj = g.Instance(g.headers, r.headers)
		}
		return r.headersObj
	})
}

// cloneResponse is response.clone(); the body is split between both.
func (g *Global) cloneResponse(r *Response) goja.Value {
	body := g.cloneBody(&r.body, "Response")
	return g.Instance(g.response, &Response{
		status:     r.status,
		statusText: r.statusText,
		url:        r.url,
		redirected: r.redirected,
		fetched:    r.fetched,
		headers:    r.headers.clone(),
		body:       body,
	})
}

// responseJSON is Response.json(data, init).
func (g *Global) responseJSON(c goja.FunctionCall) goja.Value {
	g.need(c, 1, "Response.json")
	text, err := g.JSON.Encode(c.Argument(0))
	if err != nil {
		panic(err)
	}
	if text == nil {
		panic(g.VM.NewTypeError("Response.json: the value has no JSON form"))
	}

	r := &Response{status: 200, headers: &headersState{}, body: bodyState{bytes: text}}
	g.initResponse(r, c.Argument(1))
	g.refuseNullBodyStatus(r)
	r.headers.setDefaultType("application/json")

	return g.Instance(g.response, r)
}

// responseRedirect is Response.redirect(url, status).
func (g *Global) responseRedirect(c goja.FunctionCall) goja.Value {
	g.need(c, 1, "Response.redirect")
	target := g.usvString(c.Argument(0))
	location, err := parseURL(target, g.baseURL())
	if err != nil {
		panic(g.VM.NewTypeError("Response.redirect: %q is not a valid URL", realm.Clip(target)))
	}

	status := 302
	if s := c.Argument(1); !goja.IsUndefined(s) {
		status = int(uint16(s.ToInteger())) // as Web IDL converts an unsigned short
	}

	switch status {
	case 301, 302, 303, 307, 308:
	default:
		g.Throw("RangeError", "Response.redirect: the status must be 301, 302, 303, 307 or 308")
	}

	field := cloud.Header{Name: "location", Value: location.Href(false)}
	return g.Instance(g.response, &Response{
		status:  status,
		headers: &headersState{list: []cloud.Header{field}, immutable: true},
		body:    bodyState{null: true},
	})
}

// initResponse reads a ResponseInit, its members in the order of their names.
func (g *Global) initResponse(r *Response, v goja.Value) {
	init := g.dictionary(v, "init")
	if init == nil {
		return
	}

	headers := init.Get("headers")
	if s := init.Get("status"); realm.Given(s) {
		r.status = int(uint16(s.ToNumber().ToInteger())) // as Web IDL converts an unsigned short
		if r.status < 200 || r.status > 599 {
			g.Throw("RangeError", "the status of a Response must be from 200 to 599")
		}
	}

	if s := init.Get("statusText"); realm.Given(s) {
		r.statusText = g.byteString(s, "statusText")
		if !isQuotable(r.statusText) {
			panic(g.VM.NewTypeError("statusText must not contain control characters"))
		}
	}

	g.fillHeaders(r.headers, headers)
}

func (g *Global) refuseNullBodyStatus(r *Response) {
	if nullBodyStatus(r.status) {
		panic(g.VM.NewTypeError("a Response with status %d cannot have a body", r.status))
	}
}

// baseURL is what Response.redirect resolves against.
func (g *Global) baseURL() string {
	if g.run != nil && g.run.Request != nil {
		return g.run.Request.URL
	}
	return ""
}

// ResponseOf turns what a handler returned into a response: a Response, text, JSON, or nothing. What is
// none of them it throws.
func (g *Global) ResponseOf(v goja.Value) *cloud.Response {
	if !realm.Given(v) {
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
		return responseOfType("text/plain;charset=UTF-8", engine.UTF8(s.String()))
	}

	text, err := g.JSON.Encode(v)
	if err != nil {
		panic(err)
	}
	if text == nil {
		panic(g.VM.NewTypeError("the handler returned a value that has no JSON form; " +
			"return a Response, a JSON value, a string or undefined"))
	}

	return responseOfType("application/json", text)
}

func responseOfType(contentType string, body []byte) *cloud.Response {
	headers := []cloud.Header{{Name: "content-type", Value: contentType}}
	return &cloud.Response{Status: 200, Headers: headers, Body: body}
}
