// Package finding is the vocabulary of what Plumbline says: rules, severities,
// verdicts and findings.
package finding

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// Rule names what was found. Rules are stable: they stand in every output.
type Rule string

// The rules about drift.
const (
	DriftModified     Rule = "drift/modified"     // a declared field has another value
	DriftRemoved      Rule = "drift/removed"      // a declared field is gone
	DriftAdded        Rule = "drift/added"        // somebody added a field that git does not declare
	DriftReleased     Rule = "drift/released"     // git dropped a field and the cluster still has it
	DriftMissing      Rule = "drift/missing"      // a declared object does not exist
	DriftContested    Rule = "drift/contested"    // a controller sets a declared field to another value
	DriftUnattributed Rule = "drift/unattributed" // the records of who wrote what are gone
	DriftRestarted    Rule = "drift/restarted"    // somebody restarted the pods
	DriftPending      Rule = "drift/pending"      // a field is as of an earlier commit: the deployer lags behind
	DriftControlled   Rule = "drift/controlled"   // an undeclared field of a controller's: shown on request
)

// Severity says how much a finding matters. The zero value is not a severity.
type Severity int

const (
	// Info is worth knowing and no deviation.
	Info Severity = iota + 1
	// Warning is a deviation from what git says.
	Warning
	// Critical is a deviation that puts the cluster at risk.
	Critical
)

var severities = []string{"", "info", "warning", "critical"}

func (s Severity) String() string {
	if s < Info || s > Critical {
		return fmt.Sprintf("severity(%d)", int(s))
	}
	return severities[s]
}

// ParseSeverity reads "info", "warning" or "critical".
func ParseSeverity(text string) (Severity, error) {
	if i := slices.Index(severities, strings.ToLower(text)); i > 0 {
		return Severity(i), nil
	}
	return 0, fmt.Errorf("%q is not a severity: use info, warning or critical", text)
}

// Verdict is what is known about one object.
type Verdict string

const (
	// InSync: the live object was compared and is what git says.
	InSync Verdict = "InSync"
	// Pending: it is what an earlier commit says, and waits for the deployer.
	Pending Verdict = "Pending"
	// Drifted: it was compared and is not.
	Drifted Verdict = "Drifted"
	// Ignored: it differs, or is missing, and rules ignore all of that.
	Ignored Verdict = "Ignored"
	// Missing: the server says that it does not exist.
	Missing Verdict = "Missing"
	// Finished: it does not exist, as git wants it: a Job that deletes itself once
	// it has finished. Whether it ever ran cannot be told.
	Finished Verdict = "Finished"
	// Unknown: it could not be compared. Unknown is never clean.
	Unknown Verdict = "Unknown"
)

// Finding is one rule's word about one object.
type Finding struct {
	Rule     Rule
	Severity Severity
	Object   object.ID
	// Changes are the fields concerned, sorted by path; none where the finding is
	// about the object as a whole.
	Changes []differ.Change
	// Origin is where the object is declared; zero where it is not.
	Origin object.Origin
	// Message says in one sentence what was found, Advice what to do about it.
	Message, Advice string
}

// Silenced is a finding that rules of what to ignore keep out of what counts.
type Silenced struct {
	Finding
	// Rules are the rules that do, by their index, and Reason what the first of
	// them gives.
	Rules  []int
	Reason string
}

// Fingerprint identifies the finding across runs and across commits that do not
// touch it: the same rule about the same object.
func (f Finding) Fingerprint() string {
	id := f.Object
	sum := sha256.Sum256([]byte(strings.Join([]string{string(f.Rule), id.Group, id.Kind, id.Namespace, id.Name}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// Compare orders findings by object, then by rule.
func (f Finding) Compare(other Finding) int {
	if c := f.Object.Compare(other.Object); c != 0 {
		return c
	}
	return strings.Compare(string(f.Rule), string(other.Rule))
}
