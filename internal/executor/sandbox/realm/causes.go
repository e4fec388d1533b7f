package realm

import (
	"fmt"
	"strings"

	"github.com/dop251/goja"

	"picloud/internal/cloud"
)

// Bounds of what is told of an error's causes. The text as a whole has cloud.MaxErrorText bytes.
const (
	maxCauseDepth  = 8
	maxCauses      = 32 // of one error, at all depths together
	maxCauseErrors = 10 // of one AggregateError
	// maxCauseFrames is how many frames each error keeps when there is more than one.
	maxCauseFrames = 10
)

// causes writes what an error was caused by (its cause, and the errors of an AggregateError) in the form of
// Node's stacks, a "[cause]: " or "[errors 0]: " before each. Nothing is indented and no text is cut before
// its end: a secret in it must be found as a whole to be masked.
type causes struct {
	realm *Realm
	text  strings.Builder
	n     int
	// path are the objects from the error to the present one: one that comes again is a circle.
	path []*goja.Object
}

// causesOf is what causes tells of an error; empty if it has none.
func (r *Realm) causesOf(o *goja.Object) string {
	c := &causes{realm: r}
	c.below(o)
	return c.text.String()
}

// below writes the causes of one error. Its getters may throw, which ends what is told of this one.
func (c *causes) below(o *goja.Object) {
	if len(c.path) >= maxCauseDepth {
		return
	}
	c.path = append(c.path, o)
	defer func() { c.path = c.path[:len(c.path)-1] }()

	c.read("cause", func() {
		if cause := o.Get("cause"); Given(cause) {
			c.write("cause", cause)
		}
	})
	c.read("errors", func() {
		list, ok := o.Get("errors").(*goja.Object)
		if !ok || list.ClassName() != "Array" {
			return
		}

		n := list.Get("length").ToInteger()
		for k := range min(n, maxCauseErrors) {
			c.write(fmt.Sprintf("errors %d", k), list.Get(fmt.Sprint(k)))
		}
		if n > maxCauseErrors {
			fmt.Fprintf(&c.text, "\n[errors]: %d more", n-maxCauseErrors)
		}
	})
}

// read reads a property by a function that a script's getter may throw in.
func (c *causes) read(property string, f func()) {
	if exc := c.realm.VM.Try(f); exc != nil {
		fmt.Fprintf(&c.text, "\n[%s]: cannot be described: reading it threw", property)
	}
}

// write writes one cause, and what caused it.
func (c *causes) write(label string, v goja.Value) {
	if c.n >= maxCauses || c.text.Len() > cloud.MaxErrorText {
		return
	}
	c.n++
	fmt.Fprintf(&c.text, "\n[%s]: ", label)

	o, isObject := v.(*goja.Object)
	if isObject && c.isOnPath(o) {
		c.text.WriteString("[circular]")
		return
	}
	if !isObject || o.ClassName() != "Error" {
		text := c.realm.thrownText(v)
		c.text.WriteString(text[:min(len(text), maxStackText)])
		return
	}

	described := &cloud.ScriptError{Name: "Error"}
	describeError(described, o)
	c.text.WriteString(asStack(described))
	c.below(o)
}

func (c *causes) isOnPath(o *goja.Object) bool {
	for _, above := range c.path {
		if above == o {
			return true
		}
	}
	return false
}

// asStack is an error as its stack shows it, with few frames. A stack begins with name and message as they
// were when the error was made.
func asStack(e *cloud.ScriptError) string {
	title := e.String()
	if strings.HasPrefix(e.Stack, title) {
		return firstFrames(e.Stack)
	}

	at := strings.Index(e.Stack, "    at ")
	if at < 0 {
		return title
	}
	return title + "\n" + firstFrames(e.Stack[at:])
}

// firstFrames drops the frames of a stack that come after the first few, as whole lines.
func firstFrames(stack string) string {
	lines := strings.Split(stack, "\n")

	kept := lines[:0]
	frames := 0

	for _, line := range lines {
		if strings.HasPrefix(line, "    at ") {
			frames++
		}
		if frames <= maxCauseFrames {
			kept = append(kept, line)
		}
	}

	return strings.Join(kept, "\n")
}
