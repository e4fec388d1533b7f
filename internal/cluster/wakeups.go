package cluster

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"picloud/internal/cloud"
)

// maxWakeups bounds the apps that one notification names: its payload may have 8,000 bytes.
const maxWakeups = 180

// wakeup says that rows of an app wait, of which none is due before since.
type wakeup struct {
	app   cloud.AppID
	since time.Time
}

// encodeWakeups writes a line for each app: its id, and a time in microseconds since 1970. It writes nothing
// if there are too many apps; then everybody scans the outbox.
func encodeWakeups(due map[cloud.AppID]time.Time) string {
	if len(due) > maxWakeups {
		return ""
	}

	var b strings.Builder
	for app, since := range due {
		fmt.Fprintf(&b, "%d %d\n", app, since.UnixMicro())
	}

	return b.String()
}

// decodeWakeups reads what encodeWakeups wrote. complete is false if it says nothing or goes on with what
// cannot be read: then rows may wait of which it does not speak.
func decodeWakeups(payload string) (wakeups []wakeup, complete bool) {
	for line := range strings.Lines(payload) {
		w, ok := decodeWakeup(strings.TrimSuffix(line, "\n"))
		if !ok {
			return wakeups, false
		}
		wakeups = append(wakeups, w)
	}

	return wakeups, len(wakeups) > 0
}

func decodeWakeup(line string) (wakeup, bool) {
	id, micros, found := strings.Cut(line, " ")
	if !found {
		return wakeup{}, false
	}
	app, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return wakeup{}, false
	}
	us, err := strconv.ParseInt(micros, 10, 64)
	if err != nil {
		return wakeup{}, false
	}

	return wakeup{app: cloud.AppID(app), since: time.UnixMicro(us)}, true
}
