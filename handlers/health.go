package handlers

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"picloud/internal/cloud"
)

// healthz says that the process answers.
func (s *Server) healthz(c *fiber.Ctx) error { return c.JSON(fiber.Map{"status": "ok"}) }

// readyz says whether the node can serve: the database takes commits and the sandbox works. Why not is said
// in words that are safe for everybody.
func (s *Server) readyz(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), readyTimeout)
	defer cancel()

	err := s.cfg.Ready(ctx)
	switch {
	case err == nil:
		return c.JSON(fiber.Map{"status": "ready"})
	case cloud.CodeOf(err) == cloud.CodeUnavailable:
		return err
	default:
		s.cfg.Log.Warn("not ready", "error", err)
		return cloud.Errorf(cloud.CodeUnavailable, "not ready")
	}
}

func (s *Server) version(c *fiber.Ctx) error { return c.JSON(fiber.Map{"version": s.cfg.Version}) }
