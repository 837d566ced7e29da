package v1alpha1

import "time"

// Scope is where everything is governed.
type Scope struct {
	// Namespaces restricts the comparison to objects in these and to those that are in no
	// namespace; empty means every declared object. In them everything must be declared, belong to something
	// declared, be made by the cluster itself or be exempt.
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespaces []string `json:"namespaces,omitempty"`
	// Kinds restricts what is looked for in the namespaces: "Deployment",
	// "Certificate.cert-manager.io". Empty means every kind that can be listed, but for
	// Events and the like, which are no configuration.
	// +kubebuilder:validation:items:Pattern=`^[A-Z][A-Za-z0-9]*(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Kinds []string `json:"kinds,omitempty"`
	// ClusterKinds are kinds of cluster-scoped objects of which everything must be
	// declared too; "*" means all that can be listed.
	// +kubebuilder:validation:items:Pattern=`^(\*|[A-Z][A-Za-z0-9]*(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)$`
	ClusterKinds []string `json:"clusterKinds,omitempty"`
	// Exempt are objects about which some rules have nothing to say.
	// +kubebuilder:validation:MaxItems=1000
	Exempt []Exemption `json:"exempt,omitempty"`
	// Generators are what operators make of declared objects without owning it.
	Generators []Generator `json:"generators,omitempty"`
	// Injected are what webhooks put into Pods beside what their templates say.
	Injected []Injected `json:"injected,omitempty"`
}

// Exemption takes objects out of rules. All that is given must fit.
//
// +kubebuilder:validation:XValidation:rule="has(self.group) || has(self.kind) || has(self.namespace) || has(self.name) || has(self.subject)",message="fits every object: say which it is about, by group, kind, namespace, name or subject, or turn the rule off under spec.rules"
type Exemption struct {
	// Rules are those that it is an exemption from: "source/image", "posture".
	// Empty means rogue/object.
	// +kubebuilder:validation:items:Pattern=`^[a-z]+(/[a-z]+(-[a-z]+)*)?$`
	Rules []string `json:"rules,omitempty"`
	// Group is an API group; "" is the core group, and nil any.
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$`
	Group *string `json:"group,omitempty"`
	// Kind is a kind, such as Job; empty means any.
	// +kubebuilder:validation:Pattern=`^([A-Z][A-Za-z0-9]*)?$`
	Kind string `json:"kind,omitempty"`
	// Namespace is a pattern, as Name: * stands for any characters, ? for one.
	// Empty means any.
	// +kubebuilder:validation:Pattern=`^([^\\]|\\.)*$`
	Namespace string `json:"namespace,omitempty"`
	// Name is a pattern as Namespace.
	// +kubebuilder:validation:Pattern=`^([^\\]|\\.)*$`
	Name string `json:"name,omitempty"`
	// Subject is a pattern for what of the object the finding is about: a container, an
	// image. Empty means any.
	// +kubebuilder:validation:Pattern=`^([^\\]|\\.)*$`
	Subject string `json:"subject,omitempty"`
	// Reason says why: it is required.
	// +kubebuilder:validation:Pattern=`\S`
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('TODO')",message="is still to be written: say why"
	Reason string `json:"reason"`
	// Until ends the exemption after that day (YYYY-MM-DD); an ended one exempts nothing
	// and is reported.
	// +kubebuilder:validation:Format=date
	Until string `json:"until,omitempty"`

	// Line is where it stands in the file that it was read from, else 0.
	Line int `json:"-"`
}

// EndedAt tells whether the exemption has ended at the given time.
func (e Exemption) EndedAt(now time.Time) bool { return ended(e.Until, now) }

// Generator says what an operator makes of an object, where it leaves no owner
// reference: "the Secret that cert-manager writes for a Certificate".
type Generator struct {
	// Group is the API group of the declared object that it is made of.
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$`
	Group string `json:"group,omitempty"`
	// Kind is that of the declared object.
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9]*$`
	Kind string `json:"kind"`
	// Makes is the kind of what is made: "Secret", "Deployment.apps"; "*" is any, which
	// takes Labels.
	// +kubebuilder:validation:Pattern=`^(\*|[A-Z][A-Za-z0-9]*(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)$`
	Makes string `json:"makes"`
	// Name is the name of what is made: {name} stands for that of the declared object,
	// {$.spec.secretName} for a field of it, and * for any characters. Empty is {name}, or
	// * where Makes is.
	// +kubebuilder:validation:Pattern=`^([^{}]|\{(name|namespace|\$(\.[A-Za-z0-9_-]+)+)\})*$`
	Name string `json:"name,omitempty"`
	// Managers are the field managers under which the operator writes: an object that
	// none of them wrote is not made by it. Empty means that nobody looks.
	// +kubebuilder:validation:items:MinLength=1
	Managers []string `json:"managers,omitempty"`
	// Labels are those of what is made, with {name} and {namespace} for the declared
	// object's: "helm.toolkit.fluxcd.io/name: {name}". All must be there.
	Labels map[string]string `json:"labels,omitempty"`
}

// Injected says what a webhook puts into Pods: "Istio's sidecar".
type Injected struct {
	// Container and Image are those of the container: patterns, in which * stands for
	// any characters. Both are required.
	// +kubebuilder:validation:MinLength=1
	Container string `json:"container"`
	// Image is a pattern as Container.
	// +kubebuilder:validation:Pattern=`[^*]`
	Image string `json:"image"`
	// Fields are what the webhook changes beside adding the container, in the Pod and in
	// its other containers: "env", "readinessProbe". Images cannot be among them.
	Fields []string `json:"fields,omitempty"`
}
