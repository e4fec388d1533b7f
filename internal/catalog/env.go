package catalog

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"picloud/db"
	"picloud/internal/cloud"
)

// minMasked is the length in bytes from which a secret is hidden in logs: a shorter one would hide ordinary
// words.
const minMasked = 8

// masked stands where a secret was.
const masked = "***"

// loadEnv reads an app's variables and secrets.
func (c *Catalog) loadEnv(ctx context.Context, q *db.Queries, app *App) error {
	rows, err := q.AllVariables(ctx, int64(app.ID))
	if err != nil || len(rows) == 0 {
		app.Env = &cloud.Env{}
		return err
	}

	app.Env = &cloud.Env{Values: make(map[string]string, len(rows))}
	hash := sha256.New()

	var secrets []string
	for _, r := range rows {
		ref := cloud.VariableRef{App: app.ID, Name: r.Name, Secret: r.Secret}
		value, err := c.cfg.Decrypter.Open(ref, r.KeyID, r.Sealed)
		if err != nil {
			return fmt.Errorf("open variable %s: %w", r.Name, err)
		}
		app.Env.Values[r.Name] = value
		fmt.Fprintf(hash, "%d %s %d %s ", len(r.Name), r.Name, len(value), value)
		if r.Secret && len(value) >= minMasked {
			secrets = append(secrets, value)
		}
	}

	// Runtimes are pooled by what their scripts find in env: equal content has an equal id.
	copy(app.Env.ID[:], hash.Sum(nil))
	app.mask = maskFor(secrets)

	return nil
}

// maskFor hides some values. The longest come first, so that one which begins like another is hidden whole.
func maskFor(values []string) *strings.Replacer {
	if len(values) == 0 {
		return nil
	}

	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })

	pairs := make([]string, 0, 2*len(values))
	for _, value := range values {
		pairs = append(pairs, value, masked)
	}

	return strings.NewReplacer(pairs...)
}

// MaskText replaces the app's secrets in a text.
func (a *App) MaskText(text string) string {
	if a.mask == nil {
		return text
	}
	return a.mask.Replace(text)
}

// MaskOutcome replaces the app's secrets in what an outcome says of itself. The response is the script's own
// business.
func (a *App) MaskOutcome(o *cloud.Outcome) {
	if a.mask == nil {
		return
	}
	o.Error.Message = a.mask.Replace(o.Error.Message)

	o.Error.Stack = a.mask.Replace(o.Error.Stack)
	for k := range o.Logs {
		o.Logs[k].Message = a.mask.Replace(o.Logs[k].Message)
	}
}
