package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// unknownVariables are the names in an environment that begin as PiCloud's variables do and are none: most
// likely misspelt, and without effect. Those of the tests and of CI are not looked at.
func unknownVariables(environ []string) (names []string, err error) {
	parser, err := kong.New(&CLI{})
	if err != nil {
		return nil, err
	}

	known := map[string]bool{}
	err = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			for _, name := range flag.Envs {
				known[name] = true
			}
		}
		return next(nil)
	})

	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "PICLOUD_") && !known[strings.TrimSuffix(name, "_FILE")] &&
			!strings.HasPrefix(name, "PICLOUD_TEST_") && !strings.HasPrefix(name, "PICLOUD_CI_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)

	return names, err
}
