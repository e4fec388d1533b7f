package admin

import (
	"strconv"
	"strings"

	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/views"
)

// quotas are what the app may use, and what it uses; after a refusal what was typed.
func (v *visit) quotas() ([]views.Quota, error) {
	may, uses, err := v.s.Orchestrator.History.Quotas(v.UserContext(), v.app.ID())
	if err != nil {
		return nil, err
	}

	list := []views.Quota{
		quotaOf(cloud.QuotaKVBytes, "KV", "bytes", may.KVBytes, uses.KVBytes),
		quotaOf(cloud.QuotaLogBytes, "Logs", "bytes", may.LogBytes, uses.LogBytes),
		quotaOf(cloud.QuotaExecutions, "Executions", "", may.Executions, uses.Executions),
		quotaOf(cloud.QuotaScripts, "Scripts", "", may.Scripts, uses.Scripts),
		quotaOf(cloud.QuotaRequestsPerSecond, "Requests a second", "", may.RequestsPerSecond, nil),
	}
	for k := range list {
		if field := quotaField(list[k].Name); v.form != nil && v.form.Has(field) {
			list[k].Limit = v.form.Get(field)
		}
	}
	return list, nil
}

func quotaField(name string) string { return "quota_" + name }

func quotaOf(name, label, unit string, limit, used *int64) views.Quota {
	q := views.Quota{Name: name, Label: label, Unit: unit, Used: -1}
	if limit != nil {
		q.Limit = strconv.FormatInt(*limit, 10)
	}
	if used != nil {
		q.Used = *used
	}
	return q
}

// quotaChange reads the quotas of the form that differ from what the app has, nil for none: setting the quota
// of KV again would count all entries again.
func (v *visit) quotaChange() (*manager.QuotaChange, error) {
	may, _, err := v.s.Orchestrator.History.Quotas(v.UserContext(), v.app.ID())
	if err != nil {
		return nil, err
	}

	var c manager.QuotaChange
	for _, f := range []struct {
		name string
		has  *int64
		to   *manager.Nullable[int64]
	}{
		{cloud.QuotaKVBytes, may.KVBytes, &c.KVBytes},
		{cloud.QuotaLogBytes, may.LogBytes, &c.LogBytes},
		{cloud.QuotaExecutions, may.Executions, &c.Executions},
		{cloud.QuotaScripts, may.Scripts, &c.Scripts},
		{cloud.QuotaRequestsPerSecond, may.RequestsPerSecond, &c.RequestsPerSecond},
	} {
		if *f.to, err = v.typedQuota(f.name, f.has); err != nil {
			return nil, err
		}
	}

	if c == (manager.QuotaChange{}) {
		return nil, nil
	}
	return &c, nil
}

// typedQuota reads one quota of the form. An empty field is no limit.
func (v *visit) typedQuota(name string, has *int64) (manager.Nullable[int64], error) {
	var same manager.Nullable[int64]
	if !v.form.Has(quotaField(name)) {
		return same, nil
	}

	text := strings.TrimSpace(v.form.Get(quotaField(name)))
	if text == "" && has == nil {
		return same, nil
	}
	if text == "" {
		return manager.ValueOf[int64](nil), nil
	}

	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return same, cloud.Errorf(cloud.CodeInvalid, "the quota %s must be a whole number, or empty", name)
	}
	if has != nil && *has == n {
		return same, nil
	}
	return manager.ValueOf(&n), nil
}
