package cloud

// KVCall is a host call that the key-value store answers.
type KVCall interface {
	HostCall
	kvCall()
}

// toKV makes the struct that embeds it a KVCall.
type toKV struct{}

func (toKV) hostCall() {}
func (toKV) kvCall()   {}

// KVGet reads an entry. The run's commit checks that it is still the same, unless it is Unchecked.
type KVGet struct {
	toKV
	Collection, Key string
	Unchecked       bool
}

// Op returns OpKVGet.
func (KVGet) Op() HostOp { return OpKVGet }

// KVHas asks whether an entry is there. The run's commit checks that this stays so.
type KVHas struct {
	toKV
	Collection, Key string
}

// Op returns OpKVHas.
func (KVHas) Op() HostOp { return OpKVHas }

// KVSet writes an entry when the run commits.
type KVSet struct {
	toKV
	Collection, Key string
	Value           string // JSON text
	// TTLMillis is how long the entry lives, in milliseconds, 0 for ever.
	TTLMillis int64
	// IfVersion is the version that the entry must have, 0 for one that must be absent, AnyVersion for any.
	IfVersion int64
}

// AnyVersion is the IfVersion of a KVSet that replaces whatever is there.
const AnyVersion = -1

// Op returns OpKVSet.
func (KVSet) Op() HostOp { return OpKVSet }

// KVDelete deletes an entry when the run commits, if there is one.
type KVDelete struct {
	toKV
	Collection, Key string
}

// Op returns OpKVDelete.
func (KVDelete) Op() HostOp { return OpKVDelete }

// KVIncrement adds to the number of an entry, which keeps its expiry. An absent one counts as 0.
type KVIncrement struct {
	toKV
	Collection, Key string
	By              float64
}

// Op returns OpKVIncrement.
func (KVIncrement) Op() HostOp { return OpKVIncrement }

// KVUpdateBegin waits in the queue of a key, and reads its entry for the script's updater.
type KVUpdateBegin struct {
	toKV
	Collection, Key string
}

// Op returns OpKVUpdateBegin.
func (KVUpdateBegin) Op() HostOp { return OpKVUpdateBegin }

// KVUpdateEnd writes what the script's updater returned. The entry keeps its expiry.
type KVUpdateEnd struct {
	toKV
	Collection, Key string
	Value           string // JSON text; none with Delete
	Delete          bool   // the updater returned null
}

// Op returns OpKVUpdateEnd.
func (KVUpdateEnd) Op() HostOp { return OpKVUpdateEnd }

// KVList reads a page of the entries whose keys start with Prefix.
type KVList struct {
	toKV
	Collection, Prefix string
	Cursor             string // of the page before; empty for the first
	Limit              int    // items
}

// Op returns OpKVList.
func (KVList) Op() HostOp { return OpKVList }
