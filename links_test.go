package picloud

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	markdownLink = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	codeFence    = regexp.MustCompile("(?ms)^```.*?^```")
	codeSpan     = regexp.MustCompile("`[^`\n]*`")
	heading      = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	notInAnchor  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// Every relative link in a Markdown file leads to a file, and to a heading of it where it names one.
func TestLinks(t *testing.T) {
	t.Parallel()

	checked := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == "node_modules" || name == "bin" || name == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}

		for _, link := range markdownLink.FindAllStringSubmatch(withoutCode(string(text)), -1) {
			if strings.Contains(link[1], "://") || strings.HasPrefix(link[1], "mailto:") {
				continue
			}
			checkLink(t, path, link[1])
			checked++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 20 {
		t.Errorf("only %d links were found", checked)
	}
}

func checkLink(t *testing.T, from, link string) {
	t.Helper()
	file, anchor, _ := strings.Cut(link, "#")
	target := from
	if file != "" {
		target = filepath.Join(filepath.Dir(from), file)
	}

	if _, err := os.Stat(target); err != nil {
		t.Errorf("%s links to %s, which is not there", from, link)
		return
	}
	if anchor == "" {
		return
	}

	text, err := os.ReadFile(target)
	if err != nil {
		t.Errorf("%s links to a heading of %s: %v", from, target, err)
		return
	}

	for _, h := range heading.FindAllStringSubmatch(codeFence.ReplaceAllString(string(text), ""), -1) {
		if anchorOf(h[1]) == anchor {
			return
		}
	}
	t.Errorf("%s links to %s, but %s has no such heading", from, link, target)
}

// anchorOf is the name that GitHub gives to a heading.
func anchorOf(title string) string {
	return strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
}

func withoutCode(text string) string {
	return codeSpan.ReplaceAllString(codeFence.ReplaceAllString(text, ""), "")
}

const topFolders = "cmd|db|docs|handlers|internal|migrations|queries|static|views|web"

var (
	pathInCode   = regexp.MustCompile("`((?:" + topFolders + ")/[^`\\s]+)`")
	packageTable = regexp.MustCompile(`(?s)<!-- package table.*?<!-- end of package table -->`)
)

// Every path that a page for contributors names is there, so that a moved file takes its pages along. The
// table of packages that are planned is left out.
func TestNamedPaths(t *testing.T) {
	t.Parallel()

	pages, err := filepath.Glob("docs/design/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, "CONTRIBUTING.md", "docs/architecture.md")

	checked := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}

		present := packageTable.ReplaceAllString(string(text), "")
		for _, match := range pathInCode.FindAllStringSubmatch(present, -1) {
			found, err := filepath.Glob(match[1])
			if err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which is not there", page, match[1])
			}
			checked++
		}
	}
	if checked < 20 {
		t.Errorf("only %d paths were found", checked)
	}
}
