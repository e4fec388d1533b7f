package fetch

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// However many requests of one app hang, another's starts at once.
func TestHangingUpstream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hanging := make(chan struct{}, maxInFlight)
		f := newMemoryFetcher(t, func(req *http.Request) string {
			if req.URL.Path == "/hang" {
				hanging <- struct{}{}
				<-t.Context().Done()
			}
			return ""
		})

		for range 20 { // runs of one app
			s := f.Open(1)
			for n := range uint64(maxPerRun) {
				go func() { _, _ = get(t.Context(), s, n, "http://x.test/hang", follow) }()
			}
		}
		synctest.Wait()
		if len(hanging) != maxInFlight/2 {
			t.Fatalf("%d requests of the app hang, want %d", len(hanging), maxInFlight/2)
		}

		began := time.Now()
		_, err := get(t.Context(), f.Open(2), 1, "http://x.test/", follow)
		if waited := time.Since(began); err != nil || waited != 0 {
			t.Errorf("another app's request: %v after %s", err, waited)
		}
	})
}
