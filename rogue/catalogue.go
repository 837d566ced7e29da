package rogue

import (
	"regexp"
	"slices"
	"strings"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/quarantine"
)

// entry is something that clusters make by themselves. An object is of the cluster's
// making if all that is given fits it.
type entry struct {
	// namespace is one, "" for what has none, "*" for any.
	namespace string
	// names are patterns.
	names []string
	// labels and annotations must be there, "*" with any value.
	labels, annotations map[string]string
	// on is the distribution that makes it; "" is all.
	on distribution
	// fits checks what the rest of the World tells; nil for nothing.
	fits func(j *judge, i *item) bool
}

// distribution is told by a label that its nodes have.
type distribution string

const (
	gke       distribution = "cloud.google.com/gke-nodepool"
	eks       distribution = "eks.amazonaws.com/*"
	aks       distribution = "kubernetes.azure.com/cluster"
	openshift distribution = "node.openshift.io/os_id"
)

// isOn tells whether a node of the distribution is there.
func (j *judge) isOn(d distribution) bool {
	if j.distributions == nil {
		j.distributions = map[distribution]bool{"": true}
		for _, i := range j.items {
			if i.kind != "Node" {
				continue
			}
			for label := range fieldsAt(i.content(), "metadata", "labels") {
				for _, known := range []distribution{gke, eks, aks, openshift} {
					j.distributions[known] = j.distributions[known] || pattern(known).matches(label)
				}
			}
		}
	}
	return j.distributions[d]
}

// isBuiltIn tells whether an object is of the cluster's own making.
func (j *judge) isBuiltIn(i *item) bool {
	return slices.ContainsFunc(catalogue[i.kind], func(e entry) bool { return e.covers(j, i) })
}

func (e entry) covers(j *judge, i *item) bool {
	if e.namespace != "*" && e.namespace != i.ID.Namespace || !anyName(e.names, i.ID.Name) || !j.isOn(e.on) {
		return false
	}
	for name, value := range e.labels {
		if have := i.label(name); have == "" || value != "*" && have != value {
			return false
		}
	}
	for name, value := range e.annotations {
		if have := i.annotation(name); have == "" || value != "*" && have != value {
			return false
		}
	}
	return e.fits == nil || e.fits(j, i)
}

func anyName(names []string, name string) bool {
	return slices.ContainsFunc(names, func(p string) bool { return pattern(p).matches(name) })
}

// isQuarantine tells whether a NetworkPolicy says what that of a quarantine does, to the
// letter: it denies, and so may be anybody's.
func isQuarantine(_ *judge, i *item) bool { return quarantine.IsPolicy(i.open()) }

// tampered tells whether somebody has written an object of the cluster's that gives
// rights, as far as the records tell.
func (j *judge) tampered(i *item) (doubt, bool) {
	if i.ID.Group != "rbac.authorization.k8s.io" {
		return doubt{}, false
	}
	if !j.isByPeople(i) {
		return doubt{}, false
	}
	return doubt{
		text:     "the cluster makes it by itself, but people have changed what rights it gives",
		evidence: finding.Claimed, severity: finding.Critical,
	}, true
}

// isAutoregistered tells whether an API server keeps an APIService by itself: of the
// ones that it says so, it undoes what others change, and those of its own groups it
// writes whenever it starts.
func isAutoregistered(_ *judge, i *item) bool {
	version, group, _ := strings.Cut(i.ID.Name, ".")
	switch i.label("kube-aggregator.kubernetes.io/automanaged") {
	case "true":
		return true
	case "onstart":
		return version != "" && (!strings.Contains(group, ".") || builtInGroups[group])
	}
	return false
}

var generatedVolume = regexp.MustCompile(`^pvc-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// isProvisioned tells whether a volume is named for a claim's UID, as provisioners do.
func isProvisioned(_ *judge, i *item) bool { return generatedVolume.MatchString(i.ID.Name) }

// isByPeople tells whether a tool of people has written an object.
func (j *judge) isByPeople(i *item) bool {
	return slices.ContainsFunc(j.policy.writers.Writers(i.open()), func(w differ.Written) bool { return w.Foreign && w.Person })
}
