package cloud

// ErrDatabaseAway says that the database does not answer, and that nothing was kept.
var ErrDatabaseAway = Errorf(CodeUnavailable, "the database does not answer; nothing of this run was kept")
