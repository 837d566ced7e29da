package rogue_test

import (
	"maps"
	"testing"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/rogue"
)

// TestReplica wants a Pod to be looked at for itself, however much of another Pod of the
// same owner it shares: each thing that decides what it may do, changed in one of them.
func TestReplica(t *testing.T) {
	t.Parallel()
	list := func(name string) []any { return []any{map[string]any{"name": name, "image": "shop:1"}} }
	spec := map[string]any{
		"containers": list("web"), "initContainers": list("migrate"), "ephemeralContainers": []any{}, "volumes": list("tmp"),
		"serviceAccountName": "shop", "hostNetwork": false, "securityContext": map[string]any{"runAsUser": int64(1000)},
	}
	for field, value := range map[string]any{
		"": nil, "nodeName": "elsewhere",
		"containers": list("other"), "initContainers": list("other"), "ephemeralContainers": list("other"), "volumes": list("other"),
		"automountServiceAccountToken": true, "dnsConfig": map[string]any{"a": "b"}, "dnsPolicy": "None", "hostAliases": list("a"), "hostIPC": true,
		"hostNetwork": true, "hostPID": true, "hostUsers": true, "runtimeClassName": nil, "securityContext": map[string]any{"runAsUser": int64(0)},
		"serviceAccountName": "admin", "shareProcessNamespace": true,
	} {
		changed := maps.Clone(spec)
		if changed[field] = value; field == "" {
			delete(changed, field)
		}
		live := []object.Object{set(t, spec), pod(t, "shop-aaaaa", spec), pod(t, "shop-bbbbb", spec), pod(t, "shop-ccccc", changed)}
		policy, err := rogue.New(v1alpha1.Scope{Namespaces: []string{"shop"}}, differ.Options{})
		if err != nil {
			t.Fatal(err)
		}
		result := policy.Find(rogue.World{Declared: object.LooseAll(live[:1]), Live: object.PackAll(live)})
		wanted := value != nil && field != "nodeName"
		if wanted != (len(result.Findings) > 0) || wanted && result.Findings[0].Object.Name != "shop-ccccc" {
			t.Errorf("%s: found %v", field, result.Findings)
		}
	}
}

func set(t *testing.T, spec map[string]any) object.Object {
	t.Helper()
	return made(t, map[string]any{
		"apiVersion": "apps/v1", "kind": "ReplicaSet",
		"metadata": map[string]any{"name": "shop", "namespace": "shop", "uid": "1"},
		"spec":     map[string]any{"template": map[string]any{"spec": spec}},
	})
}

func pod(t *testing.T, name string, spec map[string]any) object.Object {
	t.Helper()
	owner := map[string]any{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop", "uid": "1", "controller": true}
	return made(t, map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": name, "generateName": "shop-", "namespace": "shop", "uid": name, "ownerReferences": []any{owner}},
		"spec":     spec,
	})
}

func made(t *testing.T, content map[string]any) object.Object {
	t.Helper()
	o, err := object.FromContent(content)
	if err != nil {
		t.Fatal(err)
	}
	return o
}
