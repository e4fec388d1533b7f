package db

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ClientEnv returns the environment variables by which PostgreSQL's own programs (pg_dump, psql) find a
// database (libpq, 34.15): all its hosts, what is asked of a session there, and the settings of a session.
// They keep the password out of the command line, which every user of the machine can read.
func ClientEnv(address string) ([]string, error) {
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("read the database's address: %w", err)
	}

	hosts, ports := hostsOf(cfg)
	env := []string{
		"PGHOST=" + strings.Join(hosts, ","),
		"PGPORT=" + strings.Join(ports, ","),
		"PGUSER=" + cfg.User,
		"PGPASSWORD=" + cfg.Password,
		"PGDATABASE=" + cfg.Database,
	}

	if options := optionsOf(cfg.RuntimeParams); options != "" {
		env = append(env, "PGOPTIONS="+options)
	}

	// pgx keeps no text of these, so they are taken from the address.
	given := parametersOf(address)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if variable, ok := variables[name]; ok && given[name] != "" {
			env = append(env, variable+"="+given[name])
		}
	}

	return env, nil
}

// hostsOf lists the hosts of an address in their order, and the port of each.
func hostsOf(cfg *pgx.ConnConfig) (hosts, ports []string) {
	hosts = []string{cfg.Host}
	ports = []string{strconv.Itoa(int(cfg.Port))}

	// A host is there twice if it may be tried with and without TLS.
	for _, next := range cfg.Fallbacks {
		port := strconv.Itoa(int(next.Port))
		if last := len(hosts) - 1; hosts[last] == next.Host && ports[last] == port {
			continue
		}
		hosts = append(hosts, next.Host)
		ports = append(ports, port)
	}

	return hosts, ports
}

// optionsOf writes the settings of a session as options of the server's command line, after those that were
// given so already. libpq knows them by no other way.
func optionsOf(settings map[string]string) string {
	escape := strings.NewReplacer(`\`, `\\`, " ", `\ `)
	options := settings["options"]

	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if name != "options" && name != "application_name" {
			options += " -c " + name + "=" + escape.Replace(settings[name])
		}
	}

	return strings.TrimSpace(options)
}

// variables are the parameters of an address that have an environment variable, and say how to connect.
var variables = map[string]string{
	"application_name":     "PGAPPNAME",
	"channel_binding":      "PGCHANNELBINDING",
	"connect_timeout":      "PGCONNECT_TIMEOUT",
	"krbsrvname":           "PGKRBSRVNAME",
	"require_auth":         "PGREQUIREAUTH",
	"sslcert":              "PGSSLCERT",
	"sslcertmode":          "PGSSLCERTMODE",
	"sslkey":               "PGSSLKEY",
	"sslmode":              "PGSSLMODE",
	"sslnegotiation":       "PGSSLNEGOTIATION",
	"sslrootcert":          "PGSSLROOTCERT",
	"sslsni":               "PGSSLSNI",
	"target_session_attrs": "PGTARGETSESSIONATTRS",
}

// keyValue is a parameter of an address in the key=value form; quotes may enclose the value.
var keyValue = regexp.MustCompile(`(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\']|\\.)*))`)

// parametersOf takes an address apart that pgx has understood already.
func parametersOf(address string) map[string]string {
	parameters := map[string]string{}
	if _, rest, isURL := strings.Cut(address, "://"); isURL {
		_, query, _ := strings.Cut(rest, "?")
		for _, pair := range strings.Split(query, "&") {
			name, value, _ := strings.Cut(pair, "=")

			// A + is one: a connection string is not a form.
			if plain, err := url.PathUnescape(value); err == nil {
				parameters[name] = plain
			}
		}
		return parameters
	}

	for _, m := range keyValue.FindAllStringSubmatch(address, -1) {
		parameters[m[1]] = strings.NewReplacer(`\\`, `\`, `\'`, `'`).Replace(m[2] + m[3])
	}
	return parameters
}

// Name returns the name of the database in an address, "" if the address cannot be read.
func Name(address string) string {
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return ""
	}
	return cfg.Database
}
