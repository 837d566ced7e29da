package provenance

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// Use is an image in an object.
type Use struct {
	Object object.ID
	// Origin is where the object is declared; zero for a live one.
	Origin object.Origin
	// Subject is where in the object it stands, such as containers[web].
	Subject string
	// Image is the reference, as Verify was given it.
	Image string
}

func (u Use) compare(other Use) int {
	return cmp.Or(u.Object.Compare(other.Object), strings.Compare(u.Subject, other.Subject), strings.Compare(u.Image, other.Image))
}

// UnjudgedError is a use of an image of which it could not be told who signed it.
type UnjudgedError struct {
	Use
	Err error
}

func (u UnjudgedError) Error() string {
	return fmt.Sprintf("%s %s: image %s: %v", u.Object, u.Subject, oneLine(u.Image), u.Err)
}

func (u UnjudgedError) Unwrap() error { return u.Err }

var errNotLooked = errors.New("nobody has looked who signed it")

// Findings turns results into findings about the uses of images, sorted, and says
// which uses could not be judged. An image that is one platform's of a signed index
// among the results, in the same repository, is signed by who signed the index.
func Findings(uses []Use, results map[string]Result) ([]finding.Finding, []UnjudgedError) {
	covered := map[string]bool{}
	for _, r := range results {
		if !r.Signed {
			continue
		}
		for _, digest := range r.Platforms {
			covered[r.Repository+"@"+digest] = true
		}
	}
	var findings []finding.Finding
	var unjudged []UnjudgedError
	uses = slices.Clone(uses)
	slices.SortStableFunc(uses, Use.compare)
	uses = slices.CompactFunc(uses, func(a, b Use) bool { return a.compare(b) == 0 })
	for _, u := range uses {
		r, ok := results[u.Image]
		if !ok {
			r.Err = errNotLooked
		}
		switch {
		case r.Signed || covered[r.Repository+"@"+r.Digest]:
		case r.Err != nil || r.Reason == "":
			unjudged = append(unjudged, UnjudgedError{u, cmp.Or(r.Err, errNotLooked)})
		default:
			findings = append(findings, u.unsigned(r))
		}
	}
	return findings, unjudged
}

func (u Use) unsigned(r Result) finding.Finding {
	advice := "Let CI sign each image it builds, by digest (cosign sign --recursive --key …), and run only those; a key that may sign belongs in spec.sources.signatures.keys."
	if r.Key != "" {
		advice = "Let CI attest to images how it built them (SLSA provenance, signed with its key), and run only those; builders and repositories that may belong in spec.sources.signatures."
	}
	return finding.Finding{
		Rule:     finding.SourceSignature,
		Severity: finding.Warning,
		Object:   u.Object,
		Origin:   u.Origin,
		Subject:  u.Subject,
		Evidence: finding.Declared,
		Message:  fmt.Sprintf("Image %s (%s) %s.", oneLine(u.Image), r.Digest, r.Reason),
		Advice:   advice,
	}
}
