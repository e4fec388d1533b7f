// Package picloud holds the tests that concern the whole tree: which package may import which, whether the
// links and paths of the documentation lead somewhere, and whether docs/limits.md has the limits of the code.
// It has no code of its own.
package picloud
