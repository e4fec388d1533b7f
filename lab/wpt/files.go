package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// testsList names the areas and their files. A line is "area source glob", in which the source is the folder
// of the suite; a line "- source glob reason" takes files out again.
//
//go:embed tests.txt
var testsList string

// file is one file of the suite.
type file struct {
	area   string
	source string // the folder below the suite's
	name   string // the path below the source
}

// findFiles lists the files of the suite that testsList names, each once, in order.
func findFiles(suite string) ([]file, error) {
	var files []file

	seen := map[string]bool{}
	for line := range strings.Lines(testsList) {
		fields := strings.Fields(line)
		if len(fields) < 3 || strings.HasPrefix(line, "#") {
			continue
		}

		area, source, pattern := fields[0], fields[1], fields[2]
		found, err := match(filepath.Join(suite, source), pattern)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 && area != "-" {
			return nil, fmt.Errorf("no file of %s matches %s: run scripts/wpt", source, pattern)
		}

		for _, name := range found {
			if area == "-" {
				seen[name] = true
			}
			if !seen[name] {
				seen[name] = true
				files = append(files, file{area: area, source: source, name: name})
			}
		}
	}

	return files, nil
}

// match lists the files below a folder whose paths match a pattern, in which ** stands for any folders.
func match(root, pattern string) ([]string, error) {
	if target, err := filepath.EvalSymlinks(root); err == nil {
		root = target
	}

	base, rest, deep := strings.Cut(pattern, "**/")
	if !deep {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		for k := range found {
			found[k], _ = filepath.Rel(root, found[k])
		}
		return found, err
	}

	var found []string
	err := filepath.WalkDir(filepath.Join(root, base), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if ok, _ := filepath.Match(rest, d.Name()); ok {
			name, _ := filepath.Rel(root, path)
			found = append(found, name)
		}
		return nil
	})

	slices.Sort(found)
	return found, err
}

// scripts are what a file needs before it, by its META comments, and itself, as paths below the source.
func (f file) scripts(root string) ([]string, error) {
	in, err := os.Open(filepath.Join(root, f.name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()

	list := []string{"resources/testharness.js"}

	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, "//") && line != "" {
			break
		}

		script, isScript := strings.CutPrefix(line, "// META: script=")
		if !isScript {
			continue
		}
		if inRoot, ok := strings.CutPrefix(script, "/"); ok {
			list = append(list, inRoot)
		} else {
			list = append(list, filepath.Join(filepath.Dir(f.name), script))
		}
	}

	return append(list, f.name), nil
}
