// Package quarantine knows what keeps the Pods of a rogue apart: the label that they get,
// the NetworkPolicy that selects it, and the labels that they lose. It is pure.
package quarantine

import (
	"reflect"

	"plumbline.dev/plumbline/object"
)

// Label is what Pods in quarantine have, with any value, so that nobody who has set
// another is exempt.
const Label = "plumbline.dev/quarantined"

// policyName is that of the NetworkPolicy in each namespace with Pods in quarantine.
const policyName = "plumbline-quarantine"

// PolicyID is the NetworkPolicy of a namespace.
func PolicyID(namespace string) object.ID {
	return object.ID{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy", Namespace: namespace, Name: policyName}
}

// Policy is the content of a namespace's NetworkPolicy.
func Policy(namespace string) map[string]any {
	id := PolicyID(namespace)
	return map[string]any{
		"apiVersion": id.APIVersion(), "kind": id.Kind,
		"metadata": map[string]any{"name": id.Name, "namespace": namespace},
		"spec":     policySpec(),
	}
}

// policySpec denies everything both ways to what has the label.
func policySpec() map[string]any {
	return map[string]any{
		"podSelector": map[string]any{"matchExpressions": []any{map[string]any{"key": Label, "operator": "Exists"}}},
		"policyTypes": []any{"Ingress", "Egress"},
	}
}

// IsPolicy tells whether an object is the NetworkPolicy, and says neither more nor less
// than that.
func IsPolicy(o object.Object) bool {
	id := PolicyID(o.ID.Namespace)
	id.Version = o.ID.Version
	return o.ID == id && reflect.DeepEqual(o.Content["spec"], any(policySpec()))
}
