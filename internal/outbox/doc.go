// Package outbox moves the rows of the outbox: it finds what is due, claims it as far as the gate has
// permits, keeps the leases, and decides which state follows a run's outcome. It does not run anything
// itself, and it ends no row: that is part of the run's commit.
//
// The life of a row, who may move it, and what a crash at each arrow leaves behind:
//
//	     a commit inserts it (with the write that raised it: both or neither)
//	              |                                \ with a free permit: inserted as claimed
//	              v                                 v
//	+------> [waiting] --ClaimDue, any node--> [claimed: claimed_by, claim_token,
//	|             ^                             wake_at = lease's end]
//	|             |                                 |           |
//	|             |                                 |           | the node renews every third of the
//	|   lease's end passes (crash, lost node):      |           | lease; a crash leaves the lease to
//	|   claimable again, one interruption more <----+-----------+ end: claimed anew, interruptions + 1
//	|                                               |
//	|                                               v  the run's commit, only with the claim's token
//	+--- failed, attempts left / conflict / interrupted / shutdown (row updated: later wake_at)
//	                                                |
//	                     +--------------------------+-------------------------+
//	                     v                          v                         v
//	        [done: row deleted,        [dead letter: row moved,    [skipped: row deleted,
//	         execution row kept]        dead_letter triggers get    execution says why]
//	                                    their rows]
//
// Every arrow is one transaction together with the run's KV writes, the events they raise, the execution row
// and the ledger; a crash before COMMIT leaves the row claimed and nothing else, a crash after it leaves
// everything. A commit whose answer is lost is sent again under the same id, which the ledger holds unique
// (internal/commit).
//
// A node does not run two claims of one row: its own claims are in Dispatcher.running, and what it cannot
// renew for two thirds of the lease it cancels itself, before another node may start it.
package outbox
