package views

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write the golden files anew")

// moment is when all golden pages are looked at.
var moment = time.Date(2026, 1, 31, 12, 30, 0, 0, time.UTC)

func at(ago time.Duration) time.Time { return moment.Add(-ago) }

func ptr[T any](v T) *T { return &v }

const someID = "01a20d5d-7b7e-7000-8a17-5f0e8d3f6a10"

// frame is the frame of a page in an app; out is that of one outside.
func frame(title, tab string) Page {
	return Page{
		Title:      title,
		User:       "ada",
		Admin:      true,
		CSRF:       "0123abcd",
		App:        "shop",
		Tab:        tab,
		Unresolved: 3,
		MayAudit:   true,
		Assets:     assets(),
	}
}

func out(title, tab string) Page {
	p := frame(title, tab)
	p.App = ""
	p.Unresolved = 0
	return p
}

func assets() Assets {
	return Assets{
		"/static/app.css?v=1", "/static/htmx.min.js?v=1", "/static/app.js?v=1", "/static/editor.js?v=1",
		"/static/picloud.d.ts?v=1",
	}
}

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	ctx := templ.WithNonce(WithClock(context.Background(), moment), "nonce")
	if err := c.Render(ctx, &b); err != nil {
		t.Fatal(err)
	}

	return b.String()
}

// Each page in each of its states is what it was. `go test ./views -update` accepts what changed, for a look
// at the diff.
func TestGolden(t *testing.T) {
	t.Parallel()

	seen := map[string]bool{}
	for _, p := range pages() {
		file := filepath.Join("testdata", p.name+".html")
		seen[file] = true
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			got := strings.ReplaceAll(render(t, p.page), "><", ">\n<") + "\n"
			checkHTML(t, got)

			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs: %s", file, firstDifference(got, string(want)))
			}
		})
	}

	files, err := filepath.Glob("testdata/*.html")
	if err != nil {
		t.Fatal(err)
	}

	for _, f := range files {
		if !seen[f] {
			t.Errorf("%s belongs to no page", f)
		}
	}
}

func firstDifference(got, want string) string {
	g := strings.Split(got, "\n")

	w := strings.Split(want, "\n")
	for k := range min(len(g), len(w)) {
		if g[k] != w[k] {
			return "line " + itoa(k+1) + "\n got " + g[k] + "\nwant " + w[k]
		}
	}

	return "one has more lines"
}

// checkHTML finds what the page's policy would block, and ids that stand twice.
func checkHTML(t *testing.T, text string) {
	t.Helper()

	ids := map[string]bool{}
	for z := html.NewTokenizer(strings.NewReader(text)); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			return
		}
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}

		tag := z.Token()
		attr := checkAttributes(t, tag)
		if tag.Data == "script" && (attr["nonce"] != "nonce" || !strings.HasPrefix(attr["src"], "/static/")) {
			t.Errorf("a script that is not ours: %v", attr)
		}
		if id := attr["id"]; id != "" && tag.Data != "datalist" {
			if ids[id] {
				t.Errorf("the id %s stands twice", id)
			}
			ids[id] = true
		}

		posts := tag.Data == "form" && attr["method"] == "post" && !strings.Contains(attr["action"], "/login")
		if posts && !strings.Contains(text, `name="csrf"`) {
			t.Errorf("the form %s carries no token", attr["action"])
		}
	}
}

// checkAttributes finds attributes that run a script, and gives all of them by name.
func checkAttributes(t *testing.T, tag html.Token) map[string]string {
	t.Helper()

	attr := map[string]string{}
	for _, a := range tag.Attr {
		attr[a.Key] = a.Val
		if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
			t.Errorf("<%s> has the attribute %s, which the policy blocks", tag.Data, a.Key)
		}
		leads := a.Key == "href" || a.Key == "action" || a.Key == "src"
		if leads && strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
			t.Errorf("<%s> leads to %s", tag.Data, a.Val)
		}
	}

	return attr
}

// hostile is in every text of every page at once.
const hostile = `"><script>alert(1)</script>'<img src=x onerror=alert(1)>javascript:alert(1)`

// Whatever scripts and callers put into names, keys, errors, logs and headers stays text.
func TestEverythingIsEscaped(t *testing.T) {
	t.Parallel()

	for _, p := range pages() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			vm := reflect.New(reflect.TypeOf(p.vm)).Elem()
			vm.Set(reflect.ValueOf(p.vm))
			fill(vm)

			text := render(t, p.again(vm.Interface()))
			if strings.Contains(text, "<script>") || strings.Contains(text, "<img") {
				t.Error("it lets markup through")
			}
			if !strings.Contains(text, "&lt;script&gt;") {
				t.Error("it shows no hostile text: the test misses it")
			}
			checkHTML(t, text)
		})
	}
}

// fill puts the hostile text into every string below v, but where an address of ours or a form's field is
// named.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Struct:
		if _, ok := v.Interface().(time.Time); ok {
			return
		}
		if _, ok := v.Interface().(Assets); ok {
			return
		}

		for k := range v.NumField() {
			if v.Type().Field(k).IsExported() {
				fill(v.Field(k))
			}
		}
	case reflect.Slice:
		fresh := reflect.MakeSlice(v.Type(), v.Len(), v.Len()) // the table's own stays as it is
		reflect.Copy(fresh, v)
		v.Set(fresh)

		for k := range v.Len() {
			fill(v.Index(k))
		}
	case reflect.Array:
		for k := range v.Len() {
			fill(v.Index(k))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			fresh := reflect.New(v.Type().Elem())
			fresh.Elem().Set(v.Elem())
			v.Set(fresh)
			fill(fresh.Elem())
		}
	}
}

// words runs a case as a subtest: a function of the pages makes words of something.
func words[T comparable](t *testing.T, name string, got, want T) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		if got != want {
			t.Errorf("it says %v, want %v", got, want)
		}
	})
}

// Times, counts, shares and attempts are said as people say them, at the edges as well.
func TestWords(t *testing.T) {
	t.Parallel()

	for d, want := range map[time.Duration]string{
		0:                         "just now",
		3 * time.Second:           "3 s ago",
		-3 * time.Second:          "in 3 s",
		2 * time.Minute:           "2 min ago",
		3 * time.Hour:             "3 h ago",
		-50 * time.Hour:           "in 2 days",
		20 * 365 * 24 * time.Hour: "years ago",
	} {
		words(t, "Ago "+d.String(), Ago(d), want)
	}

	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -100: "-100", 1234567: "1,234,567",
	} {
		words(t, fmt.Sprint("count ", n), count(n), want)
	}

	for v, want := range map[float64]float64{0: 1, 0.3: 0.5, 1: 1, 3: 5, 7: 10, 99: 100, 100: 100, 101: 200} {
		t.Run(fmt.Sprint("niceCeil ", v), func(t *testing.T) {
			if got := niceCeil(v); got < want*0.999 || got > want*1.001 {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}

	for _, c := range []struct {
		part, whole int64
		want        string
	}{
		{0, 0, "0\u00a0%"},
		{1, 1000, "<1\u00a0%"},
		{1, 2, "50\u00a0%"},
	} {
		words(t, fmt.Sprint("percent ", c.part, " of ", c.whole), percent(c.part, c.whole), c.want)
	}

	for attempts, want := range map[int]string{1: "one try", 3: "3 tries within about 15 s"} {
		words(t, fmt.Sprint("InWords ", attempts), InWords(attempts, 15*time.Second), want)
	}
}
