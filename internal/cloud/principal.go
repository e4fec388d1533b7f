package cloud

// Principal is whom a run acts for.
type Principal struct {
	Username string        `json:"username"`
	Kind     PrincipalKind `json:"kind"`
}

// PrincipalKind says how a principal came to a run.
type PrincipalKind string

// The kinds of principal.
const (
	PrincipalUser       PrincipalKind = "user"
	PrincipalKey        PrincipalKind = "key"
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

// ParsePrincipal reads what String wrote.
func ParsePrincipal(s string) Principal {
	for i := range len(s) {
		if s[i] == ':' {
			return Principal{Kind: PrincipalKind(s[:i]), Username: s[i+1:]}
		}
	}
	return Principal{}
}
