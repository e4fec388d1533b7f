package ingress

import (
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"picloud/handlers/edge"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
)

// send writes a run's answer.
func (s *Server) send(c *fiber.Ctx, reply *orchestrator.HTTPReply) error {
	if !reply.Execution.IsZero() {
		c.Set("X-Execution-Id", reply.Execution.String())
	}
	if reply.RetryAfter > 0 {
		c.Set("Retry-After", strconv.Itoa(reply.RetryAfter))
	}
	if reply.Failure != nil {
		return edge.SendProblem(c, failureOf(reply))
	}

	if reply.Replayed {
		c.Set("Idempotent-Replayed", "true")
	}

	status := reply.Response.Status
	if status < 200 || status > 599 {
		return edge.SendProblem(c, &edge.Problem{
			Status: http.StatusBadGateway,
			Code:   "failed",
			Detail: "the script answered with an invalid status",
		})
	}

	res := c.Response()
	res.SetStatusCode(status)
	s.copyHeaders(res, reply.Response.Headers)

	switch {
	case reply.Response.Stream != nil:
		res.ImmediateHeaderFlush = true
		res.SetBodyStream(&bodyReader{stream: reply.Response.Stream, conn: c.Context().Conn()}, -1)
	case status != http.StatusNoContent && status != http.StatusNotModified:
		res.SetBodyRaw(reply.Response.Body)
	}
	return nil
}

// hiddenErrors is what those who may not read the script learn of outcomes whose error has the script's
// words. An error that a script throws may also pass for one of a limit.
var hiddenErrors = map[cloud.Status]string{
	cloud.Failed:      "the script failed; its error is recorded with the execution",
	cloud.Crashed:     "the script ended its process; its error is recorded with the execution",
	cloud.OutOfMemory: "the script used more than it may; its error is recorded with the execution",
}

// hideError takes the script's words out of a failure.
func hideError(reply *orchestrator.HTTPReply) {
	if text, hidden := hiddenErrors[cloud.Status(reply.Failure.Code)]; hidden {
		reply.Failure = cloud.Errorf(reply.Failure.Code, "%s", text)
	}
}

// failureOf tells a caller what happened.
func failureOf(reply *orchestrator.HTTPReply) *edge.Problem {
	p := &edge.Problem{
		Status:  reply.Status,
		Detail:  reply.Failure.Message,
		Code:    string(reply.Failure.Code),
		Details: reply.Failure.Details,
	}
	if !reply.Execution.IsZero() {
		p.Execution = reply.Execution.String()
	}
	return p
}
