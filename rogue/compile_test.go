package rogue_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/rogue"
)

// TestNew wants what would let too much pass refused, with the field's name.
func TestNew(t *testing.T) {
	for scope, want := range map[string]string{
		`generators: [{kind: A, makes: Secret, name: "{$.spec.secretName}-{name}-{namespace}-*"}]`: "",
		`generators: [{kind: A, makes: Secret}]`:                                                   "",
		`generators: [{kind: A, makes: "*", labels: {a: "{name}"}}]`:                               "",
		`injected: [{container: "istio-*", image: "r/*", fields: [env]}]`:                          "",
		`generators: [{kind: A, makes: "*"}]`:                                                      "spec.scope.generators[0] makes any kind: write the labels of what is made",
		`generators: [{kind: A, makes: B, name: "{nam}"}]`:                                         `spec.scope.generators[0].name is "{nam}": {nam} is no placeholder: write {name}, {namespace} or a field such as {$.spec.secretName}`,
		`generators: [{kind: A, makes: B, name: "{name"}]`:                                         `spec.scope.generators[0].name is "{name": a brace has no other: write a placeholder such as {name}`,
		`generators: [{kind: A, makes: B}, {kind: A, makes: B, labels: {a: "{$.x[0]}"}}]`:          `spec.scope.generators[1].labels[a] is "{$.x[0]}": {$.x[0]} is no placeholder: write {name}, {namespace} or a field such as {$.spec.secretName}`,
		`generators: [{kind: A, makes: B, labels: {a: ""}}]`:                                       `spec.scope.generators[0].labels[a] is "": write a value, such as {name}`,
		`injected: [{container: a, image: "*"}]`:                                                   "spec.scope.injected[0] lets any container pass: name the container and its images, and leave image out of fields",
		`injected: [{image: "r/*"}]`:                                                               "spec.scope.injected[0] lets any container pass: name the container and its images, and leave image out of fields",
		`injected: [{container: a, image: "r/*", fields: [image]}]`:                                "spec.scope.injected[0] lets any container pass: name the container and its images, and leave image out of fields",
	} {
		var s v1alpha1.Scope
		if err := yaml.UnmarshalStrict([]byte(scope), &s); err != nil {
			t.Fatal(err)
		}
		_, err := rogue.New(s, differ.Options{})
		if got := text(err); got != want {
			t.Errorf("%s: %q, want %q", scope, got, want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimSpace(err.Error())
}
