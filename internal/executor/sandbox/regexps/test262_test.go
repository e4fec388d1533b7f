package regexps

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/dop251/goja"

	"picloud/internal/executor/sandbox/engine"
)

// TestConformance runs the standard's own tests of a checkout of tc39/test262, whose directory is in
// TEST262_DIR; TEST262_PATHS has the directories below test, separated by spaces. It says how many of each
// pass, and which do not; a log of them is not worth a failure, as some need what the engine lacks.
func TestConformance(t *testing.T) {
	t.Parallel()

	root := os.Getenv("TEST262_DIR")
	if root == "" {
		t.Skip("TEST262_DIR is not set")
	}

	paths := strings.Fields(cmp.Or(os.Getenv("TEST262_PATHS"),
		"built-ins/RegExp annexB/built-ins/RegExp language/literals/regexp annexB/language/literals/regexp"))
	for _, path := range paths {
		passed, total := 0, 0
		err := filepath.WalkDir(filepath.Join(root, "test", path), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(file, ".js") || strings.HasSuffix(file, "_FIXTURE.js") {
				return err
			}

			total++
			if err := conforms(root, file); err != nil {
				rel, _ := filepath.Rel(root, file)
				t.Logf("%s: %.300v", rel, err)
			} else {
				passed++
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		t.Logf("%s: %d of %d", path, passed, total)
	}
}

var (
	frontmatter = regexp.MustCompile(`(?s)/\*---(.*?)---\*/`)
	listOf      = func(name string) *regexp.Regexp {
		return regexp.MustCompile(`(?s)` + name + `:\s*(?:\[([^\]]*)\]|((?:\n\s*- [^\n]*)*))`)
	}
	includesOf, flagsOf = listOf("includes"), listOf("flags")
	negativeType        = regexp.MustCompile(`(?s)negative:.*?type: (\w+)`)
)

func list(re *regexp.Regexp, meta string) []string {
	m := re.FindStringSubmatch(meta)
	if m == nil {
		return nil
	}
	return strings.FieldsFunc(m[1]+m[2], func(r rune) bool { return strings.ContainsRune(" ,\n-", r) && r != '-' })
}

// conforms runs one test.
func conforms(root, file string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()

	source, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	meta := frontmatter.FindString(string(source))
	flags := list(flagsOf, meta)

	vm := goja.New()
	Install(vm).AddLegacy()
	_ = vm.Set("print", func(string) {})
	timer := time.AfterFunc(20*time.Second, func() { vm.Interrupt("timeout") })
	defer timer.Stop()

	if !slices.Contains(flags, "raw") {
		for _, name := range append([]string{"assert.js", "sta.js"}, list(includesOf, meta)...) {
			if err := include(vm, root, strings.Trim(name, "-")); err != nil {
				return err
			}
		}
	}

	code := string(source)
	if slices.Contains(flags, "onlyStrict") {
		code = "'use strict';\n" + code
	}

	want := negativeType.FindStringSubmatch(meta)
	prg, err := engine.Compile(file, code, false)
	if err == nil {
		_, err = vm.RunProgram(prg)
	}
	if want != nil {
		if err == nil || !strings.Contains(err.Error(), want[1]) {
			return fmt.Errorf("gives %v, want %s", err, want[1])
		}
		return nil
	}
	return err
}

// include runs a file of the harness. What builds long strings of ranges of characters is Go's, as the
// engine takes seconds for it.
func include(vm *goja.Runtime, root, name string) error {
	source, err := os.ReadFile(filepath.Join(root, "harness", name))
	if err != nil {
		return err
	}

	prg, err := engine.Compile(name, string(source), false)
	if err != nil {
		return err
	}
	if _, err := vm.RunProgram(prg); err != nil {
		return err
	}

	if name == "regExpUtils.js" {
		return vm.Set("buildString", func(c goja.FunctionCall) goja.Value {
			args := c.Argument(0).(*goja.Object)
			var units []uint16
			vm.ForOf(args.Get("loneCodePoints"), func(v goja.Value) bool {
				units = appendRune(units, rune(v.ToInteger()))
				return true
			})
			vm.ForOf(args.Get("ranges"), func(v goja.Value) bool {
				pair := v.(*goja.Object)
				for c := pair.Get("0").ToInteger(); c <= pair.Get("1").ToInteger(); c++ {
					units = appendRune(units, rune(c))
				}
				return true
			})
			return goja.StringFromUTF16(units)
		})
	}

	return nil
}

func appendRune(units []uint16, c rune) []uint16 {
	if c < 0x10000 {
		return append(units, uint16(c))
	}
	return utf16.AppendRune(units, c)
}
