package rogue

import (
	"maps"
	"slices"
	"strings"

	"plumbline.dev/plumbline/object"
)

// comparison is of a Pod with the template that it should be of.
type comparison struct {
	owner, pod     *item
	template, spec map[string]any
	injected       []injected

	fields map[string]bool // that declared injections change
	guests map[string]bool // containers that are declared as injected
	tokens map[string]bool // volumes of the Pod's service account
	found  []misfit
}

// lists are those of a Pod that are compared item by item.
var lists = []string{"volumes", "containers", "initContainers", "ephemeralContainers"}

// tokenPath is where the cluster mounts a Pod's service account.
const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

func (c *comparison) run() []misfit {
	c.findGuests()
	c.volumes()
	for _, list := range lists[1:] {
		c.containers(list)
	}
	c.podFields()
	return c.found
}

// isAs tells whether all that is looked at is what it is in another comparison of the
// same owner: replicas share what they have in common. A StatefulSet's volumes are each
// Pod's own.
func (c *comparison) isAs(other *comparison) bool {
	if c.owner != other.owner || c.owner.ID.Kind == "StatefulSet" || !object.IsOne(c.template, other.template) {
		return false
	}
	for _, fields := range [][]string{lists, settled} {
		for _, field := range fields {
			if a, b := c.spec[field], other.spec[field]; !object.IsOne(a, b) && !isOneScalar(a, b) {
				return false
			}
		}
	}
	return true
}

func isOneScalar(a, b any) bool {
	switch a.(type) {
	case nil, string, bool, int64:
		return a == b
	}
	return false
}

func (c *comparison) add(m misfit) {
	field := m.field
	if m.volume {
		field = "volumes"
	}
	if field != "image" && c.fields[field] {
		return
	}
	c.found = append(c.found, m)
}

// findGuests finds the containers that are declared as injected, which the template
// does not have.
func (c *comparison) findGuests() {
	for _, list := range []string{"containers", "initContainers"} {
		if len(c.injected) == 0 {
			return
		}
		ours := byName(listAt(c.template, list))
		for n, v := range listAt(c.spec, list) {
			name := text(v, "name")
			if ours.find(name, n) != nil {
				continue
			}
			for _, in := range c.injected {
				if in.container.matches(name) && in.image.matches(text(v, "image")) {
					c.welcome(list, name, in)
				}
			}
		}
	}
}

func (c *comparison) welcome(list, name string, in injected) {
	if c.guests == nil {
		c.guests, c.fields = map[string]bool{}, map[string]bool{}
	}
	c.guests[list+"/"+name] = true
	for _, f := range in.fields {
		c.fields[f] = true
	}
}

// containers compares the containers of a list by their names.
func (c *comparison) containers(list string) {
	ours, theirs := byName(listAt(c.template, list)), byName(listAt(c.spec, list))
	for n, have := range theirs.list {
		name := text(have, "name")
		want := ours.find(name, n)
		switch {
		case want != nil:
			c.container(list, name, want, have)
		case !c.guests[list+"/"+name]:
			c.add(misfit{container: name, list: list, have: text(have, "image")})
		}
	}
	for n, want := range ours.list {
		if name := text(want, "name"); theirs.find(name, n) == nil {
			c.add(misfit{container: name, list: list, want: text(want, "image")})
		}
	}
}

// container compares one container with the template's.
func (c *comparison) container(list, name string, want, have any) {
	w, _ := want.(map[string]any)
	h, _ := have.(map[string]any)
	if wi, hi := text(w, "image"), text(h, "image"); wi != hi {
		c.add(misfit{container: name, list: list, field: "image", want: wi, have: hi})
	}
	for _, field := range differing(w, h) {
		switch field {
		case "image", "imagePullPolicy", "resources", "resizePolicy":
			continue // admission and autoscalers fill these in, and they start nothing else
		case "volumeMounts":
			if same(w[field], c.withoutToken(h[field])) {
				continue
			}
		case "env":
			if c.owner.ID.Kind == "Job" && same(w[field], kept(h[field], func(v any) bool { return text(v, "name") != "JOB_COMPLETION_INDEX" })) {
				continue
			}
		case "ports":
			if same(w[field], c.ports(h[field])) {
				continue
			}
		case "securityContext":
			if onlyTightened(fieldsAt(w, field), fieldsAt(h, field)) {
				continue
			}
		}
		c.add(misfit{container: name, list: list, field: field})
	}
}

// differing names the fields of two structures that are not the same, sorted.
func differing(want, have map[string]any) []string {
	var names []string
	shared := 0
	for name, h := range have {
		w, ok := want[name]
		if !ok && !blank(h) || ok && !same(w, h) {
			names = append(names, name)
		}
		if ok {
			shared++
		}
	}
	if shared == len(want) {
		slices.Sort(names)
		return names
	}
	for name, w := range want {
		if _, ok := have[name]; !ok && !blank(w) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// withoutToken returns mounts but for that of the service account.
func (c *comparison) withoutToken(mounts any) any {
	return kept(mounts, func(m any) bool {
		return !c.tokens[text(m, "name")] || text(m, "mountPath") != tokenPath || at(m, "readOnly") != true
	})
}

// ports returns the Pod's ports without the host's, where the network is the host's
// and the server says so of every port.
func (c *comparison) ports(have any) any {
	if c.spec["hostNetwork"] != true {
		return have
	}
	list, _ := have.([]any)
	result := make([]any, len(list))
	for i, p := range list {
		fields, _ := p.(map[string]any)
		fields = maps.Clone(fields)
		if same(fields["hostPort"], fields["containerPort"]) {
			delete(fields, "hostPort")
		}
		result[i] = fields
	}
	return result
}

// onlyTightened tells whether a security context differs only by what takes rights
// away, as admission does where nothing else is said.
func onlyTightened(want, have map[string]any) bool {
	for _, name := range differing(want, have) {
		if want[name] != nil && name != "capabilities" || !tightens(name, want[name], have[name]) {
			return false
		}
	}
	return true
}

func tightens(name string, want, have any) bool {
	switch name {
	case "privileged", "allowPrivilegeEscalation":
		return have == false
	case "runAsNonRoot", "readOnlyRootFilesystem":
		return have == true
	case "runAsUser", "runAsGroup", "fsGroup":
		return number(have) > 0
	case "seLinuxOptions":
		return len(fieldsAt(have)) == 1 && text(have, "level") != ""
	case "seccompProfile":
		return text(have, "type") == "RuntimeDefault"
	case "capabilities":
		return same(at(want, "add"), at(have, "add")) && containsAll(listAt(have, "drop"), listAt(want, "drop"))
	}
	return false
}

func containsAll(list, wanted []any) bool {
	for _, w := range wanted {
		if !slices.ContainsFunc(list, func(v any) bool { return same(v, w) }) {
			return false
		}
	}
	return true
}

// settled are the fields of a Pod that decide what it may do on its node. All others
// say where and when it runs, or follow from the cluster.
var settled = []string{
	"automountServiceAccountToken", "dnsConfig", "dnsPolicy", "hostAliases", "hostIPC", "hostNetwork", "hostPID", "hostUsers",
	"runtimeClassName", "securityContext", "serviceAccountName", "shareProcessNamespace",
}

// podFields compares what concerns all of a Pod's containers.
func (c *comparison) podFields() {
	for _, field := range settled {
		want, have := c.template[field], c.spec[field]
		switch {
		case same(want, have):
		case field == "serviceAccountName" && blank(want) && have == "default":
		case field == "runtimeClassName" && blank(want): // RuntimeClass by admission isolates more
		case field == "securityContext" && onlyTightened(fieldsAt(want), fieldsAt(have)):
		default:
			c.add(misfit{field: field})
		}
	}
}

// volumes compares the volumes by their names, and finds those of the Pod's service
// account.
func (c *comparison) volumes() {
	ours, theirs := byName(listAt(c.template, "volumes")), byName(listAt(c.spec, "volumes"))
	for n, have := range theirs.list {
		name := text(have, "name")
		want := ours.find(name, n)
		switch {
		case want != nil && same(want, have), c.isClaim(name, have), want == nil && c.isGuests(name):
		case want == nil && isToken(have):
			if c.tokens == nil {
				c.tokens = map[string]bool{}
			}
			c.tokens[name] = true
		default:
			c.add(misfit{field: name, volume: true})
		}
	}
	for n, want := range ours.list {
		if name := text(want, "name"); theirs.find(name, n) == nil {
			c.add(misfit{field: name, volume: true})
		}
	}
}

// isClaim tells whether a volume is one of the Pod's own claims by its StatefulSet.
func (c *comparison) isClaim(name string, volume any) bool {
	if c.owner.ID.Kind != "StatefulSet" || text(volume, "persistentVolumeClaim", "claimName") != name+"-"+c.pod.ID.Name {
		return false
	}
	return slices.ContainsFunc(listAt(c.owner.content(), "spec", "volumeClaimTemplates"), func(t any) bool {
		return text(t, "metadata", "name") == name
	})
}

// isGuests tells whether only injected containers mount a volume.
func (c *comparison) isGuests(name string) bool {
	if len(c.guests) == 0 {
		return false
	}
	for _, list := range lists[1:] {
		for _, v := range listAt(c.spec, list) {
			mounted := byName(listAt(v, "volumeMounts")).find(name, 0) != nil
			if mounted && !c.guests[list+"/"+text(v, "name")] {
				return false
			}
		}
	}
	return true
}

// isToken tells whether a volume holds nothing but a service account's token, the
// cluster's certificates and the Pod's namespace. Source: the ServiceAccount plugin of
// k8s.io/kubernetes/plugin/pkg/admission; OpenShift adds its own certificates.
func isToken(volume any) bool {
	if !strings.HasPrefix(text(volume, "name"), "kube-api-access-") {
		return false
	}
	sources := listAt(volume, "projected", "sources")
	for _, s := range sources {
		fields, _ := s.(map[string]any)
		for kind := range fields {
			switch name := text(s, kind, "name"); {
			case kind == "serviceAccountToken" && text(s, kind, "audience") == "":
			case kind == "configMap" && (name == "kube-root-ca.crt" || name == "openshift-service-ca.crt"):
			case kind == "downwardAPI":
			default:
				return false
			}
		}
	}
	return len(sources) > 0
}
