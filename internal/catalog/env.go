package catalog

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"picloud/db"
	"picloud/internal/cloud"
)

// envValue is a variable or a secret, opened.
type envValue struct {
	name, value string
	scripts     []string // that receive it; nil: every script
}

// loadEnv reads an app's variables and secrets. What a script may not have is masked in its log all the same:
// its process has it, for the others.
func (c *Catalog) loadEnv(ctx context.Context, q *db.Queries, app *App) error {
	rows, err := q.AllVariables(ctx, int64(app.ID))
	if err != nil || len(rows) == 0 {
		app.Env = &cloud.Env{}
		return err
	}

	values := make([]envValue, len(rows))

	var secrets []string
	for k, r := range rows {
		ref := cloud.VariableRef{App: app.ID, Name: r.Name, Secret: r.Secret}
		value, err := c.cfg.Decrypter.Open(ref, r.KeyID, r.Sealed)
		if err != nil {
			return fmt.Errorf("open variable %s: %w", r.Name, err)
		}
		values[k] = envValue{r.Name, value, r.Scripts}
		if r.Secret {
			secrets = append(secrets, value)
		}
	}

	app.setEnvs(values, cloud.NewMask(secrets))
	return nil
}

// setEnvs makes what the app's scripts find in env: one for every script, and one for each script that is
// named by a secret.
func (a *App) setEnvs(values []envValue, mask *cloud.Mask) {
	a.Env = newEnv(values, "", mask)
	a.named = map[string]*cloud.Env{}

	for _, v := range values {
		for _, script := range v.scripts {
			if a.named[script] == nil {
				a.named[script] = newEnv(values, script, mask)
			}
		}
	}
}

// newEnv is what a script finds in env. Runtimes are pooled by it: equal content has an equal id.
func newEnv(values []envValue, script string, mask *cloud.Mask) *cloud.Env {
	env := &cloud.Env{Values: map[string]string{}, Mask: mask}
	hash := sha256.New()

	for _, v := range values {
		if v.scripts != nil && !slices.Contains(v.scripts, script) {
			continue
		}
		env.Values[v.name] = v.value
		fmt.Fprintf(hash, "%d %s %d %s ", len(v.name), v.name, len(v.value), v.value)
	}

	if len(env.Values) > 0 {
		copy(env.ID[:], hash.Sum(nil))
	}
	return env
}

// EnvFor is what the script of a name finds in env, whether there is such a script or not.
func (a *App) EnvFor(script string) *cloud.Env {
	if env := a.named[script]; env != nil {
		return env
	}
	return a.Env
}

// MaskText replaces the app's secrets in a text.
func (a *App) MaskText(text string) string { return a.Env.Mask.Text(text) }

// MaskOutcome replaces the app's secrets in what an outcome says of itself. The response is the script's own
// business.
func (a *App) MaskOutcome(o *cloud.Outcome) {
	o.Error.Name = a.MaskText(o.Error.Name)
	o.Error.Message = a.MaskText(o.Error.Message)

	o.Error.Stack = a.MaskText(o.Error.Stack)
	for k := range o.Logs {
		o.Logs[k].Message = a.MaskText(o.Logs[k].Message)
	}
}
