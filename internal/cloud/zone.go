package cloud

import (
	_ "embed"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a sandbox reads no files, and a server may have none
)

// zoneNames are the names of the IANA time zone database, a line each. A machine's files may have others,
// like localtime and posixrules, which mean something else on each machine, and right/UTC, which counts leap
// seconds.
//
//go:embed zones.txt
var zoneNames string

// zones caches namedZones by their canonical name. There are some 600, so it needs no bound.
var zones sync.Map

type namedZone struct {
	name string
	loc  *time.Location
}

// Zone finds a time zone of the IANA database by its name in any case, and returns its canonical name. It
// returns nil if there is none.
func Zone(name string) (string, *time.Location) {
	if z, ok := zones.Load(name); ok {
		return z.(namedZone).name, z.(namedZone).loc
	}

	switch strings.ToUpper(name) {
	case "UTC", "GMT", "ETC/UTC", "ETC/GMT", "ETC/UCT", "UCT", "ZULU", "ETC/ZULU":
		return "UTC", time.UTC
	}

	for canonical := range strings.FieldsSeq(zoneNames) {
		if !strings.EqualFold(name, canonical) {
			continue
		}
		loc, err := time.LoadLocation(canonical)
		if err != nil {
			return "", nil
		}
		zones.Store(canonical, namedZone{canonical, loc})
		return canonical, loc
	}

	return "", nil
}
