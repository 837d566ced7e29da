package running

import (
	"maps"
	"slices"
	"strings"

	"plumbline.dev/plumbline/object"
)

// podFields are what Pods of one template have in common beside their containers. A
// node's name, a hostname, tolerations and the like may differ.
var podFields = []string{
	"automountServiceAccountToken", "dnsConfig", "dnsPolicy", "hostAliases", "hostIPC", "hostNetwork", "hostPID", "hostUsers",
	"runtimeClassName", "securityContext", "serviceAccountName", "shareProcessNamespace",
}

// podForm is a Pod as all Pods of its template should be.
func podForm(p *pod) map[string]any {
	form := map[string]any{}
	for _, field := range podFields {
		if value := p.spec[field]; value != nil {
			form[field] = value
		}
	}
	var volumes []any
	for _, v := range object.List(p.spec, "volumes") {
		volumes = append(volumes, volumeForm(v, p.id.Name))
	}
	form["volumes"] = volumes
	return form
}

// volumeForm takes out of a volume what is a Pod's own: the random name of the service
// account's, and the claim that a StatefulSet makes for each Pod by its name.
func volumeForm(volume any, pod string) any {
	v, _ := volume.(map[string]any)
	claim := object.Map(v, "persistentVolumeClaim")
	name := object.Text(v, "name")
	switch {
	case isAccess(name) && v["projected"] != nil:
		v = maps.Clone(v)
		v["name"] = access
	case claim != nil && object.Text(claim, "claimName") == name+"-"+pod:
		v, claim = maps.Clone(v), maps.Clone(claim)
		claim["claimName"] = name
		v["persistentVolumeClaim"] = claim
	default:
		return volume
	}
	return v
}

// access is how the name of the volume begins that the API server adds for the service
// account's token; five random characters follow.
const access = "kube-api-access-"

func isAccess(name string) bool {
	return strings.HasPrefix(name, access) && len(name) == len(access)+5
}

// containerForm is a container as all Pods of its template should have it: without
// resources, which can be changed while it runs. Nil means that the Pod has none of
// that name.
func containerForm(p *pod, name string) map[string]any {
	c := p.container(name)
	if c == nil {
		return nil
	}
	form := maps.Clone(c.spec)
	for _, field := range resized {
		delete(form, field)
	}
	if mounts := object.List(form, "volumeMounts"); len(mounts) > 0 {
		mounts = slices.Clone(mounts)
		for i, m := range mounts {
			mounts[i] = mountForm(m)
		}
		form["volumeMounts"] = mounts
	}
	return form
}

// mountForm takes the random name of the service account's volume out of a mount.
func mountForm(mount any) any {
	m, ok := mount.(map[string]any)
	if !ok || !isAccess(object.Text(m, "name")) {
		return mount
	}
	m = maps.Clone(m)
	m["name"] = access
	return m
}

// samePod tells whether two Pods have the same form.
func samePod(a, b *pod) bool {
	for _, field := range podFields {
		if !same(a.spec[field], b.spec[field]) {
			return false
		}
	}
	return slices.EqualFunc(object.List(a.spec, "volumes"), object.List(b.spec, "volumes"), func(v, w any) bool {
		return same(volumeForm(v, a.id.Name), volumeForm(w, b.id.Name))
	})
}

// sameContainer tells whether two containers have the same form.
func sameContainer(a, b *container) bool {
	if a == nil || b == nil {
		return a == b
	}
	if object.IsOne(a.spec, b.spec) {
		return true
	}
	left := formFields(b.spec)
	for field, value := range a.spec {
		if slices.Contains(resized, field) {
			continue
		}
		other, ok := b.spec[field]
		left--
		switch {
		case !ok:
			return false
		case same(value, other):
		case field != "volumeMounts" || !sameMounts(value, other):
			return false
		}
	}
	return left == 0
}

func sameMounts(a, b any) bool {
	mounts, isList := a.([]any)
	others, isToo := b.([]any)
	return isList && isToo && slices.EqualFunc(mounts, others, func(m, n any) bool { return same(mountForm(m), mountForm(n)) })
}

// resized are the fields of a container that can be changed while it runs.
var resized = []string{"resources", "resizePolicy"}

// formFields counts the fields of a container that are in its form.
func formFields(spec map[string]any) int {
	n := len(spec)
	for _, field := range resized {
		if _, ok := spec[field]; ok {
			n--
		}
	}
	return n
}

// same compares JSON values. It takes a tenth of the time that reflection would.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && (object.IsOne(a, b) || sameFields(a, b))
	case []any:
		b, ok := b.([]any)
		return ok && (object.IsOne(a, b) || slices.EqualFunc(a, b, same))
	default:
		switch b.(type) {
		case map[string]any, []any:
			return false
		}
		return a == b
	}
}

// sameFields compares mappings; one that is nil is none at all.
func sameFields(a, b map[string]any) bool {
	if len(a) != len(b) || (a == nil) != (b == nil) {
		return false
	}
	for field, value := range a {
		other, ok := b[field]
		if !ok || !same(value, other) {
			return false
		}
	}
	return true
}
