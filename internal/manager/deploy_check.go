package manager

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"picloud/internal/cloud"
)

var scriptName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

const (
	// MaxSource is the most bytes of a script's source.
	MaxSource = 1 << 20
	// minMemoryMiB is the least memory in which the engine and a small script fit.
	minMemoryMiB = 16
	// minTimeoutMS is the shortest limit of a run, in milliseconds.
	minTimeoutMS = 10

	defaultLanguage = "javascript"
)

// CheckScriptName says what is wrong with a name, nil if nothing is.
func CheckScriptName(name string) error {
	if !scriptName.MatchString(name) {
		return invalid("the script name %q must match %s", cloud.Shorten(name), scriptName)
	}
	return nil
}

// checkScript checks what can be checked without the database.
func (m *Manager) checkScript(name string, c *ScriptChange) error {
	if err := CheckScriptName(name); err != nil {
		return err
	}
	if len(c.Source) > MaxSource {
		return cloud.Errorf(cloud.CodeTooLarge, "the source has %d bytes; at most %d are allowed: "+
			"minify the bundle, or move parts of it into module scripts", len(c.Source), MaxSource)
	}
	if !utf8.ValidString(c.Source) || strings.ContainsRune(c.Source, 0) {
		return invalid("the source must be valid UTF-8 without NUL")
	}

	err := errors.Join(
		oneOf("language", c.Language, defaultLanguage, "typescript"),
		oneOf("kind", c.Kind, cloud.KindEndpoint, cloud.KindModule),
		oneOf("access", c.Access, cloud.AccessPublic, cloud.AccessKey, cloud.AccessPrivate),
	)
	if err != nil {
		return firstError(err)
	}

	if ms := c.TimeoutMS; ms != nil {
		if *ms < minTimeoutMS || time.Duration(*ms)*time.Millisecond > m.cfg.MaxTimeout {
			return invalid("timeout_ms must be from %d to %d", minTimeoutMS, m.cfg.MaxTimeout.Milliseconds())
		}
	}
	if mib := c.MemoryMiB; mib != nil && (*mib < minMemoryMiB || int(*mib) > m.cfg.MaxMemoryMiB) {
		return invalid("memory_mib must be from %d to %d", minMemoryMiB, m.cfg.MaxMemoryMiB)
	}

	return checkRateLimit(c.RateLimit)
}

// oneOf refuses a value that is none of those allowed; nil passes.
func oneOf(what string, value *string, allowed ...string) error {
	if value != nil && !slices.Contains(allowed, *value) {
		return invalid("%s must be one of %s", what, strings.Join(allowed, ", "))
	}
	return nil
}
