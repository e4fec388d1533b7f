package orchestrator

import (
	"strings"
	"testing"
)

func TestEventSummaryOf(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ handler, event, want string }{
		{"kv", `{"op":"insert","collection":"orders","key":"o1","value":{"op":"x"}}`, "insert orders/o1"},
		{"kv", `{"collection":"orders","key":"a/b"}`, "orders/a/b"},
		{"kv", `{"value":{"collection":"x"}}`, ""},
		{"kv", `null`, ""},
		{"kv", `{"op":1,"collection":"orders"}`, ""},
		{"kv", `{"op":"insert","collection":"c","key":"` + strings.Repeat("k", 5000) + `"}`, "insert c/"},
		{"deadLetter", `{"id":"01900000-0000-7000-8000-000000000000","original":{"a":1}}`, "dead letter 01900000-0000-7000-8000-000000000000"},
		{"scheduled", `{"cron":"* * * * *"}`, "* * * * *"},
	} {
		if got := eventSummary(c.handler, c.event); got != c.want {
			t.Errorf("eventSummary(%s, %.80s) = %q, want %q", c.handler, c.event, got, c.want)
		}
	}
}
