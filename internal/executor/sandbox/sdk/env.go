package sdk

import (
	"maps"
	"slices"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
)

// envModule is the app's variables and secrets, as a frozen object of strings.
type envModule struct{ object *goja.Object }

// newEnvModule makes the object of an environment, which may be nil.
func newEnvModule(h *Host, env *cloud.Env) *envModule {
	o := h.VM.NewObject()
	if env != nil {
		for _, name := range slices.Sorted(maps.Keys(env.Values)) {
			value := h.VM.ToValue(env.Values[name])
			_ = o.DefineDataProperty(name, value, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_TRUE)
		}
	}

	h.Freeze(o)
	return &envModule{o}
}

func (m *envModule) name() string { return "env" }

func (m *envModule) exports() goja.Value { return m.object }
