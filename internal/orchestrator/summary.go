package orchestrator

import (
	"encoding/json"
	"strings"

	"picloud/internal/cloud"
)

// eventSummary says in a few words what an event is about, for the record of its run: "insert orders/o1",
// "dead letter <id>". Only the first members are read, which is where PiCloud's own events have them; of
// others it may be empty.
func eventSummary(handler, event string) string {
	m := firstMembers(event, 3)
	switch {
	case handler == "kv" && m["collection"] != "":
		return cloud.Shorten(strings.TrimSpace(m["op"] + " " + m["collection"] + "/" + m["key"]))
	case handler == "deadLetter" && m["id"] != "":
		return cloud.Shorten("dead letter " + m["id"])
	case handler == "scheduled" && m["cron"] != "":
		return cloud.Shorten(m["cron"])
	default:
		return ""
	}
}

// firstMembers reads up to n leading members of a JSON object whose values are strings.
func firstMembers(text string, n int) map[string]string {
	m := make(map[string]string, n)
	d := json.NewDecoder(strings.NewReader(text[:min(len(text), 4096)]))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return m
	}

	for range n {
		name, err := d.Token()
		if err != nil {
			return m
		}
		value, err := d.Token()
		key, ok1 := name.(string)
		v, ok2 := value.(string)
		if err != nil || !ok1 || !ok2 {
			return m
		}
		m[key] = v
	}

	return m
}
