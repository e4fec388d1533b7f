// Package commit applies what finished runs did, in groups, each run all or nothing.
package commit
