package handlers

import (
	"bytes"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/common/expfmt"

	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
)

// metrics serves the Prometheus text format to callers with instance:admin.
func (s *Server) metrics(c *fiber.Ctx) error {
	if s.cfg.MetricsElsewhere || !s.edge.ServesAdmin(c) {
		return cloud.Errorf(cloud.CodeNotFound, "nothing answers at this address")
	}

	token, ok := auth.BearerToken(c.Get("Authorization"))
	if !ok {
		return cloud.Errorf(cloud.CodeUnauthorized, "metrics need a key with the scope instance:admin")
	}

	p, err := s.cfg.Auth.Authenticate(c.UserContext(), token)
	if err != nil {
		return err
	}

	if err := edge.InstanceAdmin(p, "instance:admin"); err != nil {
		return err
	}

	body, err := s.Metrics()
	if err != nil {
		return err
	}
	c.Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	return c.Send(body)
}

// Metrics renders all metrics, for /metrics here and on a listener of its own.
func (s *Server) Metrics() ([]byte, error) {
	families, err := s.cfg.Metrics.Gather()
	if err != nil {
		return nil, err
	}

	var b bytes.Buffer

	enc := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}
