package picloud

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"picloud/internal/testkit"
)

// limit is a row of docs/limits.md. The constant is looked up by its name alone, wherever it is declared.
type limit struct {
	constant string
	meaning  string
	unit     string // "bytes" becomes KiB or MiB; a time needs none
}

// limitSections are the generated parts of docs/limits.md, each between the comments of its name.
var limitSections = []struct {
	name   string
	limits []limit
}{
	{"limits of scripts", []limit{
		{"maxScriptTimeout", "The longest time limit that a script may set (`limits.timeout_ms`)", ""},
		{"minMemoryMiB", "The least memory that a script may ask for (`limits.memory_mib`)", "MiB"},
		{"interruptGrace", "Time after its deadline in which a run must end, before it is killed", ""},
		{"MaxSource", "Source of a script or module", "bytes"},
		{"maxModules", "Modules in one build", "modules"},
		{"maxImportDepth", "Depth of imports that import", "levels"},
		{"compileTimeout", "Time for compiling a script when it is deployed", ""},
		{"MaxLogLines", "Log of a run; what is dropped is counted", "lines"},
		{"MaxLogBytes", "The same log in bytes", "bytes"},
		{"MaxErrorText", "Message and stack of an error that are kept, each", "bytes"},
		{"MaxCalls", "Host calls of a run (`kv`, `fetch`, `deadLetters`)", "calls"},
		{"maxTimers", "Timers of a run", "timers"},
		{"maxCallStack", "Depth of calls in JavaScript", "calls"},
		{"maxJSONDepth", "Nesting that `JSON.parse` takes", "levels"},
		{"maxDecompressed", "Output of a `DecompressionStream`", "bytes"},
		{"maxModuleBytes", "A WebAssembly module", "bytes"},
		{"maxTable", "A WebAssembly table", "elements"},
		{"maxPBKDF2", "Iterations of PBKDF2, over all blocks of the hash that it makes", "iterations"},
		{"maxRSABits", "Length of an RSA key", "bits"},
		{"maxDerived", "What one call of `deriveBits` gives", "bytes"},
		{"maxVariables", "Variables and secrets of an app", "names"},
		{"maxVariable", "Value of a variable or secret", "bytes"},
		{"maxVariableBytes", "All values of an app together", "bytes"},
		{"maxSecretScripts", "Scripts that a secret may be for alone", "scripts"},
	}},
	{"limits of HTTP", []limit{
		{"maxHeaders", "Headers of a request, with its first line", "bytes"},
		{"MaxResponseHeader", "Headers of a response", "bytes"},
		{"headerTimeout", "Time for receiving the headers of a request", ""},
		{"bodyTimeout", "Time for receiving its body", ""},
		{"IdleTimeout", "Time that a connection may be idle between requests", ""},
		{"pieceTimeout", "Time that a client may take for each piece of an answer", ""},
		{"MaxWait", "Time that a request may wait for a permit", ""},
		{"MaxAsyncBody", "Body of an asynchronous call", "bytes"},
		{"maxDeployTime", "Time of a deploy, with its wait for others", ""},
		{"maxDeploysWaiting", "Deploys of an app that wait for each other", "deploys"},
		{"maxHTTPRows", "Waiting rows of an app above which asynchronous calls are refused", "rows"},
		{"maxHTTPBytes", "Payloads of an app's waiting rows above which they are refused", "bytes"},
		{"MaxStoredBody", "Body of an answer that is kept for its `Idempotency-Key`", "bytes"},
		{"maxAnswers", "Idempotency keys of an app above which new ones are refused", "keys"},
		{"maxAnswerBytes", "Answers that an app keeps for them above which new ones are refused", "bytes"},
		{"maxSummary", "What is kept of the body of an abandoned execution", "bytes"},
		{"maxHosts", "Hosts of an app", "hosts"},
		{"maxPattern", "Length of a route's pattern", "bytes"},
		{"maxSegments", "Segments of a route's pattern", "segments"},
		{"MaxRateRequests", "Requests of a rate limit", "requests"},
		{"MaxRateSeconds", "Seconds of a rate limit", "seconds"},
		{"maxCallers", "Callers whose requests a node counts for each rate limit; of more, some are forgotten", "callers"},
		{"maxAPIBody", "Body of a request to the API", "bytes"},
		{"maxOpenBody", "The same, of a login", "bytes"},
	}},
	{"limits of fetch", []limit{
		{"maxPerRun", "Requests of a run whose answers are awaited at once; more wait", "requests"},
		{"maxInFlight", "Requests of all runs of a node whose answers are awaited at once; one app has at most half", "requests"},
		{"maxIdlePerApp", "Idle connections that an app keeps for its next requests", "connections"},
		{"maxIdlePerHost", "The same, to one host", "connections"},
		{"maxConnections", "Open connections of a node above which the app with the most loses its idle ones", "connections"},
		{"maxOpen", "Bodies that a run has not read to their end", "bodies"},
		{"MaxRedirects", "Redirects that a request follows", "redirects"},
		{"maxHeader", "Headers of an answer", "bytes"},
	}},
	{"limits of KV", []limit{
		{"MaxKey", "Length of a key", "bytes"},
		{"MaxValue", "Value as JSON text", "bytes"},
		{"maxDepth", "Nesting of a value", "levels"},
		{"maxTTL", "Longest `ttl`: ten years", ""},
		{"maxSafe", "Largest number that `increment` keeps", ""},
		{"maxPageBytes", "Values of a page of `list`, with the one that ends it", "bytes"},
		{"MaxList", "Items of one `list`", "items"},
		{"maxWrites", "Writes of a run", "writes"},
		{"maxSeenBytes", "Values of a run's checked reads that are kept for its later reads", "bytes"},
		{"maxWriteBytes", "Written keys and values of a run together", "bytes"},
		{"maxEvents", "Events that the writes of a run may raise", "events"},
		{"maxEventBytes", "Payloads of these events together", "bytes"},
		{"maxWait", "Time that a run may wait for another that writes the same key", ""},
		{"maxConflicts", "Repeats of a run whose checks failed", "repeats"},
	}},
	{"limits of events", []limit{
		{"MaxTriggers", "Enabled triggers of an app", "triggers"},
		{"maxDelay", "Longest delay between two attempts that a trigger may set", ""},
		{"maxInterruptions", "Interruptions after which a row becomes a dead letter", "interruptions"},
		{"AloneAfter", "Interruptions after which a row runs in a process of its own", "interruptions"},
		{"maxLetterChanges", "Dead letters that one run may replay or resolve", "dead letters"},
		{"maxLetterBytes", "Payloads that one run may replay", "bytes"},
		{"maxReasonChars", "Reason that a script gives for resolving one", "characters"},
		{"MaxBulk", "Dead letters that one call of the API replays", "dead letters"},
		{"maxExpression", "Length of a schedule's expression", "bytes"},
		{"LateAfter", "Delay after which a slot counts as late", ""},
		{"maxCatchUp", "Missed slots of a trigger that are decided one by one", "slots"},
		{"maxCronJitter", "Longest `jitter_ms` of a schedule", ""},
	}},
	{"limits of a node", []limit{
		{"maxGroupKeys", "Keys of one commit above which it locks its app instead", "keys"},
		{"maxPending", "Execution records that wait in memory for the database", "records"},
		{"maxPendingBytes", "The same records in bytes", "bytes"},
		{"sampled", "Executions a second and script that are kept as a sample", "executions"},
		{"maxTailsOfUser", "Followers of the live tail on a node that are one user", "followers"},
		{"maxTailsOfApp", "Followers of one app", "followers"},
		{"maxTails", "Followers of the live tail on a node", "followers"},
		{"MaxListBytes", "Texts of a page of executions, of the queue or of dead letters", "bytes"},
		{"SearchDepth", "Executions that one step of a search looks at", "executions"},
		{"maxLineage", "Rows of each kind in the tree of one cause", "rows"},
		{"MaxParse", "Memory for compiling a build, beside its process's limit, at most", "bytes"},
		{"maxIdle", "Idle runtimes that a sandbox process keeps", "runtimes"},
		{"maxRunsPerChild", "Runs after which a sandbox process is replaced", "runs"},
		{"idleTimeout", "Idle time after which a sandbox process ends", ""},
	}},
	{"limits of people", []limit{
		{"SessionIdle", "Idle time after which a session ends", ""},
		{"userBurst", "Failed logins of one user from one client that cost no waiting", "failures"},
		{"userRefill", "Time after which one of them is forgotten", ""},
		{"clientBurst", "Failed logins from one client, of all users, that cost no waiting", "failures"},
		{"clientRefill", "Time after which one of them is forgotten", ""},
		{"maxHashWaiting", "Logins that wait for that; above it 429", "logins"},
		{"maxHashWaitingOfOne", "The same of one client", "logins"},
		{"maxKeys", "API keys of a user", "keys"},
	}},
}

// docs/limits.md names each limit with the value that the code has. UPDATE=1 writes its tables anew.
func TestLimitsPage(t *testing.T) {
	t.Parallel()

	all, err := parseConstants(".")
	if err != nil {
		t.Fatal(err)
	}

	for _, section := range limitSections {
		var table strings.Builder
		table.WriteString("| Limit | Value | Constant |\n|---|---|---|\n")

		for _, l := range section.limits {
			value, err := all.value(l.constant)
			if err != nil {
				t.Errorf("%s: %v", l.constant, err)
				continue
			}
			fmt.Fprintf(&table, "| %s | %s | `%s` |\n", l.meaning, inUnit(value, l.unit), l.constant)
		}
		testkit.GeneratedPart(t, "limits.md", section.name, table.String())
	}
}

// constants are the package-level constants of the product's Go files, by name.
type constants map[string][]declaredConstant

type declaredConstant struct {
	dir  string // of its package
	file string
	expr ast.Expr
}

func parseConstants(root string) (constants, error) {
	all := constants{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipForeign(path, entry)
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}

		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}

		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				all.add(path, g)
			}
		}
		return nil
	})
	return all, err
}

// skipForeign leaves out the folders that hold no code of the product.
func skipForeign(path string, entry fs.DirEntry) error {
	if strings.HasPrefix(entry.Name(), ".") && path != "." {
		return filepath.SkipDir
	}

	switch entry.Name() {
	case "node_modules", "testdata", "tools", "bin", "bench", "faultlab", "testkit":
		return filepath.SkipDir
	default:
		return nil
	}
}

func (all constants) add(path string, g *ast.GenDecl) {
	for _, s := range g.Specs {
		spec := s.(*ast.ValueSpec)
		for k, name := range spec.Names {
			if k >= len(spec.Values) {
				continue // it repeats an expression with iota, as no limit does
			}
			declared := declaredConstant{dir: filepath.Dir(path), file: path, expr: spec.Values[k]}
			all[name.Name] = append(all[name.Name], declared)
		}
	}
}

// measured is the value of a constant.
type measured struct {
	constant.Value
	isTime bool
}

// value gives the value of a name. It fails if the name is unknown, or has different values in several
// packages.
func (all constants) value(name string) (measured, error) {
	found := all[name]
	if len(found) == 0 {
		return measured{}, errors.New("no constant of this name is declared outside of tests")
	}

	first, err := all.eval(found[0].dir, found[0].expr)
	if err != nil {
		return measured{}, fmt.Errorf("%s: %w", found[0].file, err)
	}

	for _, other := range found[1:] {
		v, err := all.eval(other.dir, other.expr)
		if err != nil {
			return measured{}, fmt.Errorf("%s: %w", other.file, err)
		}
		if v.isTime != first.isTime || !constant.Compare(v.Value, token.EQL, first.Value) {
			return measured{}, fmt.Errorf("it is %s in %s and %s in %s: give one of them another name",
				first, found[0].file, v, other.file)
		}
	}
	return first, nil
}

// durations are the constants of package time that limits are made of.
var durations = map[string]time.Duration{
	"Nanosecond":  time.Nanosecond,
	"Microsecond": time.Microsecond,
	"Millisecond": time.Millisecond,
	"Second":      time.Second,
	"Minute":      time.Minute,
	"Hour":        time.Hour,
}

// eval computes a constant expression. Names are those of the same package.
func (all constants) eval(dir string, expr ast.Expr) (measured, error) {
	switch x := expr.(type) {
	case *ast.BasicLit:
		return measured{Value: constant.MakeFromLiteral(x.Value, x.Kind, 0)}, nil
	case *ast.ParenExpr:
		return all.eval(dir, x.X)
	case *ast.SelectorExpr:
		if pkg, ok := x.X.(*ast.Ident); ok && pkg.Name == "time" && durations[x.Sel.Name] > 0 {
			return measured{constant.MakeInt64(int64(durations[x.Sel.Name])), true}, nil
		}
	case *ast.Ident:
		for _, c := range all[x.Name] {
			if c.dir == dir {
				return all.eval(dir, c.expr)
			}
		}
	case *ast.BinaryExpr:
		return all.evalBinary(dir, x)
	}
	return measured{}, fmt.Errorf("the test cannot compute %T", expr)
}

func (all constants) evalBinary(dir string, x *ast.BinaryExpr) (measured, error) {
	left, err := all.eval(dir, x.X)
	if err != nil {
		return measured{}, err
	}
	right, err := all.eval(dir, x.Y)
	if err != nil {
		return measured{}, err
	}

	isTime := left.isTime || right.isTime
	switch x.Op {
	case token.SHL, token.SHR:
		bits, ok := constant.Uint64Val(right.Value)
		if !ok {
			return measured{}, errors.New("the test cannot compute a shift")
		}
		return measured{constant.Shift(left.Value, x.Op, uint(bits)), isTime}, nil
	case token.QUO:
		return measured{constant.BinaryOp(left.Value, token.QUO_ASSIGN, right.Value), isTime}, nil
	default:
		return measured{constant.BinaryOp(left.Value, x.Op, right.Value), isTime}, nil
	}
}

// inUnit writes a value as a reader of the page wants it.
func inUnit(v measured, unit string) string {
	n, _ := constant.Int64Val(constant.ToInt(v.Value))
	if v.isTime {
		return timeText(time.Duration(n))
	}
	if unit != "bytes" {
		return strings.TrimSpace(grouped(n) + " " + unit)
	}

	units := []string{"bytes", "KiB", "MiB", "GiB"}
	for n >= 1024 && n%1024 == 0 && len(units) > 1 {
		n /= 1024
		units = units[1:]
	}
	return grouped(n) + " " + units[0]
}

// timeText writes a duration in a unit of its size: 2 days, but 24 h and 300 s.
func timeText(d time.Duration) string {
	units := []struct {
		unit time.Duration
		from time.Duration
		name string
	}{
		{24 * time.Hour, 48 * time.Hour, "days"},
		{time.Hour, time.Hour, "h"},
		{time.Minute, 10 * time.Minute, "min"},
		{time.Second, time.Second, "s"},
		{time.Millisecond, time.Millisecond, "ms"},
	}
	for _, u := range units {
		if d >= u.from && d%u.unit == 0 {
			return grouped(int64(d/u.unit)) + " " + u.name
		}
	}
	return d.String()
}

// grouped writes 10000 as 10,000.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for k := len(s) - 3; k > 0; k -= 3 {
		s = s[:k] + "," + s[k:]
	}
	return s
}
