package manager

import (
	"context"

	"picloud/db"
	"picloud/internal/auth"
	"picloud/internal/cloud"
)

// takeOver makes the actor the trigger's registrant, if the change asks for it.
func takeOver(t *Trigger, actor Actor, registrant *string) error {
	switch {
	case registrant == nil:
		return nil
	case *registrant != RegistrantMe:
		return invalid("registrant can only be %q: a trigger is taken over by whoever asks for it",
			RegistrantMe)
	case actor.UserID == 0:
		return invalid("only a user can take a trigger over")
	default:
		t.RegisteredBy = &actor.UserID
		t.RegisteredName = actor.Username
		return nil
	}
}

// checkRegistrant refuses a trigger whose registrant may run nothing: each of its events would become a dead
// letter.
func checkRegistrant(ctx context.Context, q *db.Queries, t *Trigger) error {
	row, err := q.RegistrantOfTrigger(ctx, t.AppID, t.RegisteredBy)
	if err != nil && !db.IsNotFound(err) {
		return err
	}

	registrant := auth.Registrant{
		Registered: t.RegisteredName,
		Username:   row.Username,
		Active:     row.Active,
		Role:       row.Role,
		AppRole:    row.MemberRole,
	}
	if why := registrant.Refusal(); why != "" {
		return cloud.Errorf(cloud.CodeConflict,
			"%s: take the trigger over, and its runs act as you (\"Take over\" on its page, or "+
				`{"registrant": "me"})`, why)
	}

	return nil
}
