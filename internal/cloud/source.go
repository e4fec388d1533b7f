package cloud

// Source is a script to compile, with the app's module scripts that it may import, by name.
type Source struct {
	Name     string            `json:"name"`
	Language string            `json:"language"` // javascript or typescript
	Source   string            `json:"source"`
	Modules  map[string]Module `json:"modules"`
	// Env is what the module finds when it is evaluated to learn its handlers. The compiler does not see it.
	Env *Env `json:"-"`
}

// Module is a module script's source.
type Module struct {
	Language string `json:"language"`
	Source   string `json:"source"`
}

// Bundle is a compiled script.
type Bundle struct {
	Code     string
	Imports  []string
	Handlers []string
	// Hint says what an author can write whose script has no handlers.
	Hint string
	// HandlersError says why the handlers are unknown: the module's evaluation failed.
	HandlersError string
}
