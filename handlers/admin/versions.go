package admin

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/manager"
	"picloud/views"
)

// showVersions lists versions and compares two of them, if nothing else is asked the current one with that
// before it.
func (s *Server) showVersions(v *visit) error {
	ctx := v.UserContext()
	name := v.Params("name")
	frame, err := v.frame(name+" versions", "scripts")
	if err != nil {
		return err
	}

	script, err := s.Manager.Script(ctx, v.app.App, name)
	if err != nil {
		return err
	}

	list := edge.ListName(v.app, "versions", name)
	before, err := s.OpenNumberCursor(list, v.Query("cursor"), newestVersion)
	if err != nil {
		return err
	}

	versions, err := s.Manager.Versions(ctx, v.app.App, script, before, pageSize+1)
	if err != nil {
		return err
	}
	versions, next := edge.Cut(s.Edge, list, versions, pageSize, versionKey)

	vm := views.VersionsPage{
		Page:    frame,
		Name:    name,
		MayEdit: v.may(auth.WriteScripts),
		To:      v.QueryInt("to", int(script.Version)),
		Next:    v.next(next),
	}

	vm.From = v.QueryInt("from", max(1, vm.To-1))
	for k := range versions {
		vm.Versions = append(vm.Versions, versionRow(&versions[k], script))
	}

	from, err := s.Manager.Version(ctx, v.app.App, script, vm.From)
	if err != nil {
		return err
	}

	to, err := s.Manager.Version(ctx, v.app.App, script, vm.To)
	if err != nil {
		return err
	}

	if vm.Diff, err = compare(from.Source, to.Source); err != nil {
		return err
	}
	return v.render(http.StatusOK, views.Versions(vm))
}

// newestVersion is where a list of versions starts: above every version that there can be.
const newestVersion = math.MaxInt32

// versionKey is where a version stands in lists.
func versionKey(v *db.ListVersionsRow) string { return strconv.Itoa(int(v.Version)) }

// maxDiffLines bounds what is compared: the effort grows with the product of the differences.
const maxDiffLines = 5000

// compare gives the lines in which two texts differ, with three around them.
func compare(from, to string) ([]views.DiffLine, error) {
	if strings.Count(from, "\n")+strings.Count(to, "\n") > 2*maxDiffLines {
		return []views.DiffLine{{Op: '@', Text: "the sources are too long to be compared here"}}, nil
	}

	d, err := udiff.ToUnifiedDiff("a", "b", from, udiff.Lines(from, to), udiff.DefaultContextLines)
	if err != nil {
		return nil, err
	}

	var out []views.DiffLine
	for k, h := range d.Hunks {
		if k > 0 {
			out = append(out, views.DiffLine{Op: '@', Text: "..."})
		}

		was := h.FromLine // the next line's number in each text

		is := h.ToLine
		for _, l := range h.Lines {
			line := views.DiffLine{Op: ' ', Old: was, New: is, Text: strings.TrimSuffix(l.Content, "\n")}
			switch l.Kind {
			case udiff.Delete:
				line.Op = '-'
				line.New = 0
				was++
			case udiff.Insert:
				line.Op = '+'
				line.Old = 0
				is++
			default:
				was++
				is++
			}
			out = append(out, line)
		}
	}
	return out, nil
}

// versionRow shows a version of a script in a list.
func versionRow(version *db.ListVersionsRow, script *manager.Script) views.VersionRow {
	return views.VersionRow{
		Version:   int(version.Version),
		CreatedBy: version.CreatedBy,
		CreatedAt: version.CreatedAt,
		Size:      int(version.Size),
		Current:   version.Version == script.Version,
	}
}
