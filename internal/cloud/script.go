package cloud

import (
	"slices"
	"time"
)

// Script kinds.
const (
	// KindEndpoint can be called, by requests and triggers.
	KindEndpoint = "endpoint"
	// KindModule can be imported by scripts of its app.
	KindModule = "module"
)

// Script access modes: who may call an endpoint by HTTP.
const (
	// AccessPublic is for everybody.
	AccessPublic = "public"
	// AccessKey is for API keys that may run scripts of the app.
	AccessKey = "key"
	// AccessPrivate is for API keys and sessions that may run scripts of the app.
	AccessPrivate = "private"
)

// HandlersWarning is what will go wrong when a script is called: problem, if its module could not be
// evaluated, or that nothing in it is called. It is empty if nothing will, and for a module.
func HandlersWarning(kind string, handlers []string, problem string) string {
	if problem != "" || kind == KindModule || len(handlers) > 0 {
		return problem
	}
	return "the script has no handler: PiCloud calls the functions fetch, kv, scheduled and deadLetter " +
		"of its default export"
}

// Limits bound one run of a script.
type Limits struct {
	Timeout   time.Duration
	MemoryMiB int
}

// Env is what an app's scripts find in env: its variables and secrets. It never changes; a change makes
// another one with another id.
type Env struct {
	// ID is derived from the content, zero for an empty one.
	ID ID
	// Values are by name.
	Values map[string]string
	// Mask hides those that are secret, nil if there are none.
	Mask *Mask `json:"-"`
}

// Script is what the data plane knows of a script.
type Script struct {
	App      AppID
	ID       ID
	Name     string
	Kind     string
	Access   string
	Version  int
	Language string
	Build    ID
	Limits   Limits
	// RateLimit is that of all requests to the script, whatever path they came by; nil for none.
	RateLimit *RateLimit
	// Handlers names the functions of the default export.
	Handlers []string
	// Env is the app's, nil for none.
	Env *Env
}

// VariableRef names a variable or secret of an app.
type VariableRef struct {
	App    AppID
	Name   string
	Secret bool
}

// EnvID is the id of the script's environment, zero for none.
func (s *Script) EnvID() ID {
	if s.Env == nil {
		return ID{}
	}
	return s.Env.ID
}

// HasHandler reports whether the default export has the named handler.
func (s *Script) HasHandler(name string) bool {
	return slices.Contains(s.Handlers, name)
}
