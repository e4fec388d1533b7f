package sandbox

import (
	"fmt"
	"strings"

	"github.com/dop251/goja"
)

// maxHintNames is how many names a hint lists.
const maxHintNames = 5

// howToHandle ends a hint.
const howToHandle = "; PiCloud calls the functions fetch, kv, scheduled and deadLetter of the default " +
	"export: export default { async fetch(request, env, ctx) { return new Response(\"hello\") } }"

// noHandlerHint says, of a script that has no handler, what it has instead.
func noHandlerHint(module *goja.Object) string {
	exports, isObject := module.Get("exports").(*goja.Object)
	if !isObject {
		return "the script exports nothing that can be called" + howToHandle
	}

	isModule := exports.Get("__esModule") != nil
	_, isFunc := goja.AssertFunction(exports)
	names := exports.Keys()

	switch made := exports.Get("default"); {
	case made != nil && !goja.IsUndefined(made):
		return defaultHint(made) + howToHandle
	case !isModule && (isFunc || len(names) > 0):
		return "the script exports by module.exports, as CommonJS does" + howToHandle
	case len(names) > 0:
		return "the script exports " + listed(names) + " by name, and nothing by default" + howToHandle
	default:
		return "the script exports nothing" + howToHandle
	}
}

// defaultHint says what a default export without a handler is.
func defaultHint(made goja.Value) string {
	object, isObject := made.(*goja.Object)
	if !isObject {
		text := made.String()
		if len(text) > 40 {
			text = text[:40] + "..."
		}
		return "the default export is " + strings.ToValidUTF8(text, "") + ", which is no handler"
	}

	if names := object.Keys(); len(names) > 0 && object.ClassName() != "Array" {
		return "the default export has " + listed(names) + ", but no handler"
	}
	return "the default export has no handler"
}

// listed writes names as a list.
func listed(names []string) string {
	if len(names) > maxHintNames {
		first := strings.Join(names[:maxHintNames], ", ")
		return fmt.Sprintf("%s and %d more", first, len(names)-maxHintNames)
	}
	return strings.Join(names, ", ")
}
