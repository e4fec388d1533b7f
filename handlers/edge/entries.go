package edge

import (
	"picloud/internal/cloud"
	"picloud/internal/services/kv"
)

// ErrNoEntry is the answer for a key without an entry.
var ErrNoEntry = cloud.Errorf(cloud.CodeNotFound, "no such entry")

// CheckEntries checks what selects the entries of a list: a collection, and the beginning of their keys.
func CheckEntries(collection, prefix string) error {
	if err := kv.CheckCollection(collection); err != nil {
		return err
	}

	if prefix == "" {
		return nil
	}

	// A prefix need not be a key itself: "." begins many, and is none.
	if err := kv.CheckKey(prefix + "x"); err != nil {
		return cloud.Errorf(cloud.CodeInvalid, "the prefix is not the beginning of a key")
	}
	return nil
}
