package cloud

import (
	"regexp"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a sandbox reads no files, and a server may have none
)

// zoneName is what a name of the IANA time zone database looks like.
var zoneName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$`)

var zones sync.Map // of canonical names; there are some 600

type namedZone struct {
	name string
	loc  *time.Location
}

// Zone finds a time zone of the IANA database, whatever the case of its name; nil: there is none. It reads no files.
func Zone(name string) (string, *time.Location) {
	if z, ok := zones.Load(name); ok {
		return z.(namedZone).name, z.(namedZone).loc
	}
	if len(name) > 64 || !zoneName.MatchString(name) || strings.EqualFold(name, "local") {
		return "", nil
	}
	switch strings.ToUpper(name) {
	case "UTC", "GMT", "ETC/UTC", "ETC/GMT", "ETC/UCT", "UCT", "ZULU", "ETC/ZULU":
		return "UTC", time.UTC
	}
	for _, n := range []string{name, titled(name)} {
		if loc, err := time.LoadLocation(n); err == nil {
			zones.Store(n, namedZone{n, loc})
			return n, loc
		}
	}
	return "", nil
}

// titled writes a name as most zones are written: America/New_York.
func titled(name string) string {
	b := []byte(strings.ToLower(name))
	for k := range b {
		if (k == 0 || strings.IndexByte("/_-", b[k-1]) >= 0) && b[k] >= 'a' && b[k] <= 'z' {
			b[k] -= 'a' - 'A'
		}
	}
	return string(b)
}
