package catalog

import (
	"context"
	"crypto/sha256"
	"fmt"

	"picloud/db"
	"picloud/internal/cloud"
)

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
		if r.Secret {
			secrets = append(secrets, value)
		}
	}

	// Runtimes are pooled by what their scripts find in env: equal content has an equal id.
	copy(app.Env.ID[:], hash.Sum(nil))
	app.Env.Mask = cloud.NewMask(secrets)

	return nil
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
