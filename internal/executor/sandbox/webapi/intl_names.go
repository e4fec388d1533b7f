package webapi

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"

	"github.com/dop251/goja"
)

// displayNames are the names of CLDR 48 in English ("en", and where British English differs "gb") and German
// ("de"), by type and code. Fields of dates stand by their style, in the order of intl.js.
//
//go:embed display_names.json
var displayNames []byte

// primaryZones are the names that the tz database has for a country's zones (zone.tab), and UTC: what
// ECMA-402, 6.5 calls primary.
//
//go:embed primary_zones.txt
var primaryZones string

// namesByLanguage is displayNames, read once.
var namesByLanguage = sync.OnceValue(func() map[string]map[string]map[string]string {
	var names map[string]map[string]map[string]string
	if err := json.Unmarshal(displayNames, &names); err != nil {
		panic(err) // our own file
	}
	return names
})

// intlName is the name of a code: (locale, type, code). It is undefined if there is none.
func (g *Global) intlName(c goja.FunctionCall) goja.Value {
	locale, kind, code := c.Argument(0).String(), c.Argument(1).String(), c.Argument(2).String()

	languages := []string{"en"}
	switch {
	case strings.HasPrefix(locale, "de"):
		languages = []string{"de"}
	case locale == "en-GB":
		languages = []string{"gb", "en"}
	}

	for _, language := range languages {
		if name, ok := namesByLanguage()[language][kind][code]; ok {
			return g.VM.ToValue(name)
		}
	}
	return goja.Undefined()
}

// intlZones are the primary time zones.
func (g *Global) intlZones(goja.FunctionCall) goja.Value {
	return g.Strings(strings.Fields(primaryZones))
}
