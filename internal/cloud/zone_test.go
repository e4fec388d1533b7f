package cloud

import (
	"archive/zip"
	"go/build"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A zone is found by its name in any case, and by no other text.
func TestZone(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ name, want string }{
		{"UTC", "UTC"}, {"utc", "UTC"}, {"Etc/UTC", "UTC"}, {"zulu", "UTC"}, {"GMT", "UTC"},
		{"Europe/Berlin", "Europe/Berlin"},
		{"europe/berlin", "Europe/Berlin"},
		{"EUROPE/BERLIN", "Europe/Berlin"},
		{"america/argentina/buenos_aires", "America/Argentina/Buenos_Aires"},
		{"Etc/GMT+5", "Etc/GMT+5"}, {"etc/gmt+5", "Etc/GMT+5"},
		{"EST", "EST"}, {"est5edt", "EST5EDT"}, {"gb-eire", "GB-Eire"},
		{"america/port-au-prince", "America/Port-au-Prince"},
		{"AFRICA/DAR_ES_SALAAM", "Africa/Dar_es_Salaam"},
		{"antarctica/mcmurdo", "Antarctica/McMurdo"},

		{"", ""}, {"Local", ""}, {"local", ""}, {"Mars/Base", ""}, {"\n", ""}, {" UTC", ""},
		{"../etc/passwd", ""}, {"/etc/localtime", ""},
		{"localtime", ""}, {"posixrules", ""}, {"Factory", ""},
		{"posix/Europe/Berlin", ""}, {"right/Europe/Berlin", ""}, {"right/UTC", ""},
		{"Europe/../Europe/Berlin", ""}, {"+01:00", ""}, {"Europe/Berlin\x00", ""}, {"a/b/c/d", ""},
		{strings.Repeat("A", 65), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			for range 2 { // from the files, and from the cache
				name, loc := Zone(c.name)
				if name != c.want || (loc == nil) != (c.want == "") {
					t.Errorf("got %q, %v", name, loc)
				}
				if loc != nil && loc.String() != c.want {
					t.Errorf("the location is %s", loc)
				}
			}
		})
	}
}

// The list has each zone of the database that is built in, under its own name. After a change of Go,
// UPDATE=1 go test -run TestZoneNames ./internal/cloud writes it.
func TestZoneNames(t *testing.T) {
	t.Parallel()

	for name := range strings.FieldsSeq(zoneNames) {
		if _, loc := Zone(strings.ToLower(name)); loc == nil {
			t.Errorf("there is no zone %s", name)
		}
	}

	database, err := zip.OpenReader(filepath.Join(build.Default.GOROOT, "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Skip("this Go comes without the time zone database: ", err)
	}
	defer func() { _ = database.Close() }()

	var names []string
	for _, file := range database.File {
		// Factory is the zone of a machine that nobody has set up.
		if !file.FileInfo().IsDir() && file.Name != "Factory" {
			names = append(names, file.Name)
		}
	}
	slices.Sort(names)

	list := strings.Join(names, "\n") + "\n"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile("zones.txt", []byte(list), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if list != zoneNames {
		t.Error("zones.txt is not what the database has")
	}
}
