package posture

import (
	"bytes"
	"maps"
	"testing"
)

// TestReplicaForm wants a template to be taken for the last one only where both have one
// form: each thing that a form tells of, changed in one of them.
func TestReplicaForm(t *testing.T) {
	t.Parallel()
	list := func(name string) []any {
		return []any{map[string]any{"name": name, "hostPath": map[string]any{}, "securityContext": map[string]any{"privileged": true}}}
	}
	context := map[string]any{"runAsNonRoot": true}
	spec := map[string]any{"containers": list("a"), "initContainers": list("b"), "volumes": list("c"), "securityContext": context, "hostPID": false}
	annotations := map[string]any{"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}
	first := template{map[string]any{"annotations": annotations}, spec}
	last := judgedTemplate{parts: first.parts(), any: true}
	if same := (template{map[string]any{"annotations": annotations}, maps.Clone(spec)}); !last.isOf(same.parts()) {
		t.Error("a replica is not known")
	}
	others := []template{{nil, spec}, {map[string]any{"annotations": maps.Clone(annotations)}, spec}}
	for _, fields := range [][]string{podFields[:], containerLists[:], {"volumes"}} {
		for _, field := range fields {
			for _, value := range []any{nil, "a", true, false, int64(1), 0.5, list("d"), map[string]any{"runAsNonRoot": false}} {
				changed := maps.Clone(spec)
				changed[field] = value
				others = append(others, template{first.metadata, changed})
			}
		}
	}
	for _, other := range others {
		if last.isOf(other.parts()) && !bytes.Equal(first.form(nil), other.form(nil)) {
			t.Errorf("%v is taken for %v", other, first)
		}
	}
	if (&judgedTemplate{}).isOf(parts{}) {
		t.Error("before the first there is a last")
	}
}
