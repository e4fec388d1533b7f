package orchestrator

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"picloud/db"
	"picloud/internal/cloud"
)

// minMasked is the length in bytes from which a secret is hidden in logs: a shorter one would hide ordinary words.
const minMasked = 8

// masked stands where a secret was.
const masked = "***"

// loadEnv reads an app's variables and secrets.
func (d *definitions) loadEnv(ctx context.Context, q *db.Queries, a *appDefs) error {
	rows, err := q.AllVariables(ctx, int64(a.id))
	if err != nil || len(rows) == 0 {
		a.env = &cloud.Env{}
		return err
	}
	a.env = &cloud.Env{Values: make(map[string]string, len(rows))}
	hash := sha256.New()
	var hidden []string
	for _, r := range rows {
		value, err := d.o.cfg.Opener.Open(cloud.VariableRef{App: a.id, Name: r.Name, Secret: r.Secret}, r.KeyID, r.Sealed)
		if err != nil {
			return fmt.Errorf("open variable %s: %w", r.Name, err)
		}
		a.env.Values[r.Name] = value
		fmt.Fprintf(hash, "%d %s %d %s ", len(r.Name), r.Name, len(value), value)
		if r.Secret && len(value) >= minMasked {
			hidden = append(hidden, value)
		}
	}
	copy(a.env.ID[:], hash.Sum(nil))
	a.mask = maskFor(hidden)
	return nil
}

// maskFor hides some values; the longest first, so that one which begins like another is hidden whole.
func maskFor(values []string) *strings.Replacer {
	if len(values) == 0 {
		return nil
	}
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(values))
	for _, v := range values {
		pairs = append(pairs, v, masked)
	}
	return strings.NewReplacer(pairs...)
}

// EnvOf is what an app's scripts find in env now.
func (o *Orchestrator) EnvOf(app cloud.AppID) *cloud.Env {
	if a := o.definitions.app(app); a != nil {
		return a.env
	}
	return nil
}

// hide replaces the app's secrets in what an outcome says of itself. The response is the script's own business.
func (a *appDefs) hide(o *cloud.Outcome) {
	if a.mask == nil {
		return
	}
	o.Error.Message, o.Error.Stack = a.mask.Replace(o.Error.Message), a.mask.Replace(o.Error.Stack)
	for k := range o.Logs {
		o.Logs[k].Message = a.mask.Replace(o.Logs[k].Message)
	}
}
