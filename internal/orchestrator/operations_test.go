package orchestrator_test

import (
	"strings"
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/testkit/testcloud"
)

// A row of a disabled trigger cannot be run now: it would be parked anew, and miss the trigger's being
// enabled.
func TestRunNowOfADisabledTrigger(t *testing.T) {
	t.Parallel()
	c := testcloud.New(t)
	row := leaveWaitingRow(t, c)
	rows, _, err := c.History.Outbox(t.Context(), c.AppID(), cloud.ID{}, 1)
	if err != nil || rows[0].TriggerID == nil {
		t.Fatalf("%+v, %v", rows, err)
	}

	enable(t, c, cloud.ID(*rows[0].TriggerID), false)
	const parked = "SELECT count(*) FROM outbox WHERE wake_at > clock_timestamp() + interval '100 years'"
	c.Await(1, parked)

	if err := c.Operations.RunNow(t.Context(), c.AppID(), row, c.Operator()); cloud.CodeOf(err) != cloud.CodeConflict {
		t.Errorf("run now: %v", err)
	}
	c.Await(1, parked)
	c.Await(0, "SELECT count(*) FROM audit WHERE action = 'outbox.run-now'")
}

// enable enables or disables a trigger.
func enable(t *testing.T, c *testcloud.Cloud, trigger cloud.ID, enabled bool) {
	t.Helper()
	change := manager.TriggerChange{Enabled: &enabled}
	if _, err := c.Manager.UpdateTrigger(t.Context(), c.Owner, c.App, trigger, change); err != nil {
		t.Fatal(err)
	}
}

// A test event of a trigger whose registrant may run nothing is refused: it would be a dead letter at once.
func TestTriggerWithoutRegistrant(t *testing.T) {
	t.Parallel()
	c := testcloud.New(t)
	leaveLetters(t, c, 1)
	trigger, _ := cloud.ParseID(c.Text("SELECT id::text FROM triggers"))
	c.Exec("INSERT INTO users (username, password_hash, role) VALUES ('ann', 'none', 'member')")
	c.Exec(`UPDATE triggers SET registered_by = (SELECT id FROM users WHERE username = 'ann'), registered_name = 'ann'`)
	c.Exec("UPDATE apps SET revision = revision + 1")
	c.Refresh(t.Context(), c.AppID())
	const why = "take the trigger over"

	_, _, err := c.Operations.Fire(t.Context(), c.AppID(), trigger, "{}", c.Operator())
	if cloud.CodeOf(err) != cloud.CodeConflict || !strings.Contains(err.Error(), why) {
		t.Errorf("fire: %v", err)
	}

	c.Await(1, "SELECT count(*) FROM dead_letters WHERE resolution IS NULL")
	c.Await(0, "SELECT count(*) FROM outbox")
	c.Await(0, "SELECT count(*) FROM audit WHERE action = 'trigger.fire'")
}

// A row that is taken out of the queue is never claimed for it, so that a node that dies meanwhile leaves the
// row as it was.
func TestRemovalClaimsNothing(t *testing.T) {
	t.Parallel()
	c := testcloud.New(t)
	row := leaveWaitingRow(t, c)
	c.Exec(`CREATE FUNCTION claimed() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'the row is claimed'; END $$`)
	c.Exec(`CREATE TRIGGER claimed BEFORE UPDATE ON outbox FOR EACH ROW
		WHEN (new.claim_token IS NOT NULL) EXECUTE FUNCTION claimed()`)

	if _, err := c.Operations.RemoveRow(t.Context(), c.AppID(), row, c.Operator()); err != nil {
		t.Fatal(err)
	}
	c.Await(1, "SELECT count(*) FROM dead_letters WHERE reason = 'removed by an operator'")
	c.Await(0, "SELECT count(*) FROM outbox")

	_, err := c.Operations.RemoveRow(t.Context(), c.AppID(), row, c.Operator())
	if cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("removed again: %v", err)
	}
}
