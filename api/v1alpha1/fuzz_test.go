package v1alpha1_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/api/v1alpha1"
)

// FuzzParseRoundTrip reads any text as a Baseline: it is refused by an error that
// names the file, or what is read says the same when it is
// written and read again.
func FuzzParseRoundTrip(f *testing.F) {
	for _, text := range []string{
		whole, "", "7", "[]", "null", "---\n---\n", "a: &a [*a]", "a: &a {<<: *a}", "spec: {ignore: [null]}", "spec: {ignore: &x [*x]}", "spec: &s {ignore: *s}", "spec: {<<: *s}",
		strings.Replace(whole, "paths:", "selector: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: In, values: [b]}]}, group: '', managers: [m], when: 'true', paths:", 1),
		strings.Replace(whole, "reason: autoscaled", "reason: \"\\0\\x7f\\u2028\"", 1), strings.Replace(whole, "https://git", "https://[::1", 1), "\xff", "!!binary x", "%TAG ! tag:x\n--- !a",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := v1alpha1.Parse("b.yaml", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "b.yaml:") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		text := written(t, b)
		again, err := v1alpha1.Parse("b.yaml", text)
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v\n%s", err, text)
		}
		options := cmp.Options{cmpopts.IgnoreFields(v1alpha1.Ignore{}, "Line"), cmpopts.IgnoreFields(v1alpha1.Exemption{}, "Line"), cmpopts.EquateEmpty()}
		if d := cmp.Diff(b, again, options); d != "" {
			t.Errorf("-read +read again:\n%s", d)
		}
	})
}

// written is a Baseline as a file: its JSON as YAML.
func written(t *testing.T, b v1alpha1.Baseline) []byte {
	t.Helper()
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	if text, err = yaml.Marshal(tree); err != nil {
		t.Fatal(err)
	}
	return text
}
