package sdk

import "github.com/dop251/goja"

// logModule writes lines of the execution's log, as console does.
type logModule struct{ h *Host }

func newLogModule(h *Host) *logModule { return &logModule{h} }

func (m *logModule) name() string { return "log" }

func (m *logModule) exports() goja.Value {
	o := m.h.VM.NewObject()
	for _, level := range []string{"debug", "info", "warn", "error"} {
		m.h.Define(o, level, m.h.web.Logger(level))
	}
	return o
}
