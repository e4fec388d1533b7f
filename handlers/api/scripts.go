package api

import (
	"context"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
)

// limitsItem is what a script may use of time and memory; nil is the installation's limit.
type limitsItem struct {
	TimeoutMS *int32 `json:"timeout_ms,omitempty"`
	MemoryMiB *int32 `json:"memory_mib,omitempty"`
}

// scriptItem is a script with its current version; the source is shown where one script is.
type scriptItem struct {
	Name     string     `json:"name"`
	Kind     string     `json:"kind" enum:"endpoint,module"`
	Access   string     `json:"access" enum:"public,key,private"`
	Language string     `json:"language" enum:"javascript,typescript"`
	Version  int        `json:"version"`
	Limits   limitsItem `json:"limits"`
	// RateLimit is null for a script that has none.
	RateLimit *rateLimitItem `json:"rate_limit"`
	Handlers  []string       `json:"handlers"`
	Imports   []string       `json:"imports"`
	Endpoint  string         `json:"endpoint,omitempty"`
	Warning   string         `json:"warning,omitempty"`
	Source    *string        `json:"source,omitempty"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
}

type scriptOutput struct {
	ETag string `header:"ETag"`
	Body scriptItem
}

// ScriptPath is the input of an operation on one script.
type ScriptPath struct {
	AppPath
	Name string `path:"name"`
}

// scriptBody is the JSON form of a PUT.
type scriptBody struct {
	Source   string      `json:"source"`
	Language *string     `json:"language,omitempty" enum:"javascript,typescript"`
	Kind     *string     `json:"kind,omitempty" enum:"endpoint,module"`
	Access   *string     `json:"access,omitempty" enum:"public,key,private"`
	Limits   *limitsItem `json:"limits,omitempty"`

	RateLimit nullable[rateLimitItem] `json:"rate_limit,omitempty" doc:"of all requests to the script; null takes it away"`
}

type putScript struct {
	ScriptPath
	ContentType string `header:"Content-Type"`
	IfMatch     string `header:"If-Match" doc:"the version that must be current, in quotes"`
	RawBody     []byte
}

// deployedOutput says what a deployment made.
type deployedOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   struct {
		Name     string `json:"name"`
		Version  int    `json:"version"`
		Endpoint string `json:"endpoint,omitempty"`
		Warning  string `json:"warning,omitempty"`
	}
}

type versionItem struct {
	Version   int       `json:"version"`
	Language  string    `json:"language"`
	Imports   []string  `json:"imports"`
	Handlers  []string  `json:"handlers"`
	Size      int       `json:"size" doc:"bytes of source"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	Source    *string   `json:"source,omitempty"`
}

type versionOutput struct{ Body versionItem }

type listVersions struct {
	ScriptPath
	PageQuery
}

type showVersion struct {
	ScriptPath
	Version int `path:"version"`
}

type rollback struct {
	ScriptPath
	Body struct {
		Version int `json:"version" minimum:"1"`
	}
}

type deleteScript struct {
	ScriptPath
	Force bool `query:"force"`
}

func (s *Server) scriptsAPI() {
	const path = "/apps/{app}/scripts"
	appOp(s, operation("list-scripts", http.MethodGet, path, "Scripts by name", "scripts"),
		auth.ReadScripts, s.listScripts)
	appOp(s,
		operation("show-script", http.MethodGet, path+"/{name}",
			"A script with its current source", "scripts"),
		auth.ReadScripts, s.showScript)
	put := rawBody[scriptBody](s, operation("put-script", http.MethodPut, path+"/{name}",
		"Deploy a script", "scripts"),
		"text/javascript", "application/typescript")
	appOp(s, put, auth.WriteScripts, s.putScript)
	appOp(s,
		operation("delete-script", http.MethodDelete, path+"/{name}",
			"Delete a script with its routes and triggers", "scripts"),
		auth.DeleteScripts, s.deleteScript)
	appOp(s,
		operation("list-versions", http.MethodGet, path+"/{name}/versions",
			"Versions, newest first", "scripts"),
		auth.ReadScripts, s.listVersions)
	appOp(s,
		operation("show-version", http.MethodGet, path+"/{name}/versions/{version}",
			"A version with its source", "scripts"),
		auth.ReadScripts, s.showVersion)
	appOp(s,
		status(operation("rollback-script", http.MethodPost, path+"/{name}/rollback",
			"Make an older version current", "scripts"), http.StatusOK),
		auth.WriteScripts, s.rollbackScript)

	invoke := rawBody[invokeBody](s, status(operation("invoke-script", http.MethodPost,
		path+"/{name}/invoke", "Run a script once", "scripts"), http.StatusOK))
	appOp(s, invoke, auth.TestScripts, s.invoke)
}

func (s *Server) deleteScript(ctx context.Context, c *edge.AppCaller, in *deleteScript) (*none, error) {
	return nil, s.Manager.DeleteScript(ctx, edge.Actor(c.Principal), c.App, in.Name, in.Force)
}

func (s *Server) showVersion(
	ctx context.Context, c *edge.AppCaller, in *showVersion,
) (*versionOutput, error) {
	script, err := s.Manager.Script(ctx, c.App, in.Name)
	if err != nil {
		return nil, err
	}

	v, err := s.Manager.Version(ctx, c.App, script, in.Version)
	if err != nil {
		return nil, err
	}

	return &versionOutput{Body: versionItem{
		Version:   int(v.Version),
		Language:  v.Language,
		Imports:   v.Imports,
		Handlers:  v.Handlers,
		Size:      len(v.Source),
		CreatedBy: v.CreatedBy,
		CreatedAt: utc(v.CreatedAt),
		Source:    &v.Source,
	}}, nil
}

// rollbackScript makes an older version current, built anew with the modules as they are now.
func (s *Server) rollbackScript(
	ctx context.Context, c *edge.AppCaller, in *rollback,
) (*deployedOutput, error) {
	d, err := s.Manager.Rollback(ctx, c.Actor(), c.App, in.Name, in.Body.Version)
	if err != nil {
		return nil, err
	}
	return deployed(c, d, ""), nil
}

// endpointOf is where a script answers; a module answers nowhere.
func endpointOf(c *edge.AppCaller, name, kind string) string {
	if kind == cloud.KindModule {
		return ""
	}
	return "/f/" + c.App.Slug + "/" + name
}

// etag is a version as If-Match has it.
func etag(version int32) string { return `"` + strconv.Itoa(int(version)) + `"` }

func (s *Server) showScript(ctx context.Context, c *edge.AppCaller, in *ScriptPath) (*scriptOutput, error) {
	r, err := s.Manager.Script(ctx, c.App, in.Name)
	if err != nil {
		return nil, err
	}

	return &scriptOutput{ETag: etag(r.Version), Body: scriptItem{
		Name:      r.Name,
		Kind:      r.Kind,
		Access:    r.Access,
		Language:  r.Language,
		Version:   int(r.Version),
		Limits:    limitsItem{r.TimeoutMs, r.MemoryMib},
		RateLimit: showRateLimit(cloud.ParseRateLimit(r.RateLimit)),
		Handlers:  r.Handlers,
		Imports:   r.Imports,
		Endpoint:  endpointOf(c, r.Name, r.Kind),
		Warning:   cloud.HandlersWarning(r.Kind, r.Handlers, r.HandlersError),
		Source:    &r.Source,
		CreatedAt: utc(r.CreatedAt),
		UpdatedAt: utc(r.UpdatedAt),
	}}, nil
}

// listScripts lists scripts by name, without their sources.
func (s *Server) listScripts(
	ctx context.Context, c *edge.AppCaller, in *listInput,
) (*page[scriptItem], error) {
	list := edge.ListName(c, "scripts")
	after, err := s.OpenCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}

	rows, err := s.Manager.Scripts(ctx, c.App, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows, next := edge.CutBySize(s.Edge, list, rows, in.Limit,
		func(r *db.ListScriptsRow) int { return listBytes(r.Imports) + len(r.HandlersError) },
		func(r *db.ListScriptsRow) string { return r.Name })

	return pageOf(rows, next, func(r *db.ListScriptsRow) scriptItem {
		return scriptItem{
			Name:      r.Name,
			Kind:      r.Kind,
			Access:    r.Access,
			Language:  r.Language,
			Version:   int(r.Version),
			Limits:    limitsItem{r.TimeoutMs, r.MemoryMib},
			RateLimit: showRateLimit(cloud.ParseRateLimit(r.RateLimit)),
			Handlers:  r.Handlers,
			Imports:   r.Imports,
			Endpoint:  endpointOf(c, r.Name, r.Kind),
			Warning:   cloud.HandlersWarning(r.Kind, r.Handlers, r.HandlersError),
			CreatedAt: utc(r.CreatedAt),
			UpdatedAt: utc(r.UpdatedAt),
		}
	}), nil
}

// putScript takes the JSON form, or the source alone as text/javascript or application/typescript.
func (s *Server) putScript(ctx context.Context, c *edge.AppCaller, in *putScript) (*deployedOutput, error) {
	if err := s.Manager.MayDeploy(ctx, c.Actor(), c.App, in.Name); err != nil {
		return nil, err
	}

	change, err := scriptChange(in)
	if err != nil {
		return nil, err
	}

	if m := strings.TrimSpace(in.IfMatch); m != "" && m != "*" {
		v, err := strconv.Atoi(strings.Trim(m, `"`))
		if err != nil || v < 1 {
			return nil, cloud.Errorf(cloud.CodePrecondition,
				"If-Match must be a version in quotes, such as \"3\"")
		}
		change.IfMatch = v
	}

	d, err := s.Manager.PutScript(ctx, c.Actor(), c.App, in.Name, *change)
	if err != nil {
		return nil, err
	}

	// A script that kept its kind may be a module, which has no endpoint.
	kind := cloud.KindEndpoint
	if change.Kind != nil {
		kind = *change.Kind
	} else if script, err := s.Manager.Script(ctx, c.App, in.Name); err == nil {
		kind = script.Kind
	}
	return deployed(c, d, kind), nil
}

// deployed shows a deployment: 201 for a new script, else 200.
func deployed(c *edge.AppCaller, d *manager.Deployed, kind string) *deployedOutput {
	out := &deployedOutput{Status: http.StatusOK, ETag: etag(int32(d.Version))}
	if d.Created {
		out.Status = http.StatusCreated
	}
	out.Body.Name = d.Name
	out.Body.Version = d.Version
	out.Body.Warning = d.Warning
	out.Body.Endpoint = endpointOf(c, d.Name, kind)
	return out
}

// scriptChange reads what is deployed: JSON, or the source alone, whose media type is its language.
func scriptChange(in *putScript) (*manager.ScriptChange, error) {
	media, _, err := mime.ParseMediaType(in.ContentType)
	if err != nil && in.ContentType != "" {
		media = ""
	}

	javascript, typescript := "javascript", "typescript"
	switch media {
	case "text/javascript", "application/javascript":
		return &manager.ScriptChange{Source: string(in.RawBody), Language: &javascript}, nil
	case "application/typescript", "text/typescript":
		return &manager.ScriptChange{Source: string(in.RawBody), Language: &typescript}, nil
	case "application/json", "":
	default:
		return nil, cloud.Errorf(cloud.CodeInvalid,
			"send the source as text/javascript or application/typescript, or JSON with the field source")
	}

	var b scriptBody
	if err := decodeBody(in.RawBody, &b); err != nil {
		return nil, err
	}
	if b.Source == "" {
		return nil, cloud.Errorf(cloud.CodeInvalid, "the field source is missing or empty")
	}

	change := &manager.ScriptChange{
		Source:    b.Source,
		Language:  b.Language,
		Kind:      b.Kind,
		Access:    b.Access,
		RateLimit: rateLimitChange(b.RateLimit),
	}
	if b.Limits != nil {
		change.TimeoutMS = b.Limits.TimeoutMS
		change.MemoryMiB = b.Limits.MemoryMiB
	}
	return change, nil
}

// listVersions lists versions, newest first, without their sources.
func (s *Server) listVersions(
	ctx context.Context, c *edge.AppCaller, in *listVersions,
) (*page[versionItem], error) {
	script, err := s.Manager.Script(ctx, c.App, in.Name)
	if err != nil {
		return nil, err
	}

	list := edge.ListName(c, "versions", in.Name)
	before, err := s.OpenNumberCursor(list, in.Cursor, math.MaxInt32)
	if err != nil {
		return nil, err
	}

	rows, err := s.Manager.Versions(ctx, c.App, script, before, in.Limit+1)
	if err != nil {
		return nil, err
	}

	rows, next := edge.CutBySize(s.Edge, list, rows, in.Limit,
		func(r *db.ListVersionsRow) int { return listBytes(r.Imports) },
		func(r *db.ListVersionsRow) string { return strconv.Itoa(int(r.Version)) })
	return pageOf(rows, next, func(r *db.ListVersionsRow) versionItem {
		return versionItem{
			Version:   int(r.Version),
			Language:  r.Language,
			Imports:   r.Imports,
			Handlers:  r.Handlers,
			Size:      int(r.Size),
			CreatedBy: r.CreatedBy,
			CreatedAt: utc(r.CreatedAt),
		}
	}), nil
}
