// Package history is what happened, for readers: executions and their statistics, what caused what, dead
// letters, the queue, schedules, the live tail, and the checks of "picloud doctor".
//
// It has three parts that share no state. The Recorder writes down what runs did, apart from their commits.
// Tails shows runs and log lines while they happen, on every node. The Reader answers questions from the
// database.
//
// It decides nothing: it starts no run, moves no row and changes no definition. The packages that run scripts
// give the Recorder and Tails what they did, as a cloud.Execution.
package history

import (
	"context"
	"errors"
	"fmt"

	"picloud/db"
	"picloud/internal/cloud"
)

// Reader answers questions about what happened. It keeps nothing but what was counted lately, so one serves
// all callers at once.
type Reader struct {
	db       *db.DB
	scriptID ScriptIDFunc
	// records knows how many records apps have, with the bytes of their logs.
	records *AppSizes
	// whole knows which long queues agree with their ledgers.
	whole *wholeCounts
}

// ScriptIDFunc finds the id of the script that has a name in an app now. It is called for each list of
// executions of one script, so it should answer from memory.
type ScriptIDFunc func(app cloud.AppID, name string) (cloud.ID, bool)

// NewReader returns a Reader of one installation.
func NewReader(d *db.DB, scriptID ScriptIDFunc) *Reader {
	whole := func(ctx context.Context, app cloud.AppID) (bool, error) {
		all, err := conservations(ctx, d, []cloud.AppID{app}, allEvents)
		return all[app].Balanced, err
	}

	return &Reader{db: d, scriptID: scriptID, records: newRecords(d), whole: newWholeCounts(whole)}
}

// explain gives an error of the database a code, and says for the log what was being done. Nil stays nil.
// What the database answered is not called its silence.
func explain(doing string, err error) error {
	translated := db.Translate(err)
	if db.IsSQLError(err) && !errors.Is(translated, db.ErrUnavailable) {
		return fmt.Errorf("%s: %w", doing, translated)
	}
	return cloud.DatabaseAway(doing, translated)
}

// appIDs are apps as the database numbers them.
func appIDs(apps []cloud.AppID) []int64 {
	ids := make([]int64, len(apps))
	for i, app := range apps {
		ids[i] = int64(app)
	}
	return ids
}
