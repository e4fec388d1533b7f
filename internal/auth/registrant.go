package auth

import "fmt"

// Registrant is who registered a trigger, with what they may do now. A trigger's runs act as its registrant.
type Registrant struct {
	// Registered is the name that the trigger keeps when its registrant is deleted.
	Registered string
	// Username is empty once the registrant was deleted.
	Username string
	Active   bool
	// Role is the role in the installation, and AppRole that in the app, empty for none.
	Role, AppRole string
}

// Refusal says why the registrant may not run anything, "" when they may.
func (r *Registrant) Refusal() string {
	switch {
	case r.Username == "":
		return fmt.Sprintf("the trigger's registrant %q was deleted", r.Registered)
	case !r.Active:
		return fmt.Sprintf("the trigger's registrant %q is deactivated", r.Username)
	case r.Role == RoleOwner || r.Role == RoleAdmin:
		return ""
	case !AtLeast(r.AppRole, AppEditor):
		return fmt.Sprintf("the trigger's registrant %q is no longer an editor of the app", r.Username)
	default:
		return ""
	}
}
