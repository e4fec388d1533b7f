package orchestrator

import (
	"testing"

	"picloud/internal/catalog"
	"picloud/internal/cloud"
)

func newInbox(places int) *inbox {
	return &inbox{
		max:     places,
		ids:     &cloud.IDSource{},
		waiters: map[cloud.ID]*inboxWaiter{},
		left:    map[cloud.ID]*inboxWaiter{},
	}
}

// Whoever leaves while the answer comes gets it after all: an answer is received or abandoned, never neither
// nor both.
func TestLeave(t *testing.T) {
	t.Parallel()
	reply := &HTTPReply{Status: 200}

	t.Run("before the answer", func(t *testing.T) {
		t.Parallel()
		b := newInbox(1)
		w, _ := b.open(&catalog.Target{}, nil)
		if _, late := b.leave(w, "timeout"); late {
			t.Fatal("there was an answer")
		}
		if got, present := b.take(w.id); got != w || present || w.why != "timeout" {
			t.Errorf("taken: %+v, present %v", got, present)
		}
		if got, _ := b.take(w.id); got != nil {
			t.Error("two answers found it")
		}
	})
	t.Run("after the answer", func(t *testing.T) {
		t.Parallel()
		b := newInbox(1)
		w, _ := b.open(&catalog.Target{}, nil)
		if got, present := b.take(w.id); got != w || !present {
			t.Fatalf("taken: %+v, present %v", got, present)
		}
		w.answerC <- reply
		if got, late := b.leave(w, "client-closed"); got != reply || !late {
			t.Errorf("answer %+v", got)
		}
		if len(b.left) > 0 || len(b.waiters) > 0 {
			t.Errorf("%d are remembered", len(b.left)+len(b.waiters))
		}
	})
}

// So many clients can wait and no more; a place that is closed or left is free again.
func TestPlacesInTheInbox(t *testing.T) {
	t.Parallel()
	b := newInbox(2)
	one, _ := b.open(&catalog.Target{}, nil)
	two, ok := b.open(&catalog.Target{}, nil)
	if !ok || one.id == two.id {
		t.Fatal("there are two places")
	}
	if _, ok := b.open(&catalog.Target{}, nil); ok {
		t.Error("a third waits")
	}
	b.close(one)
	b.leave(two, "timeout")

	for range 2 {
		if _, ok := b.open(&catalog.Target{}, nil); !ok {
			t.Error("no place is free")
		}
	}
}

// An answer is the same at the node that waits as at the one that ran.
func TestReplyOnTheWire(t *testing.T) {
	t.Parallel()

	id := cloud.ID{1}
	for name, reply := range map[string]*HTTPReply{
		"response": {Status: 201, Response: &cloud.Response{Status: 201, Body: []byte{0, 0xff, 'a'},
			Headers: []cloud.Header{{Name: "a", Value: "b"}}}},
		"failure": {Status: 503, RetryAfter: 1,
			Failure: &cloud.Error{Code: cloud.CodeUnavailable, Message: "come again"}},
		"no retry": {Status: 502, Failure: &cloud.Error{Code: "failed", Message: "Error: bad"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeReply(id, encodeReply(reply))
			if err != nil || got.Status != reply.Status || got.RetryAfter != reply.RetryAfter ||
				got.Execution != id {
				t.Fatalf("%+v, %v", got, err)
			}
			if (got.Failure == nil) != (reply.Failure == nil) ||
				(got.Response == nil) != (reply.Response == nil) {
				t.Fatalf("%+v", got)
			}
			if got.Failure != nil && (got.Failure.Code != reply.Failure.Code ||
				got.Failure.Message != reply.Failure.Message) {
				t.Errorf("failure %+v", got.Failure)
			}
			if got.Response != nil && (string(got.Response.Body) != string(reply.Response.Body) ||
				got.Response.Headers[0] != reply.Response.Headers[0]) {
				t.Errorf("response %+v", got.Response)
			}
		})
	}

	for _, bad := range []string{"", "{", `{"body":"*"}`} {
		if _, err := decodeReply(id, bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
