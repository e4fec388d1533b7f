package cloud

import "strings"

// Principal is whom a run acts for. The zero value is anonymous.
type Principal struct {
	Username string        `json:"username"`
	Kind     PrincipalKind `json:"kind"`
	// UserID is the user's, 0 where only the name is known. Another user may have the name later, but not
	// the id.
	UserID int64 `json:"-"`
}

// PrincipalKind says how a principal came to a run.
type PrincipalKind string

// The kinds of principal.
const (
	// PrincipalUser has a session.
	PrincipalUser PrincipalKind = "user"
	// PrincipalKey uses an API key.
	PrincipalKey PrincipalKind = "key"
	// PrincipalRegistrant registered the trigger that caused the run.
	PrincipalRegistrant PrincipalKind = "registrant"
)

// IsZero reports an anonymous caller.
func (p Principal) IsZero() bool { return p.Username == "" }

// String names the principal for records: "kind:username", empty when anonymous.
func (p Principal) String() string {
	if p.IsZero() {
		return ""
	}
	return string(p.Kind) + ":" + p.Username
}

// ParsePrincipal reads what String wrote. Any other text is an anonymous principal.
func ParsePrincipal(s string) Principal {
	kind, username, ok := strings.Cut(s, ":")
	if !ok {
		return Principal{}
	}
	return Principal{Kind: PrincipalKind(kind), Username: username}
}
