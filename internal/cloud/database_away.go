package cloud

import "fmt"

// ErrDatabaseAway says that the database does not answer, and that nothing was kept.
var ErrDatabaseAway = Errorf(CodeUnavailable, "the database does not answer; nothing of this run was kept")

// DatabaseAway is ErrDatabaseAway because of err, and says for the log what was being done. Nil stays nil.
func DatabaseAway(doing string, err error) error {
	if err == nil {
		return nil
	}
	return ErrDatabaseAway.Because(fmt.Errorf("%s: %w", doing, err))
}
