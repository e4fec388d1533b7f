package orchestrator

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"picloud/internal/cloud"
)

// requestPayload is the event of an http row.
type requestPayload struct {
	Method       string      `json:"method"`
	URL          string      `json:"url"`
	Headers      [][2]string `json:"headers"`
	Body         string      `json:"body"`
	BodyEncoding string      `json:"body_encoding"` // utf8 or base64
	Params       [][2]string `json:"params,omitempty"`
	// KeyOwner is whose idempotency key the request has, if it has one.
	KeyOwner string `json:"key_owner,omitempty"`
}

// encodeRequest is a request as it is stored in the outbox.
func encodeRequest(r *cloud.Request, params []cloud.Header, keyOwner string) string {
	p := requestPayload{
		Method: r.Method, URL: r.URL, Headers: [][2]string{}, BodyEncoding: "utf8", KeyOwner: keyOwner,
	}
	for _, h := range r.Headers {
		p.Headers = append(p.Headers, [2]string{h.Name, h.Value})
	}

	for _, h := range params {
		p.Params = append(p.Params, [2]string{h.Name, h.Value})
	}

	if utf8.Valid(r.Body) {
		p.Body = string(r.Body)
	} else {
		p.Body = base64.StdEncoding.EncodeToString(r.Body)
		p.BodyEncoding = "base64"
	}

	return string(cloud.AppendJSON(nil, p))
}

// decodeRequest reads what encodeRequest wrote, or what an operator edited.
func decodeRequest(payload string) (r *cloud.Request, keyOwner string, err error) {
	var p requestPayload
	if err := json.Unmarshal([]byte(payload), &p); err != nil {
		return nil, "", fmt.Errorf("read request: %w", err)
	}
	if p.Method == "" || p.URL == "" {
		return nil, "", errors.New("method and url are needed")
	}

	r = &cloud.Request{Method: p.Method, URL: p.URL, Body: []byte(p.Body)}
	if p.BodyEncoding == "base64" {
		body, err := base64.StdEncoding.DecodeString(p.Body)
		if err != nil {
			return nil, "", fmt.Errorf("read body: %w", err)
		}
		r.Body = body
	}

	for _, h := range p.Headers {
		r.Headers = append(r.Headers, cloud.Header{Name: h[0], Value: h[1]})
	}

	for _, h := range p.Params {
		r.Params = append(r.Params, cloud.Header{Name: h[0], Value: h[1]})
	}

	return r, p.KeyOwner, nil
}
