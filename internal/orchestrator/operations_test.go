package orchestrator_test

import (
	"testing"

	"picloud/internal/cloud"
	"picloud/internal/manager"
	"picloud/internal/testkit/testcloud"
)

// A row of a disabled trigger cannot be run now: it would be parked anew, and miss the trigger's being enabled.
func TestRunNowOfADisabledTrigger(t *testing.T) {
	t.Parallel()
	c := testcloud.New(t)
	row := leaveWaitingRow(t, c)
	rows, _, err := c.History.Outbox(t.Context(), c.AppID(), cloud.ID{}, 1)
	if err != nil || rows[0].TriggerID == nil {
		t.Fatalf("%+v, %v", rows, err)
	}

	enabled := false
	change := manager.TriggerChange{Enabled: &enabled}
	if _, err := c.Manager.UpdateTrigger(t.Context(), c.Owner, c.App, *rows[0].TriggerID, change); err != nil {
		t.Fatal(err)
	}
	const parked = "SELECT count(*) FROM outbox WHERE wake_at > clock_timestamp() + interval '100 years'"
	c.Await(1, parked)

	if err := c.Operations.RunNow(t.Context(), c.AppID(), row, c.Operator()); cloud.CodeOf(err) != cloud.CodeConflict {
		t.Errorf("run now: %v", err)
	}
	c.Await(1, parked)
	c.Await(0, "SELECT count(*) FROM audit WHERE action = 'outbox.run-now'")
}

// A row that is taken out of the queue is never claimed for it, so that a node that dies meanwhile leaves the row
// as it was.
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
