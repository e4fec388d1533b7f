package cloud

import "testing"

// A principal is read back from a record as it was written.
func TestPrincipal(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		principal Principal
		text      string
	}{
		{Principal{}, ""},
		{Principal{Username: "ann", Kind: PrincipalUser}, "user:ann"},
		{Principal{Username: "ann", Kind: PrincipalKey}, "key:ann"},
		{Principal{Username: "a:b", Kind: PrincipalRegistrant}, "registrant:a:b"},
	} {
		if got := c.principal.String(); got != c.text {
			t.Errorf("%+v is written as %q", c.principal, got)
		}
		if got := ParsePrincipal(c.text); got != c.principal {
			t.Errorf("%q is read as %+v", c.text, got)
		}
		if c.principal.IsZero() != (c.text == "") {
			t.Errorf("%+v is anonymous: %v", c.principal, c.principal.IsZero())
		}
	}

	if got := ParsePrincipal("ann"); !got.IsZero() {
		t.Errorf("a text without a kind is read as %+v", got)
	}
}

// Every outcome but success has a status for its caller. The states before an outcome have none.
func TestHTTPStatus(t *testing.T) {
	t.Parallel()

	for outcome, want := range map[Status]int{
		Failed:      502,
		Crashed:     502,
		Conflicted:  503,
		Interrupted: 503,
		TimedOut:    504,
		Abandoned:   504,
		OutOfMemory: 507,
		Skipped:     508,
		Refused:     403,
		Succeeded:   0,
		Waiting:     0,
		Running:     0,
	} {
		if got := HTTPStatus[outcome]; got != want {
			t.Errorf("%s is %d, want %d", outcome, got, want)
		}
	}

	if len(HTTPStatus) != 9 {
		t.Errorf("%d outcomes have a status", len(HTTPStatus))
	}
}

func TestChangesEmpty(t *testing.T) {
	t.Parallel()
	if !(&Changes{}).Empty() || !(&Changes{Checks: make([]Check, 1)}).Empty() {
		t.Error("a run that only read has something to commit")
	}
	if (&Changes{Writes: make([]Write, 1)}).Empty() {
		t.Error("a run that wrote has nothing to commit")
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	script := Script{Handlers: []string{"fetch", "kv"}}
	if !script.HasHandler("kv") || script.HasHandler("scheduled") || script.HasHandler("") {
		t.Error("handlers are not found by name")
	}
	if id := script.EnvID(); !id.IsZero() {
		t.Errorf("without an environment the id is %s", id)
	}

	script.Env = &Env{ID: ID{7}}
	if id := script.EnvID(); id != (ID{7}) {
		t.Errorf("the environment's id is %s", id)
	}
}

// A header field is measured as it is sent: name, colon, space, value, CR and LF.
func TestHeaderBytes(t *testing.T) {
	t.Parallel()
	fields := []Header{{"Content-Type", "text/plain"}, {"X", ""}}
	if got, want := HeaderBytes(fields), len("Content-Type: text/plain\r\nX: \r\n"); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
	if got := HeaderBytes(nil); got != 0 {
		t.Errorf("no fields have %d bytes", got)
	}
}

// A host call's error is thrown under its own name.
func TestHostError(t *testing.T) {
	t.Parallel()
	if got := (&HostError{Name: "TypeError", Message: "bad key"}).Error(); got != "TypeError: bad key" {
		t.Errorf("got %s", got)
	}
}
