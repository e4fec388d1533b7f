// Package admin is the dashboard: server-rendered pages, a file for each noun. A page asks the manager, the
// orchestrator or the KV store and fills a view; a form does something and leads to a page, or is shown again
// with what was typed and what is wrong with it. Everything works without JavaScript; with it, pieces of
// pages are exchanged (htmx). It knows no JSON of the API.
package admin

import (
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"picloud/handlers/edge"
	"picloud/handlers/tail"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/orchestrator"
	"picloud/internal/services/kv"
	"picloud/views"
)

// Config is what the dashboard needs.
type Config struct {
	*edge.Edge
	Tail         tail.Stream
	Manager      *manager.Manager
	Orchestrator *orchestrator.Orchestrator
	KV           *kv.Store
	Version      string
	// Node is this node's name, PublicURL where it is reached from outside, if that is known.
	Node      string
	PublicURL string
	// AdminHost, if set, is the dashboard's only host: scripts are reached by another.
	AdminHost string
	// ScriptTimeout and ScriptMemory (MiB) are the limits of scripts that have none of their own, as the
	// editor shows them.
	ScriptTimeout time.Duration
	ScriptMemory  int
	// Sandbox gives the counters of the sandbox processes.
	Sandbox func() SandboxStats
	// Assets are the addresses of style sheet and scripts.
	Assets views.Assets
}

// SandboxStats counts sandbox processes: alive, started, died with work in hand.
type SandboxStats struct {
	Children      int
	Started, Died int64
}

// Server answers the pages.
type Server struct {
	Config
	started time.Time // of the process, as the page of the system shows it
	checks  *lastChecks
}

// New returns the dashboard; Register makes it answer.
func New(cfg Config) *Server {
	return &Server{Config: cfg, started: time.Now(), checks: newLastChecks()}
}

// Register adds every page below /admin.
func (s *Server) Register(app *fiber.App) {
	pages := app.Group("/admin", s.AdminHostOnly, pageHeaders)
	pages.Get("/login", s.showLogin)
	pages.Post("/login", s.submitLogin)
	pages.Get("/", func(c *fiber.Ctx) error { return c.Redirect("/admin", http.StatusSeeOther) })
	s.instancePages(pages)
	s.appPages(pages)
	pages.Use(func(*fiber.Ctx) error { return cloud.Errorf(cloud.CodeNotFound, "no such page") })
}

// instancePages are those outside of apps.
func (s *Server) instancePages(a fiber.Router) {
	get := func(path string, h func(*visit) error) { a.Get(path, s.page(h)) }
	post := func(path string, h func(*visit) error) { a.Post(path, s.page(h)) }
	admin := func(scope string, h func(*visit) error) func(*visit) error {
		return func(v *visit) error {
			if err := edge.InstanceAdmin(v.p, scope); err != nil {
				return err
			}
			return h(v)
		}
	}

	post("/logout", s.logout)
	get("", s.showApps)
	post("/apps", admin("apps:admin", s.createApp))
	get("/welcome", s.showWelcome)
	get("/executions", s.findExecution)
	get("/profile", s.showProfile)
	post("/profile/password", s.changePassword)
	post("/profile/keys", s.createOwnKey)
	post("/profile/keys/:id/revoke", s.revokeOwnKey)

	post("/profile/sessions/end", s.endOwnSessions)
	post("/profile/sessions/:id/end", s.endOwnSession)
	get("/users", admin("users:admin", s.showUsers))
	post("/users", admin("users:admin", s.createUserPage))
	get("/users/:username", admin("users:admin", s.showUserPage))
	post("/users/:username", admin("users:admin", s.updateUserPage))
	post("/users/:username/password", admin("users:admin", s.setUserPassword))
	post("/users/:username/delete", admin("users:admin", s.deleteUserPage))
	get("/audit", admin("audit:read", s.showAudit))
	get("/system", admin("instance:admin", s.showSystem))
}

// appPages are those of an app; each names the capability it needs.
func (s *Server) appPages(a fiber.Router) {
	in := func(method, path string, need auth.Capability, h func(*visit) error) {
		a.Add(method, "/apps/:app"+path, s.page(func(v *visit) error {
			var err error
			if v.app, err = s.InApp(v.UserContext(), v.p, v.Params("app"), need); err != nil {
				return err
			}
			return h(v)
		}))
	}
	in("GET", "", auth.ReadExecutions, s.showOverview)

	in("GET", "/settings", auth.ReadApp, s.showSettings)
	in("POST", "/settings", auth.AdminApp, s.updateAppPage)
	in("POST", "/delete", auth.AdminApp, s.deleteAppPage)
	in("GET", "/scripts", auth.ReadScripts, s.showScripts)
	in("GET", "/scripts/new", auth.WriteScripts, s.newScript)
	in("GET", "/scripts/:name", auth.ReadScripts, s.showEditor)
	in("POST", "/scripts/:name", auth.WriteScripts, s.deployScript)
	in("POST", "/scripts/:name/run", auth.TestScripts, s.testScript)
	in("GET", "/scripts/:name/versions", auth.ReadScripts, s.showVersions)

	in("POST", "/scripts/:name/rollback", auth.WriteScripts, s.rollbackScript)
	in("POST", "/scripts/:name/delete", auth.DeleteScripts, s.deleteScriptPage)
	in("GET", "/routes", auth.ReadRoutes, s.showRoutes)
	in("POST", "/routes", auth.WriteRoutes, s.createRoutePage)
	in("GET", "/routes/match", auth.ReadRoutes, s.matchFragment)
	in("GET", "/routes/:id", auth.ReadRoutes, s.showRoutePage)
	in("POST", "/routes/:id", auth.WriteRoutes, s.updateRoutePage)
	in("POST", "/routes/:id/delete", auth.WriteRoutes, s.deleteRoutePage)
	in("GET", "/triggers", auth.ReadTriggers, s.showTriggers)

	in("GET", "/triggers/new", auth.WriteTriggers, s.newTrigger)
	in("POST", "/triggers", auth.WriteTriggers, s.createTriggerPage)
	in("GET", "/triggers/:id", auth.ReadTriggers, s.showTriggerPage)
	in("POST", "/triggers/:id", auth.WriteTriggers, s.updateTriggerPage)
	in("POST", "/triggers/:id/enable", auth.WriteTriggers, s.enableTrigger)
	in("POST", "/triggers/:id/take-over", auth.WriteTriggers, s.takeOverTrigger)
	in("POST", "/triggers/:id/fire", auth.FireTriggers, s.fireTriggerPage)
	in("POST", "/triggers/:id/delete", auth.WriteTriggers, s.deleteTriggerPage)
	in("GET", "/executions", auth.ReadExecutions, s.showExecutions)
	in("GET", "/executions/:id", auth.ReadExecutions, s.showExecutionPage)

	in("GET", "/tail", auth.ReadExecutions, s.showTail)
	in("GET", "/tail/events", auth.ReadExecutions,
		func(v *visit) error { return s.Tail.Follow(v.Ctx, v.token) })
	in("GET", "/queue", auth.ReadExecutions, s.showQueue)
	in("POST", "/queue/:id/run-now", auth.OperateQueue, s.runRowNow)
	in("POST", "/queue/:id/remove", auth.OperateQueue, s.removeRowPage)
	in("GET", "/dead-letters", auth.ReadDeadLetters, s.showDeadLetters)
	in("POST", "/dead-letters/replay", auth.WriteDeadLetter, s.replaySelected)
	in("POST", "/dead-letters/replay-all", auth.WriteDeadLetter, s.replayAll)
	in("POST", "/dead-letters/resolve", auth.WriteDeadLetter, s.resolveSelected)
	in("POST", "/dead-letters/resolve-all", auth.WriteDeadLetter, s.resolveAll)

	in("GET", "/dead-letters/:id", auth.ReadDeadLetters, s.showDeadLetterPage)
	in("POST", "/dead-letters/:id/replay", auth.WriteDeadLetter, s.replayOne)
	in("POST", "/dead-letters/:id/resolve", auth.WriteDeadLetter, s.resolveOne)
	in("GET", "/abandoned", auth.ReadExecutions, s.showAbandoned)
	in("GET", "/kv", auth.ReadKV, s.showCollections)
	in("GET", "/kv/new", auth.WriteKV, s.newEntry)
	in("GET", "/kv/:collection", auth.ReadKV, s.showEntries)
	in("GET", "/kv/:collection/entry", auth.ReadKV, s.showEntryPage)
	in("POST", "/kv/:collection/entry", auth.WriteKV, s.saveEntry)

	in("POST", "/kv/:collection/delete", auth.WriteKV, s.deleteEntry)
	in("GET", "/variables", auth.ReadVariables, s.showVariables)
	in("POST", "/variables", auth.WriteVariables, s.setVariablePage)
	in("POST", "/variables/delete", auth.WriteVariables, s.deleteVariablePage)
	in("GET", "/members", auth.ReadMembers, s.showMembers)
	in("POST", "/members", auth.AdminApp, s.addMemberPage)
	in("POST", "/members/set", auth.AdminApp, s.setMemberPage)
	in("POST", "/members/remove", auth.AdminApp, s.removeMemberPage)
	in("GET", "/audit", auth.ReadAudit, s.showAppAudit)
}
