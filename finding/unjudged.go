package finding

import (
	"cmp"
	"strings"

	"plumbline.dev/plumbline/object"
)

// Unjudged is an object about which a rule could not tell: not found, and not clean
// either.
type Unjudged struct {
	Rule   Rule
	Object object.ID
	Origin object.Origin
	// Reason says why, and holds no secret.
	Reason string
}

// Compare orders by object, then by rule, then by reason.
func (u Unjudged) Compare(other Unjudged) int {
	return cmp.Or(u.Object.Compare(other.Object), strings.Compare(string(u.Rule), string(other.Rule)), strings.Compare(u.Reason, other.Reason))
}
