package wire

import "picloud/internal/cloud"

func encodeFetch(e *Encoder, call cloud.Fetch) {
	e.String(call.Redirect)
	e.Bool(call.Request != nil)
	if call.Request != nil {
		encodeRequest(e, call.Request)
	}
}

func decodeFetch(body []byte) (cloud.Fetch, error) {
	d := NewDecoder(body)
	call := cloud.Fetch{Redirect: d.String()}
	if d.Bool() {
		call.Request = decodeRequest(d)
	}
	return call, d.Err()
}

func encodeFetchRead(e *Encoder, call cloud.FetchRead) {
	e.Uint(call.Fetch)
	e.Bool(call.All)
}

func decodeFetchRead(body []byte) (cloud.FetchRead, error) {
	d := NewDecoder(body)
	call := cloud.FetchRead{Fetch: d.Uint(), All: d.Bool()}
	return call, d.Err()
}
