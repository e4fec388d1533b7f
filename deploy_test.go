package picloud

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unit is a systemd unit: its settings by section, each with the values of all its lines.
type unit map[string]map[string][]string

func readUnit(t *testing.T, file string) unit {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	parsed := unit{}
	section := ""

	for _, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
			parsed[section] = map[string][]string{}
		default:
			name, value, found := strings.Cut(line, "=")
			if !found || parsed[section] == nil {
				t.Fatalf("%s: the line %q is no setting", file, line)
			}
			parsed[section][name] = append(parsed[section][name], value)
		}
	}

	return parsed
}

func (u unit) is(t *testing.T, section, name, want string) {
	t.Helper()
	if got := strings.Join(u[section][name], " | "); got != want {
		t.Errorf("[%s] %s is %q, want %q", section, name, got, want)
	}
}

// A service whose start fails, because the database is away for an hour, is started again for as long as it
// takes.
func TestUnitsStartAgain(t *testing.T) {
	t.Parallel()
	services, err := filepath.Glob("deploy/*.service")
	if err != nil || len(services) < 4 {
		t.Fatalf("the units are %v: %v", services, err)
	}

	for _, file := range services {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			u := readUnit(t, file)
			if u["Service"]["Type"] != nil {
				u.is(t, "Service", "Type", "oneshot") // a timer starts it the next time
				return
			}

			u.is(t, "Unit", "StartLimitIntervalSec", "0")
			u.is(t, "Service", "Restart", "on-failure")
			u.is(t, "Service", "RestartSec", "3")
		})
	}
}
