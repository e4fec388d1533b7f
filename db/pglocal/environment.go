package pglocal

import (
	"os"
	"strings"
)

// passedOn are the variables by which programs and their libraries are found.
var passedOn = []string{"PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "TMPDIR"}

// passedToClients are those by which libpq finds certificates and tickets, beside its own, which begin with
// PG.
var passedToClients = []string{"HOME", "KRB5CCNAME", "KRB5_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR"}

// serverEnvironment is the environment of a server and of what makes one. The program's own variables are
// not in it: other processes of PostgreSQL's user, and SQL of a superuser, could read its secrets there.
func serverEnvironment() []string { return append(picked(passedOn), "LC_ALL=C") }

// ClientEnvironment is the environment of PostgreSQL's client programs, without the program's own variables.
func ClientEnvironment() []string {
	env := append(serverEnvironment(), picked(passedToClients)...)
	for _, entry := range os.Environ() {
		// PGHOSTADDR would count more than the host that is asked for.
		if strings.HasPrefix(entry, "PG") && !strings.HasPrefix(entry, "PGHOSTADDR=") {
			env = append(env, entry)
		}
	}

	return env
}

// picked returns those of the variables that are set.
func picked(names []string) []string {
	var env []string
	for _, name := range names {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}

	return env
}
