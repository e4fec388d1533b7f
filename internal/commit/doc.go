// Package commit applies what finished runs did. A commit is a list of parts, each one consequence of a run
// or of an operator's action: KV writes, the end of the row that started it, rows to enqueue, an audit entry.
// All of a commit's parts apply, or none does. Commits that are submitted while a transaction is under way
// share the next one.
//
// A group of commits is applied in six steps, in two round trips:
//
//  1. require  each part says what must be locked and read            (Part.require)
//  2. lock     the commit's id, apps, keys: see below                 (Group.read)
//  3. read     the clock, revisions, and what the parts asked for     (section.read)
//  4. decide   each commit's parts, in the order of submission; a commit whose conditions hold is applied
//     to the group's state, so that those after it are decided against it (Part.decide, Part.apply)
//  5. write    one statement a kind for the whole group, and COMMIT   (section.write)
//  6. settle   callers get their results, rows are started, other nodes are notified (Group.settle)
//
// Locks are taken in one order by every commit of every node, so that two never wait for each other:
//
//	the commit's id          unique in the ledger; a repeat waits here for the transaction it repeats
//	apps, by id              shared advisory locks; exclusive for more than maxGroupKeys keys
//	keys, by hash            advisory locks, so that keys which do not exist yet are covered
//	quotas of KV bytes       FOR UPDATE, by app; only of apps that have one; before their keys are read
//	claimed rows             FOR UPDATE, then
//	dead letters             FOR UPDATE, by app and id
//	schedules                FOR UPDATE
//	idempotency reservations FOR UPDATE
//
// A crash before COMMIT leaves nothing. A COMMIT whose answer is lost is sent again under the same id:
// exactly one of the two takes effect.
//
// To add a consequence, write its file - the part, its section, its test - and name the section in
// newSections.
package commit
