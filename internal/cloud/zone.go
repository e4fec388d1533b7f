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

// maxZoneName is the most bytes of a zone's name.
const maxZoneName = 64

// zones caches namedZones by their canonical name. There are some 600, so it needs no bound.
var zones sync.Map

type namedZone struct {
	name string
	loc  *time.Location
}

// Zone finds a time zone of the IANA database by its name in any case, and returns its canonical name. It
// returns nil if there is none. It reads no files.
func Zone(name string) (string, *time.Location) {
	if z, ok := zones.Load(name); ok {
		return z.(namedZone).name, z.(namedZone).loc
	}

	// "Local" is no zone but what time.LoadLocation calls the zone of this machine.
	if len(name) > maxZoneName || !zoneName.MatchString(name) || strings.EqualFold(name, "local") {
		return "", nil
	}

	switch strings.ToUpper(name) {
	case "UTC", "GMT", "ETC/UTC", "ETC/GMT", "ETC/UCT", "UCT", "ZULU", "ETC/ZULU":
		return "UTC", time.UTC
	}

	for _, spelling := range []string{name, titled(name)} {
		if loc, err := time.LoadLocation(spelling); err == nil {
			zones.Store(spelling, namedZone{spelling, loc})
			return spelling, loc
		}
	}

	return "", nil
}

// titled writes a name as most zones are written: America/New_York.
func titled(name string) string {
	b := []byte(strings.ToLower(name))
	for k := range b {
		startsWord := k == 0 || strings.IndexByte("/_-", b[k-1]) >= 0
		if startsWord && b[k] >= 'a' && b[k] <= 'z' {
			b[k] -= 'a' - 'A'
		}
	}

	return string(b)
}
