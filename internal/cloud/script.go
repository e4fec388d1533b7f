package cloud

import "time"

// Script kinds.
const (
	KindEndpoint = "endpoint"
	KindModule   = "module"
)

// Script access modes.
const (
	AccessPublic  = "public"
	AccessKey     = "key"
	AccessPrivate = "private"
)

// Limits bound one run of a script.
type Limits struct {
	Timeout   time.Duration
	MemoryMiB int
}

// Env is what an app's scripts find in env: its variables and secrets, by name. It never changes; another one has another id.
type Env struct {
	// ID is made of the content, zero for an empty one.
	ID     ID
	Values map[string]string
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
	Handlers []string
	Env      *Env // the app's; nil for none
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

// HasHandler reports whether the default export carries the named handler.
func (s *Script) HasHandler(name string) bool {
	for _, h := range s.Handlers {
		if h == name {
			return true
		}
	}
	return false
}
