package engine

import (
	"fmt"
	"strings"

	"github.com/dop251/goja"
)

// The engine's messages name neither what was called nor what was null. With the place in the code and the
// values that the engine computes with, they can be what other engines say.

// Beginnings and texts of the engine's messages that are explained.
const (
	readOfNothing    = "Cannot read property '"
	noMember         = "Object has no member '"
	noObject         = "Value is not an object: "
	noFunction       = "Not a function: "
	noConstructor    = "Value is not a constructor"
	notCoercible     = "Value is not object coercible"
	notIterable      = "object is not iterable"
	nothingToObject  = "Cannot convert undefined or null to object"
	notInitialized   = "Cannot access a variable before initialization"
	undefinedPostfix = " is not defined"
)

// explain is a message of the engine's, or a better one where that is possible.
func explain(vm *goja.Runtime, text string) string {
	explainer := explainerOf(text)
	if explainer == nil {
		return text
	}
	site, ok := siteOf(vm)
	if !ok {
		return text
	}
	if better := explainer(&site, text); better != "" {
		return better
	}
	return text
}

func explainerOf(text string) func(*callSite, string) string {
	switch {
	case strings.HasPrefix(text, readOfNothing):
		return explainRead
	case strings.HasPrefix(text, noMember), strings.HasPrefix(text, noObject),
		strings.HasPrefix(text, noFunction), text == noConstructor:
		return explainCall
	case text == notCoercible:
		return explainDestructuring
	case text == notIterable:
		return explainIteration
	case text == nothingToObject:
		return explainNothing
	case text == notInitialized:
		return explainTooEarly
	default:
		return nil
	}
}

// isNothing reports undefined and null. It asks nothing of a value, which may be one of the engine's own
// kinds.
func isNothing(v goja.Value) bool { return goja.IsUndefined(v) || goja.IsNull(v) }

// nothing is the word for undefined or null.
func nothing(v goja.Value) string {
	if goja.IsNull(v) {
		return "null"
	}
	return "undefined"
}

// explainRead tells null from undefined.
func explainRead(s *callSite, text string) string {
	key, _, ok := strings.Cut(strings.TrimPrefix(text, readOfNothing), "' of undefined")
	if !ok {
		return ""
	}

	// The value is on top, or below the name of the property, which can be undefined too.
	of := s.fromTop(1)
	if !isNothing(of) || nothing(of) == key && isNothing(s.fromTop(2)) {
		of = s.fromTop(2)
	}
	if !isNothing(of) {
		return ""
	}
	return fmt.Sprintf("Cannot read properties of %s (reading '%s')", nothing(of), key)
}

// explainCall names what was called.
func explainCall(s *callSite, _ string) string {
	rest := s.code[s.at:]
	switch {
	case strings.HasPrefix(rest, "new "):
		if end := skipCallee(rest, len("new ")); end > len("new ") {
			return rest[len("new "):end] + " is not a constructor"
		}
		return "the value after new is not a constructor"
	case strings.HasPrefix(rest, "("):
		if callee := calleeBefore(s.code, s.at); callee != "" {
			return callee + " is not a function"
		}
		return "(intermediate value) is not a function"
	default:
		return ""
	}
}

func explainDestructuring(s *callSite, _ string) string {
	if of := s.fromTop(1); isNothing(of) {
		return fmt.Sprintf("Cannot destructure '%s' as it is %[1]s.", nothing(of))
	}
	return ""
}

func explainIteration(s *callSite, _ string) string {
	switch top := s.fromTop(1); kindOf(top) {
	case plain().integer, plain().float:
		return "number " + top.String() + " is not iterable"
	case plain().boolean:
		return "boolean " + top.String() + " is not iterable"
	default:
		return ""
	}
}

// explainNothing tells an assignment to a property of nothing from an iteration over it.
func explainNothing(s *callSite, _ string) string {
	isMember := s.at > 0 && s.code[s.at-1] == '.'
	isElement := s.at > 0 && strings.HasPrefix(s.code[s.at:], "[") && endsExpression(s.code[s.at-1])

	switch {
	case isMember && isNothing(s.fromTop(2)):
		return setOfNothing(s.fromTop(2), wordAt(s.code, s.at))
	case isElement && s.code[s.at+1] == '"': // a name that the engine keeps apart, as that of a member
		return setOfLiteral(s)
	case isElement && isNothing(s.fromTop(3)) && isPrimitive(s.fromTop(2)):
		return setOfNothing(s.fromTop(3), s.fromTop(2).String())
	case !isMember && !isElement && isNothing(s.fromTop(1)):
		return nothing(s.fromTop(1)) + " is not iterable"
	default:
		return ""
	}
}

// setOfLiteral is explainNothing of an assignment to a property whose name is a string in the code.
func setOfLiteral(s *callSite) string {
	name, _, ok := strings.Cut(s.code[s.at+2:], "\"")
	if !ok || !isNothing(s.fromTop(2)) || strings.Contains(name, "\\") {
		return ""
	}
	return setOfNothing(s.fromTop(2), name)
}

func setOfNothing(of goja.Value, key string) string {
	return fmt.Sprintf("Cannot set properties of %s (setting '%s')", nothing(of), key)
}

// isPrimitive reports a string or number, whose text is made without a script's code.
func isPrimitive(v goja.Value) bool {
	switch kindOf(v) {
	case plain().integer, plain().float, plain().ascii, plain().unicode, plain().imported:
		return true
	default:
		return false
	}
}

func explainTooEarly(s *callSite, _ string) string {
	if name := wordAt(s.code, s.at); name != "" {
		return "Cannot access '" + name + "' before initialization"
	}
	return ""
}

// missingName is the name in a ReferenceError's message, or "".
func missingName(text string) string {
	name, ok := strings.CutSuffix(text, undefinedPostfix)
	if !ok || strings.ContainsAny(name, " '\"") {
		return ""
	}
	return name
}
