// Command wpt runs files of web-platform-tests in PiCloud's runtime, in this process, and compares what
// passes with what passed before (expected.txt). It does not run what needs a document or a server.
//
// The suite is fetched by scripts/wpt, at fixed commits, into a folder that git does not have.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	var o options
	flag.StringVar(&o.suite, "suite", "bin/wpt", "folder with the suite, as scripts/wpt fetches it")
	flag.StringVar(&o.expected, "expected", "lab/wpt/expected.txt", "what passed before")
	flag.StringVar(&o.page, "page", "docs/web-apis.md", "page whose table is written anew with -update")
	flag.StringVar(&o.only, "only", "", "run the files whose names have this text, and compare nothing else")
	flag.BoolVar(&o.node, "node", false, "count what Node passes with the same files, for the page's table")
	flag.BoolVar(&o.update, "update", false, "write expected.txt and the page's table, if nothing is worse")
	flag.BoolVar(&o.verbose, "v", false, "print each failure")
	flag.BoolVar(&o.lose, "lose", false, "with -update: accept that something is worse")
	flag.Parse()

	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "wpt:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	suite, expected, page, only string
	node, update, verbose, lose bool
}

func (o *options) run() error {
	before, err := readExpected(o.expected)
	if err != nil {
		return err
	}

	files, err := findFiles(o.suite)
	if err != nil {
		return err
	}

	runner, err := newRunner(o.suite)
	if err != nil {
		return err
	}

	results := map[string]*result{}
	worse := 0

	for _, f := range files {
		if !strings.Contains(f.name, o.only) {
			continue
		}

		r := runner.run(f)
		results[f.name] = r
		worse += o.tell(r, before[f.name])
		if o.node {
			r.node, r.both = runner.inNode(f, r)
		} else if old := before[f.name]; old != nil {
			r.node, r.both = old.node, old.both
		}
	}

	o.summary(results)

	if worse > 0 && !o.lose {
		return fmt.Errorf("%d files pass less than before", worse)
	}
	if !o.update {
		return nil
	}

	for name, r := range results {
		before[name] = r
	}
	if err := writeExpected(o.expected, before); err != nil {
		return err
	}

	return writeTable(o.page, before)
}

// tell prints what a file passes and reports 1 if that is less than before.
func (o *options) tell(r, old *result) int {
	lost := r.lostSince(old)
	if o.verbose || len(lost) > 0 {
		fmt.Printf("%-70s %d of %d\n", r.name, r.passed, r.total())

		for _, f := range r.failed {
			fmt.Printf("    %s\n        %s\n", f.name, f.message)
		}
	}
	if r.trouble != "" && o.verbose {
		fmt.Printf("    %s\n", r.trouble)
	}

	for _, name := range lost {
		fmt.Printf("  lost: %s\n", name)
	}

	return min(len(lost), 1)
}

// summary prints a line for each area.
func (o *options) summary(results map[string]*result) {
	for _, a := range sumUp(results) {
		fmt.Printf("%-24s %3d files %6d of %6d pass, Node %6d, of Node's %5.1f%%\n",
			a.name, a.files, a.passed, a.total, a.node, a.share())
	}
}
