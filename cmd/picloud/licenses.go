package main

import (
	_ "embed"
	"fmt"
)

// licenses are those of everything that is compiled into the binary. TestLicenses of the module's root writes
// them.
//
//go:embed licenses.txt
var licenses string

// LicensesCmd prints the licences of what the binary contains.
type LicensesCmd struct{}

// Run prints them.
func (LicensesCmd) Run() error {
	fmt.Print(licenses)
	return nil
}
