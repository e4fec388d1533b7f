package webapi

import (
	"strconv"
	"time"

	"github.com/dop251/goja"
	"golang.org/x/text/language"
)

// intlLikely adds what is most likely to a language, script and region, each empty if it is not known (UTS
// #35, 4.3): (language, script, region). It gives an array of the three, or undefined if nothing is known.
func (g *Global) intlLikely(c goja.FunctionCall) goja.Value {
	tag := c.Argument(0).String()
	for _, part := range []goja.Value{c.Argument(1), c.Argument(2)} {
		if text := part.String(); text != "" {
			tag += "-" + text
		}
	}

	parsed, err := language.Parse(tag)
	if err != nil {
		return goja.Undefined()
	}

	base, confidence := parsed.Base()
	script, ofScript := parsed.Script()
	region, ofRegion := parsed.Region()
	if confidence == language.No || ofScript == language.No || ofRegion == language.No {
		return goja.Undefined()
	}
	return g.Strings([]string{base.String(), script.String(), region.String()})
}

// offsetZone is the time zone of an offset as in +05:30 (ECMA-402, 11.1.2): its canonical name and its
// seconds.
func offsetZone(name string) (canonical string, seconds int, ok bool) {
	var digits string
	switch {
	case len(name) == len("+05"):
		digits = name[1:] + "00"
	case len(name) == len("+0530"):
		digits = name[1:]
	case len(name) == len("+05:30") && name[3] == ':':
		digits = name[1:3] + name[4:]
	default:
		return "", 0, false
	}

	for k := range len(digits) {
		if digits[k] < '0' || digits[k] > '9' {
			return "", 0, false
		}
	}

	hours, _ := strconv.Atoi(digits[:2])
	minutes, _ := strconv.Atoi(digits[2:])
	if name[0] != '+' && name[0] != '-' || hours > 23 || minutes > 59 {
		return "", 0, false
	}

	sign := name[:1]
	seconds = hours*int(time.Hour/time.Second) + minutes*int(time.Minute/time.Second)
	if seconds == 0 {
		sign = "+"
	}
	if sign == "-" {
		seconds = -seconds
	}
	return sign + digits[:2] + ":" + digits[2:], seconds, true
}
