package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KindFinding is the kind of a Finding.
const KindFinding = "Finding"

// LabelBaseline is on each Finding: its value is BaselineLabel of the Baseline's name.
const LabelBaseline = "plumbline.dev/baseline"

// Finding is an open finding of a Baseline's, beside it. Only the controller writes it: it
// is there from when something is found until that is gone, and goes with its Baseline.
// Having nothing that anybody asks for, it has neither spec nor status. Values of Secrets
// are masked, and whatever is long is cut.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,singular=finding,path=findings
// +kubebuilder:printcolumn:name=Severity,type=string,JSONPath=`.severity`
// +kubebuilder:printcolumn:name=Rule,type=string,JSONPath=`.rule`
// +kubebuilder:printcolumn:name=Object,type=string,JSONPath=`.about`
// +kubebuilder:printcolumn:name=Message,type=string,JSONPath=`.message`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.since`
// +kubebuilder:printcolumn:name=Field,type=string,priority=1,JSONPath=`.changes[0].path`
// +kubebuilder:printcolumn:name=By,type=string,priority=1,JSONPath=`.changes[0].manager`
type Finding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	FindingDetails `json:",inline"`
}

// FindingList is what the API server lists Findings as.
//
// +kubebuilder:object:root=true
type FindingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []Finding `json:"items"`
}

// FindingDetails are what was found, as the report of a comparison tells it.
type FindingDetails struct {
	// Fingerprint is the same in every report and for as long as the finding is open.
	Fingerprint string `json:"fingerprint"`
	// Rule is what it breaks: drift/modified.
	Rule string `json:"rule"`
	// +kubebuilder:validation:Enum=info;warning;critical
	Severity string `json:"severity"`
	// Evidence is what it rests on: declared, checked or claimed.
	Evidence string `json:"evidence,omitempty"`
	// About names the object for people, "Deployment shop/web", and Object for programs.
	About  string          `json:"about"`
	Object ObjectReference `json:"object"`
	// Subject is what of the object it is about: a container, an image. Empty is all of it.
	Subject string `json:"subject,omitempty"`
	// Message says what was found, and Advice what to do about it.
	Message string `json:"message"`
	Advice  string `json:"advice,omitempty"`
	// Changes are the fields that it is about, and ChangesOmitted how many more there are.
	// +listType=atomic
	Changes        []FindingChange `json:"changes,omitempty"`
	ChangesOmitted int32           `json:"changesOmitted,omitempty"`
	// Children are what stands or falls with the object, and ChildrenOmitted how many more
	// there are.
	// +listType=atomic
	Children        []ObjectReference `json:"children,omitempty"`
	ChildrenOmitted int32             `json:"childrenOmitted,omitempty"`
	// Origin is where the object is declared, if it is.
	Origin *FindingOrigin `json:"origin,omitempty"`
	// Commit is what was compared with when the finding came or last changed.
	Commit string `json:"commit,omitempty"`
	// Since is when it came, and Changed when anything else here last became another.
	Since   metav1.Time `json:"since"`
	Changed metav1.Time `json:"changed"`
}

// ObjectReference names an object.
type ObjectReference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// FindingChange is a field that differs.
type FindingChange struct {
	// Path is spelled as reports do: spec.template.spec.containers[name=web].image.
	Path string `json:"path"`
	// Op says in which way it differs: modified, removed, added, released, reordered,
	// contested or controlled.
	Op string `json:"op"`
	// Declared and Live are the field's values. Where one is long, Cut is true and both
	// may be text, of which a part is left out.
	Declared *apiextensionsv1.JSON `json:"declared,omitempty"`
	Live     *apiextensionsv1.JSON `json:"live,omitempty"`
	Cut      bool                  `json:"cut,omitempty"`
	// Manager, Operation and Subresource say who wrote the live value, as far as there is a
	// record, and Time when; where there is none it was not before NotBefore.
	Manager     string      `json:"manager,omitempty"`
	Operation   string      `json:"operation,omitempty"`
	Subresource string      `json:"subresource,omitempty"`
	Time        metav1.Time `json:"time,omitzero"`
	NotBefore   metav1.Time `json:"notBefore,omitzero"`
	// Pending is the earlier commit of which the deployer left the value.
	Pending *FindingPending `json:"pending,omitempty"`
	// Origin is where the value is declared.
	Origin *FindingOrigin `json:"origin,omitempty"`
}

// FindingPending is an earlier commit, and how many commits it is behind.
type FindingPending struct {
	Commit string `json:"commit"`
	Behind int32  `json:"behind"`
}

// FindingOrigin is a place in the repository.
type FindingOrigin struct {
	File string `json:"file"`
	Line int32  `json:"line,omitempty"`
}

// The limits of names and of labels' values (DNS-1123 subdomain, qualified name).
const (
	maxName  = 253
	maxLabel = 63
)

// FindingName is the name of a Baseline's Finding: both names, as far as there is room.
func FindingName(baseline, fingerprint string) string {
	return FindingPrefix(baseline, len(fingerprint)) + "-" + fingerprint
}

// FindingPrefix is what FindingName begins with, for fingerprints of that length.
func FindingPrefix(baseline string, fingerprint int) string {
	return shortened(baseline, maxName-1-fingerprint)
}

// BaselineLabel is the value of the label that tells whose a Finding is.
func BaselineLabel(baseline string) string { return shortened(baseline, maxLabel) }

// shortened cuts a name to a length, and puts a hash of all of it into what is cut: two
// names never become one.
func shortened(name string, length int) string {
	if len(name) <= length {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	hash := hex.EncodeToString(sum[:5])
	return strings.TrimRight(name[:length-1-len(hash)], "-.") + "-" + hash
}
