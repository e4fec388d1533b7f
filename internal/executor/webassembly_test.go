package executor_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"picloud/internal/cloud"
)

// wasmModules is the code of a script that has a function make, which gives the exports of a module of the
// sandbox's tests.
func wasmModules(t *testing.T) string {
	t.Helper()
	list, err := os.ReadFile("sandbox/webassembly/testdata/modules.txt")
	if err != nil {
		t.Fatal(err)
	}

	var code strings.Builder
	code.WriteString("const modules = {")

	for line := range strings.Lines(string(list)) {
		name, encoded, _ := strings.Cut(strings.TrimSpace(line), " ")
		code.WriteString(name + `: "` + encoded + `",`)
	}
	code.WriteString(`};
		const make = (name, script) => {
			const bytes = Uint8Array.from(atob(modules[name]), (c) => c.charCodeAt(0));
			return new WebAssembly.Instance(new WebAssembly.Module(bytes), { script }).exports;
		};
		const nothing = { back() {} };
	`)
	return code.String()
}

// In a real process, behind its walls, a module has the memory and the time of its run and no more. Each
// case has an app, and so a process, of its own.
func TestWebAssemblyLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	modules := wasmModules(t)

	for k, c := range []struct {
		name, code string
		timeout    time.Duration
		status     cloud.Status
		answer     string
	}{
		{"a loop", `make("loops", nothing).loop()`, byClock, cloud.TimedOut, ""},
		{"a loop that calls back", `make("loops", nothing).busy()`, byClock, cloud.TimedOut, ""},
		{"recursion without a loop", `make("loops", nothing).both(60)`, byClock, cloud.TimedOut, ""},
		{"memory", `const x = make("loops", nothing); let n = 1; while (x.grow() !== -1) n++; return n`, notTimed, cloud.Succeeded, "1024"},
		{"memory in the module", `return make("loops", nothing).greedy() > 50`, notTimed, cloud.Succeeded, "true"},
		{"memory of the script", `const m = new WebAssembly.Memory({ initial: 1 }); try { for (;;) m.grow(16) } catch (e) { return e.name }`, notTimed, cloud.Succeeded, "RangeError"},
		{"many memories", `const m = []; try { for (;;) m.push(new WebAssembly.Memory({ initial: 160 })) } catch (e) { return m.length }`, notTimed, cloud.Succeeded, "6"},
		{"recursion", `try { make("traps").deep(0) } catch (e) { return e.name }`, notTimed, cloud.Succeeded, "RangeError"},
		{
			"recursion through JavaScript", `const x = make("calls", { f: (n) => x.frames(1900, n), many() {} }); try { x.frames(1900, 1) } catch (e) { return e.name }`,
			notTimed, cloud.Succeeded, "RangeError",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := f.deploy(cloud.AppID(k+1), modules+"export default { fetch() { "+c.code+" } }")
			s.Limits.Timeout = c.timeout

			o := f.call(s, "")
			answer := ""
			if o.Response != nil {
				answer = string(o.Response.Body)
			}
			if o.Status != c.status || answer != c.answer {
				t.Errorf("%v %q, want %v %q: %+v", o.Status, answer, c.status, c.answer, o.Error)
			}
		})
	}
}
