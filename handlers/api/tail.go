package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"picloud/handlers/tail"
	"picloud/internal/auth"
)

// tailItem gives the schema its name in the description.
type tailItem tail.Item

// tailAPI registers the stream, which huma cannot serve, and describes it.
func (s *Server) tailAPI() {
	s.app.Get("/api/v1/apps/:app/tail", func(c *fiber.Ctx) error {
		token, _ := auth.BearerToken(c.Get("Authorization"))
		return s.Tail.Follow(c, token)
	})

	o := operation("tail", http.MethodGet, "/apps/{app}/tail", "Follow runs and log lines as they happen",
		"executions")
	o.Description = "Server-sent events of all nodes: `log` with a line as it comes, `run` with a run that " +
		"ended, `dropped` with the number of events that a slow reader missed. With `status`, runs that " +
		"ended so, with their lines. A comment every 15 seconds keeps the connection."

	text := &huma.Schema{Type: "string"}
	o.Parameters = []*huma.Param{
		{Name: "app", In: "path", Required: true, Schema: text},
		{Name: "script", In: "query", Schema: text},
		{Name: "status", In: "query", Schema: text},
	}
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[tailItem](), true, "TailItem")
	o.Responses = map[string]*huma.Response{
		"200": {
			Description: "OK",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: schema}},
		},
	}
	s.api.OpenAPI().AddOperation(&o)
}
