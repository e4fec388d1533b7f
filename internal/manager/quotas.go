package manager

import (
	"context"
	"errors"

	"picloud/db"
	"picloud/internal/cloud"
)

// maxQuota is the largest number that JSON carries exactly to everybody.
const maxQuota = 1<<53 - 1

// QuotaChange sets what an app may use; null takes a quota away.
type QuotaChange struct {
	KVBytes           Nullable[int64] `json:"kv_bytes,omitzero"`
	LogBytes          Nullable[int64] `json:"log_bytes,omitzero"`
	Executions        Nullable[int64] `json:"executions,omitzero"`
	Scripts           Nullable[int64] `json:"scripts,omitzero"`
	RequestsPerSecond Nullable[int64] `json:"requests_per_second,omitzero"`
}

// check says whether the actor may make the change, and whether it can be made. A nil change passes.
func (c *QuotaChange) check(actor Actor) error {
	if c == nil {
		return nil
	}
	if !actor.Admin {
		return cloud.Errorf(cloud.CodeForbidden, "only an instance admin sets quotas of an app")
	}

	return firstError(errors.Join(
		checkQuota(cloud.QuotaKVBytes, c.KVBytes, 0, maxQuota),
		checkQuota(cloud.QuotaLogBytes, c.LogBytes, 0, maxQuota),
		checkQuota(cloud.QuotaExecutions, c.Executions, 0, maxQuota),
		checkQuota(cloud.QuotaScripts, c.Scripts, 0, maxQuota),
		checkQuota(cloud.QuotaRequestsPerSecond, c.RequestsPerSecond, 1, cloud.MaxRateRequests),
	))
}

func checkQuota(name string, n Nullable[int64], least, most int64) error {
	if n.Value != nil && (*n.Value < least || *n.Value > most) {
		return invalid("quotas.%s must be from %d to %d, or null for none", name, least, most)
	}
	return nil
}

// setQuotas changes an app's quotas. Nobody counts the app's KV meanwhile: no commit, since the app is
// locked, and no sweep. A quota of KV bytes has them counted, also one that is only set again.
func setQuotas(ctx context.Context, q *db.Queries, app *App, c *QuotaChange) error {
	if err := q.LockApp(ctx, int32(app.ID)); err != nil {
		return err
	}
	if err := q.LockCountedKV(ctx); err != nil {
		return err
	}

	old, err := q.QuotasOfApp(ctx, app.ID)
	if err != nil && !db.IsNotFound(err) {
		return err
	}

	next := db.SetQuotasParams{
		AppID:             app.ID,
		KvBytes:           c.KVBytes.or(old.KvBytes),
		LogBytes:          c.LogBytes.or(old.LogBytes),
		Executions:        c.Executions.or(old.Executions),
		Scripts:           c.Scripts.or(old.Scripts),
		RequestsPerSecond: c.RequestsPerSecond.or(old.RequestsPerSecond),
		KvUsed:            old.KvUsed,
	}
	if next == (db.SetQuotasParams{AppID: app.ID, KvUsed: old.KvUsed}) {
		return q.DeleteQuotas(ctx, app.ID)
	}

	if c.KVBytes.Value != nil {
		if next.KvUsed, err = q.CountKV(ctx, app.ID); err != nil {
			return err
		}
	}
	return q.SetQuotas(ctx, next)
}

// mayAddScript refuses a new script of an app that has as many as its quota. The app's scripts are locked.
func (d *deploy) mayAddScript(ctx context.Context) error {
	quotas, err := d.q.QuotasOfApp(ctx, d.app.ID)
	if db.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}

	scripts, err := d.q.CountScripts(ctx, d.app.ID)
	if err != nil || quotas.Scripts == nil || scripts < *quotas.Scripts {
		return err
	}
	return cloud.Errorf(cloud.CodeConflict,
		"the app's quota of scripts is %d, and it has %d: delete one, or ask an instance admin for more",
		*quotas.Scripts, scripts).With("quota", cloud.QuotaScripts)
}
