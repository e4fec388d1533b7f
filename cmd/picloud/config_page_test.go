package main

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"picloud/internal/testkit"
)

// docs/configuration.md lists every variable of Config with its default, meaning and bounds, as kong and
// complete see them. UPDATE=1 writes the page's table anew.
func TestConfigurationPage(t *testing.T) {
	var table strings.Builder
	table.WriteString("| Variable | Default | Meaning | Bounds |\n|---|---|---|---|\n")

	fields := reflect.TypeFor[Config]()

	rows := 0
	for k := range fields.NumField() {
		field := fields.Field(k)
		name := field.Tag.Get("env")
		if name == "" {
			continue
		}

		meaning, fallback := splitDefault(field.Tag.Get("help"))
		if meaning == "" {
			t.Errorf("%s has no help, so the page cannot say what it means", name)
		}
		if field.Tag.Get("secret") != "" || name == "DATABASE_URL" { // as loadSecretFiles decides
			meaning += fmt.Sprintf(" `%s_FILE` names a file that holds it.", name)
		}

		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n",
			name, defaultOf(field, fallback), meaning, boundsOf(t, field))
		rows++
	}

	if rows < 25 {
		t.Errorf("only %d variables were found", rows)
	}
	testkit.GeneratedPart(t, "configuration.md", "variables", table.String())
}

// splitDefault takes "(default ...)", for values that depend on the machine, out of a help text.
func splitDefault(help string) (meaning, fallback string) {
	before, rest, found := strings.Cut(help, " (default ")
	if !found {
		return help, ""
	}
	fallback, after, _ := strings.Cut(rest, ")")
	return before + after, fallback
}

func defaultOf(field reflect.StructField, fallback string) string {
	value := field.Tag.Get("default")
	switch {
	case fallback != "":
		return fallback
	case field.Type.Kind() == reflect.Bool:
		return "`false`"
	case value == "":
		return ""
	}

	readable := ""
	if field.Type == reflect.TypeFor[time.Duration]() {
		if d, err := time.ParseDuration(value); err == nil && d >= 48*time.Hour {
			readable = fmt.Sprintf(" (%d days)", d/(24*time.Hour))
		}
	} else if n, err := strconv.Atoi(value); err == nil && n >= 1<<20 {
		readable = fmt.Sprintf(" (%d MiB)", n>>20)
	}
	return "`" + value + "`" + readable
}

// boundsOf asks complete what it takes, by values that no field can have: the refusal names the bounds.
func boundsOf(t *testing.T, field reflect.StructField) string {
	switch {
	case field.Tag.Get("enum") != "":
		return "`" + strings.ReplaceAll(field.Tag.Get("enum"), ",", "`, `") + "`"
	case field.Type.Kind() == reflect.Bool:
		return "`true`, `false`"
	case field.Type.Kind() == reflect.String:
		return boundsIn(field, refusal(t, field, "?"))
	case field.Type.Kind() != reflect.Int && field.Type.Kind() != reflect.Int64:
		return ""
	}

	for _, extreme := range []int64{-1 << 40, 1 << 60} {
		text := refusal(t, field, extreme)
		if bounds := boundsIn(field, text); bounds != "" {
			return bounds
		}
		if text != "" { // a rule for several variables, which the text names together
			if refusal(t, field, int64(0)) == "" {
				return "0 or more"
			}
			return "more than 0"
		}
	}
	t.Errorf("%s takes any number", field.Tag.Get("env"))
	return ""
}

func boundsIn(field reflect.StructField, text string) string {
	bounds, found := strings.CutPrefix(text, field.Tag.Get("env")+" must be ")
	if !found {
		return ""
	}
	return bounds
}

// refusal is the text with which complete refuses one value in an otherwise valid configuration, or "".
func refusal(t *testing.T, field reflect.StructField, value any) string {
	t.Helper()
	c := testConfig("postgres://127.0.0.1/none")
	c.NodeName = "node"
	c.SecretKey = base64.StdEncoding.EncodeToString(make([]byte, keySize))

	target := reflect.ValueOf(c).Elem().FieldByIndex(field.Index)
	switch v := value.(type) {
	case int64:
		target.SetInt(v)
	case string:
		target.SetString(v)
	}
	if err := c.complete(); err != nil {
		return err.Error()
	}
	return ""
}
