package orchestrator

import (
	"testing"

	"picloud/internal/cloud"
)

// A row may be claimed twice while the commits of its runs wait: the lease of the first ended. Of a group that holds both,
// the claim that is valid is applied, once.
func TestOneEndOfARow(t *testing.T) {
	row1, first, second := cloud.ID{1}, cloud.ID{2}, cloud.ID{3}
	ended := func(token cloud.ID) *commit {
		return &commit{app: 1, row: &row{app: 1, id: row1, token: token}, end: rowEnd{kind: endDone}}
	}
	st := &groupState{claimed: map[cloud.ID]cloud.ID{row1: second}}
	e := newEffects(&Orchestrator{}, cloud.ID{})
	for _, token := range []cloud.ID{first, second, second} {
		e.decide(st, ended(token))
	}
	var applied []bool
	for _, d := range e.results {
		applied = append(applied, d.result.applied)
		if d.result.applied == d.result.lost {
			t.Errorf("result %+v", d.result)
		}
	}
	if applied[0] || !applied[1] || applied[2] || len(e.done) != 1 || e.ledger[ledgerKey{1, "done"}] != 1 {
		t.Errorf("applied %v, %d rows ended, ledger %v", applied, len(e.done), e.ledger)
	}
}
