package handlers

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"picloud/internal/cloud"
)

// healthz says that the process answers.
func (s *Server) healthz(c *fiber.Ctx) error { return c.JSON(fiber.Map{"status": "ok"}) }

// readyz says whether the node can serve: database and sandbox work.
func (s *Server) readyz(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), readyTimeout)
	defer cancel()
	if err := s.cfg.Ready(ctx); err != nil {
		s.cfg.Log.Warn("not ready", "error", err)
		return cloud.Errorf(cloud.CodeUnavailable, "not ready")
	}
	return c.JSON(fiber.Map{"status": "ready"})
}

func (s *Server) version(c *fiber.Ctx) error { return c.JSON(fiber.Map{"version": s.cfg.Version}) }
