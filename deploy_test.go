package picloud

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
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

// The client programs of the image read the server of the compose file: they are of the same major version.
func TestImageFitsCompose(t *testing.T) {
	t.Parallel()
	image := readText(t, "deploy/Dockerfile")
	server := one(t, readText(t, "deploy/compose.yaml"), `image: postgres:(\d+)`)
	if !regexp.MustCompile(`install [^&]*postgresql-` + server + `\b`).MatchString(image) {
		t.Errorf("compose.yaml runs PostgreSQL %s, and the image does not install it", server)
	}
}

// A password goes into no address: a slash in it would end the address's host.
func TestComposePassword(t *testing.T) {
	t.Parallel()

	for _, file := range []string{"deploy/compose.yaml", "deploy/compose.node.yaml"} {
		text := readText(t, file)
		url := one(t, text, `DATABASE_URL: (\S+)`)
		if strings.Contains(url, "PASSWORD") || one(t, text, `PGPASSWORD: (\S+)`) != "${POSTGRES_PASSWORD:?}" {
			t.Errorf("%s has %s", file, url)
		}

		address := strings.NewReplacer("${POSTGRES_HOST:?}", "h.test").Replace(url)
		if _, err := pgx.ParseConfig(address); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// A second machine finds the database that the first one publishes, and Caddy finds its node.
func TestComposeOfTwoMachines(t *testing.T) {
	t.Parallel()
	first := readText(t, "deploy/compose.yaml") + readText(t, "deploy/compose.share.yaml")
	second := readText(t, "deploy/compose.node.yaml")

	one(t, first, `(?s)postgres:\n    ports: \["(\$\{POSTGRES_PUBLISH:\?\}:5432)"\]`)
	one(t, second, `ports: \["(\$\{PICLOUD_PUBLISH:\?\}:8080)"\]`)
	if n := strings.Count(first, "node2:8080 ${PICLOUD_MORE_NODES:-}\n"); n != 2 {
		t.Errorf("%d lists of nodes have room for those of other machines", n)
	}

	// Whatever the nodes of the first machine must know, that of the second must know too.
	for _, m := range regexp.MustCompile(`(?m)^    ([A-Z_]+): `).FindAllStringSubmatch(first, -1) {
		if m[1] != "PICLOUD_ADMIN_PASSWORD" && !strings.Contains(second, "      "+m[1]+": ") {
			t.Errorf("compose.node.yaml lacks %s", m[1])
		}
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// one returns the one group of a pattern in a text.
func one(t *testing.T, text, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("nothing matches %s", pattern)
	}
	return m[1]
}

// The timer's service copies the installation of the main unit, and finds its socket whatever it may see.
func TestBackupUnit(t *testing.T) {
	t.Parallel()
	main := readUnit(t, "deploy/picloud.service")
	backup := readUnit(t, "deploy/picloud-backup.service")

	for _, name := range []string{"User", "Group", "EnvironmentFile", "ProtectSystem", "SystemCallFilter"} {
		backup.is(t, "Service", name, strings.Join(main["Service"][name], " | "))
	}
	home, _, _ := strings.Cut(main["Service"]["Environment"][0], " ")
	backup.is(t, "Service", "Environment", home)
	backup.is(t, "Service", "ReadWritePaths", "-"+strings.TrimPrefix(home, "PICLOUD_DATA_DIR="))

	to := "/var/lib/" + strings.Join(backup["Service"]["StateDirectory"], "") + "/"
	if command := strings.Join(backup["Service"]["ExecStart"], ""); !strings.HasSuffix(command, " "+to) {
		t.Errorf("the backups go to %s: %s", to, command)
	}
	if readUnit(t, "deploy/picloud-backup.timer")["Timer"]["OnCalendar"] == nil {
		t.Error("the timer has no time")
	}
}
