package report

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// What a finding's object in the cluster holds at most, so that thousands of them are no
// burden to the API server whatever somebody has put into the objects they are about.
const (
	maxListed   = 20   // changes, and children
	maxSentence = 1024 // characters of a text
	maxHeld     = 512  // characters of a value, and bytes of its JSON
)

// Details are a finding as the cluster holds it, cut to a bounded length. Whoever keeps it
// fills in when it came and changed, and the commit.
func Details(f finding.Finding) v1alpha1.FindingDetails {
	d := v1alpha1.FindingDetails{
		Fingerprint: f.Fingerprint(), Rule: string(f.Rule), Severity: f.Severity.String(), Evidence: string(f.Evidence),
		About: sentence(about(f.Object)), Object: referenceTo(f.Object), Subject: sentence(f.Subject),
		Message: sentence(f.Message), Advice: sentence(f.Advice), Origin: originOf(f.Origin.Position),
	}
	for _, c := range f.Changes[:min(maxListed, len(f.Changes))] {
		d.Changes = append(d.Changes, changeDetails(c))
	}
	for _, id := range f.Children[:min(maxListed, len(f.Children))] {
		d.Children = append(d.Children, referenceTo(id))
	}
	d.ChangesOmitted, d.ChildrenOmitted = int32(len(f.Changes)-len(d.Changes)), int32(len(f.Children)-len(d.Children))
	return d
}

// about names an object without its group, which people seldom need.
func about(id object.ID) string {
	id.Group = ""
	return id.String()
}

func sentence(s string) string { return cutTo(strings.ToValidUTF8(s, "\ufffd"), maxSentence) }

func referenceTo(id object.ID) v1alpha1.ObjectReference {
	return v1alpha1.ObjectReference{APIVersion: id.APIVersion(), Kind: id.Kind, Namespace: id.Namespace, Name: id.Name}
}

func originOf(p object.Position) *v1alpha1.FindingOrigin {
	if p.File == "" {
		return nil
	}
	return &v1alpha1.FindingOrigin{File: sentence(p.File), Line: int32(p.Line)}
}

func changeDetails(c differ.Change) v1alpha1.FindingChange {
	out := v1alpha1.FindingChange{
		Path: sentence(c.Path.String()), Op: string(c.Op),
		Manager: sentence(c.Writer.Manager), Operation: c.Writer.Operation, Subresource: c.Writer.Subresource,
		Time: toSecond(c.Writer.Time), NotBefore: toSecond(c.Writer.NotBefore), Origin: originOf(c.Origin),
	}
	out.Declared, out.Live, out.Cut = held(c.Declared, c.Live)
	if c.Pending != (differ.Pending{}) {
		out.Pending = &v1alpha1.FindingPending{Commit: c.Pending.Commit, Behind: int32(c.Pending.Behind)}
	}
	return out
}

// toSecond is a time as the API holds it.
func toSecond(t time.Time) metav1.Time {
	if t.IsZero() {
		return metav1.Time{}
	}
	return metav1.NewTime(t).Rfc3339Copy()
}

// held are both values of a change as JSON. Where one is long, both are texts that begin
// shortly before they differ.
func held(declared, live any) (before, after *apiextensionsv1.JSON, isCut bool) {
	before, short := valueJSON(declared)
	after, alsoShort := valueJSON(live)
	if short && alsoShort {
		return before, after, false
	}
	a, b := plainText(declared), plainText(live)
	switch {
	case declared == nil:
		b = cutTo(b, maxHeld)
	case live == nil:
		a = cutTo(a, maxHeld)
	default:
		a, b = cutPairTo(a, b, maxHeld)
	}
	if declared != nil {
		before, _ = valueJSON(a)
	}
	if live != nil {
		after, _ = valueJSON(b)
	}
	return before, after, true
}

// valueJSON returns the JSON of a value, nil of none, and whether it is short.
func valueJSON(v any) (*apiextensionsv1.JSON, bool) {
	if v == nil {
		return nil, true
	}
	raw, err := json.Marshal(v)
	if err != nil { // no value of an object's
		return nil, false
	}
	return &apiextensionsv1.JSON{Raw: raw}, len(raw) <= maxHeld
}

// plainText is a value as text: of what is text itself, that.
func plainText(v any) string {
	if s, ok := v.(string); ok {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	return compact(v)
}

// FromDetails returns the finding that Details were made of, as far as they tell.
func FromDetails(d v1alpha1.FindingDetails) finding.Finding {
	severity, _ := finding.ParseSeverity(d.Severity) // which the API server checks
	f := finding.Finding{
		Rule: finding.Rule(d.Rule), Severity: cmp.Or(severity, finding.Warning), Object: ObjectOf(d.Object),
		Subject: d.Subject, Evidence: finding.Evidence(d.Evidence), Message: d.Message, Advice: d.Advice,
		Origin: object.Origin{Position: positionOf(d.Origin)},
	}
	for _, c := range d.Changes {
		f.Changes = append(f.Changes, changeOf(c))
	}
	for _, r := range d.Children {
		f.Children = append(f.Children, ObjectOf(r))
	}
	return f
}

// ObjectOf returns the identity of what is referred to.
func ObjectOf(r v1alpha1.ObjectReference) object.ID {
	gv, err := schema.ParseGroupVersion(r.APIVersion)
	if err != nil {
		gv = schema.GroupVersion{Version: r.APIVersion}
	}
	return object.ID{Group: gv.Group, Version: gv.Version, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}
}

func positionOf(o *v1alpha1.FindingOrigin) object.Position {
	if o == nil {
		return object.Position{}
	}
	return object.Position{File: o.File, Line: int(o.Line)}
}

func changeOf(c v1alpha1.FindingChange) differ.Change {
	path, err := differ.ParsePath(c.Path)
	if err != nil { // it was cut
		path = differ.Path{c.Path}
	}
	out := differ.Change{
		Path: path, Op: differ.Op(c.Op), Declared: valueOf(c.Declared), Live: valueOf(c.Live), Origin: positionOf(c.Origin),
		Writer: differ.Writer{Manager: c.Manager, Operation: c.Operation, Subresource: c.Subresource, Time: c.Time.Time, NotBefore: c.NotBefore.Time},
	}
	if c.Pending != nil {
		out.Pending = differ.Pending{Commit: c.Pending.Commit, Behind: int(c.Pending.Behind)}
	}
	return out
}

// valueOf reads a value; what is no JSON is text.
func valueOf(v *apiextensionsv1.JSON) any {
	if v == nil {
		return nil
	}
	var value any
	if !utf8.Valid(v.Raw) || utiljson.Unmarshal(v.Raw, &value) != nil {
		return string(v.Raw)
	}
	return value
}
