// Package finding is the vocabulary of what Plumbline says: rules, severities,
// verdicts and findings.
package finding

import (
	"cmp"
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
	DriftFight        Rule = "drift/fight"        // what was put back comes back
	DriftControlled   Rule = "drift/controlled"   // an undeclared field of a controller's: shown on request
)

// The rules about what should not be here.
const (
	RogueObject    Rule = "rogue/object"    // nobody declared it, and it belongs to nothing that is declared
	RogueWriter    Rule = "rogue/writer"    // somebody other than the deployer last wrote declared fields
	RogueContainer Rule = "rogue/container" // a running container that its workload's template does not have
)

// The rules about where things come from.
const (
	SourceImage     Rule = "source/image"     // an image from outside
	SourceTag       Rule = "source/tag"       // an image without a fixed tag, or whose tag has moved
	SourceDigest    Rule = "source/digest"    // an image that is not pinned by digest
	SourceSignature Rule = "source/signature" // an image that nobody known has signed or built
	SourceHelm      Rule = "source/helm"      // a release of a Helm chart from outside
	SourceRemote    Rule = "source/remote"    // configuration that is taken from outside
	SourceCommit    Rule = "source/commit"    // a commit that nobody known has signed
)

// The rules about what namespaces must hold to.
const (
	PostureNetwork     Rule = "posture/network"      // no default deny, or an allow rule without a reason
	PosturePodSecurity Rule = "posture/pod-security" // below the chosen Pod Security Standard
	PostureRBACUser    Rule = "posture/rbac-user"    // a role bound to a user instead of a group
	PostureSecret      Rule = "posture/secret"       // a plain Secret or credential in git
)

// The rules about what runs.
const (
	RuntimeOutlier Rule = "runtime/outlier" // Pods of one template that differ
	RuntimeExpired Rule = "runtime/expired" // a container that has run for too long
	RuntimeBehind  Rule = "runtime/behind"  // an image that its tag no longer names
)

// Evidence is how far what a finding rests on can be trusted. The zero value is that
// of a comparison of git with the cluster.
type Evidence string

const (
	// Declared: what git declares, or the server has authenticated.
	Declared Evidence = "declared"
	// Checked: a chain of owners of which each link was checked.
	Checked Evidence = "checked"
	// Claimed: field managers, labels and annotations, which anyone can write.
	Claimed Evidence = "claimed"
)

// In tells whether the rule is the named one, or one of the named group.
func (r Rule) In(name string) bool {
	return string(r) == name || strings.HasPrefix(string(r), name+"/")
}

// IsSetRight tells whether the rule is about what the next deployment sets right: declared
// fields and objects that are not as declared, and fields that are declared no longer.
func (r Rule) IsSetRight() bool {
	switch r {
	case DriftModified, DriftRemoved, DriftReleased, DriftMissing, DriftPending:
		return true
	}
	return false
}

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
	// Rogue: it is there, and nothing that git declares accounts for it.
	Rogue Verdict = "Rogue"
	// Unknown: it could not be compared. Unknown is never clean.
	Unknown Verdict = "Unknown"
)

// Finding is one rule's word about one object.
type Finding struct {
	Rule     Rule
	Severity Severity
	Object   object.ID
	// UID is the live object's, where the finding is about there being one.
	UID string
	// Changes are the fields concerned, sorted by path; none where the finding is
	// about the object as a whole.
	Changes []differ.Change
	// Origin is where the object is declared; zero where it is not.
	Origin object.Origin
	// Subject is what of the object it is about: a container, an image; "" for all of
	// it.
	Subject string
	// Evidence is what it rests on.
	Evidence Evidence
	// Children are what stands or falls with the object: its Pods and the like.
	Children []object.ID
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
	// Exemptions are the exemptions that do, by their index.
	Exemptions []int
}

// Fingerprint identifies the finding across runs and across commits that do not
// touch it: the same rule about the same part of the same object.
func (f Finding) Fingerprint() string {
	id := f.Object
	parts := []string{string(f.Rule), id.Group, id.Kind, id.Namespace, id.Name}
	if f.Subject != "" {
		parts = append(parts, f.Subject)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// Compare orders findings by object, then by rule, then by subject.
func (f Finding) Compare(other Finding) int {
	return cmp.Or(f.Object.Compare(other.Object), strings.Compare(string(f.Rule), string(other.Rule)), strings.Compare(f.Subject, other.Subject))
}
