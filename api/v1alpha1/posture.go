package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Posture says what a namespace must hold to. What is left empty is not checked.
//
// +kubebuilder:validation:XValidation:rule="!has(self.podSecurityVersion) || has(self.podSecurity)",message="podSecurityVersion is that of no standard: write podSecurity too"
type Posture struct {
	// PodSecurity is the Pod Security Standard that every Pod and every template of one
	// must meet: privileged, baseline or restricted.
	// +kubebuilder:validation:Enum=privileged;baseline;restricted
	PodSecurity string `json:"podSecurity,omitempty"`
	// PodSecurityVersion is the version of the standard: "v1.36"; empty is the latest.
	// +kubebuilder:validation:Pattern=`^(latest|v1\.(0|[1-9][0-9]*))$`
	PodSecurityVersion string `json:"podSecurityVersion,omitempty"`
	// NetworkDefaultDeny wants each namespace of the scope to have a NetworkPolicy that
	// denies what no other allows, in both directions.
	NetworkDefaultDeny bool `json:"networkDefaultDeny,omitempty"`
	// Justification is the annotation that every NetworkPolicy that allows something
	// must have, with the reason. Empty means that none is needed.
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	Justification string `json:"justification,omitempty"`
	// Groups wants roles to be bound to groups and service accounts, and not to users.
	Groups bool `json:"groups,omitempty"`
	// Secrets wants no plain Secrets and no credentials in git.
	Secrets bool `json:"secrets,omitempty"`
}

// Runtime says what running Pods must hold to.
type Runtime struct {
	// MaxAge is how long a container may run: "168h". Zero means for ever.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`
	MaxAge metav1.Duration `json:"maxAge,omitzero"`
	// Outliers wants the Pods of one template to be alike.
	Outliers bool `json:"outliers,omitempty"`
	// Newest wants running images to be what their tag names in the registry now.
	Newest bool `json:"newest,omitempty"`
}
