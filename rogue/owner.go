package rogue

import (
	"fmt"
	"strings"
	"time"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// check is what came of looking at an owner and its child: the zero value says that
// the child is its owner's.
type check struct {
	// but goes on from "it names … as its owner, but": "" for a child that is.
	but string
	// is goes on from "nobody declared it:", instead.
	is string
	// severity is that of a finding; 0 for that of the kind.
	severity finding.Severity
	// claimed says that it rests on what anyone can write.
	claimed bool
	// unjudged says that nothing tells whether it is, which was recorded.
	unjudged bool
}

func but(format string, args ...any) check { return check{but: fmt.Sprintf(format, args...)} }

// edge is a kind of thing that a controller makes of another.
type edge struct{ owner, child string }

// edges are what Kubernetes' own controllers make, and how it is told that a child is
// one of those. Source: the controllers of k8s.io/kubernetes/pkg/controller.
var edges = map[edge]func(j *judge, owner, child *item) check{
	{"Deployment.apps", "ReplicaSet.apps"}:                       (*judge).fitsDeployment,
	{"ReplicaSet.apps", "Pod"}:                                   (*judge).fitsTemplate,
	{"StatefulSet.apps", "Pod"}:                                  (*judge).fitsTemplate,
	{"DaemonSet.apps", "Pod"}:                                    (*judge).fitsTemplate,
	{"ReplicationController", "Pod"}:                             (*judge).fitsTemplate,
	{"Job.batch", "Pod"}:                                         (*judge).fitsTemplate,
	{"CronJob.batch", "Job.batch"}:                               (*judge).fitsCronJob,
	{"StatefulSet.apps", "ControllerRevision.apps"}:              (*judge).isByControllers,
	{"DaemonSet.apps", "ControllerRevision.apps"}:                (*judge).isByControllers,
	{"StatefulSet.apps", "PersistentVolumeClaim"}:                (*judge).fitsClaim,
	{"Pod", "PersistentVolumeClaim"}:                             (*judge).fitsPodsVolume,
	{"Pod", "ResourceClaim.resource.k8s.io"}:                     (*judge).isByControllers,
	{"Service", "EndpointSlice.discovery.k8s.io"}:                (*judge).fitsService,
	{"Endpoints", "EndpointSlice.discovery.k8s.io"}:              (*judge).fitsService,
	{"Node", "Pod"}:                                              (*judge).fitsNode,
	{"Ingress.networking.k8s.io", "Certificate.cert-manager.io"}: (*judge).isByControllers,
}

// ownerOf returns whom an object was checked to belong to, or why nobody.
func (j *judge) ownerOf(i *item) (*item, doubt) {
	if owner := j.ownerWithoutReference(i); owner != nil {
		return owner, doubt{}
	}
	var named *reference
	for n := range i.refs {
		if r := &i.refs[n]; named == nil || r.controller && !named.controller {
			named = r
		}
	}
	if named == nil {
		return nil, doubt{text: "it belongs to nothing that is declared", evidence: finding.Declared}
	}
	owner, c := j.checkReference(i, *named)
	if c == (check{}) {
		return owner, doubt{}
	}
	d := doubt{text: c.is, evidence: finding.Checked, severity: c.severity, unjudged: c.unjudged}
	if c.is == "" {
		d.text = fmt.Sprintf("it names %s %s as its owner, but %s", named.kind, named.id.Name, c.but)
	}
	if c.claimed {
		d.evidence = finding.Claimed
	}
	return nil, d
}

// checkReference checks one edge: the owner lives, it is the one that is meant, it
// makes such children, and this child fits.
func (j *judge) checkReference(i *item, r reference) (*item, check) {
	owner := j.byUID[r.uid]
	if owner == nil || owner.kind != r.kind || owner.ID.Name != r.id.Name || owner.ID.Namespace != "" && owner.ID.Namespace != i.ID.Namespace {
		return nil, j.notLive(i, r, owner)
	}
	if !r.controller {
		return nil, but("not as its controller, and so nothing checks that")
	}
	fits, known := edges[edge{owner.kind, i.kind}]
	if !known && isKubernetes(owner.ID.Group) {
		return nil, but("a %s makes no %s", owner.ID.Kind, i.ID.Kind)
	}
	if !known {
		fits = (*judge).isByControllers // an operator's: what it makes of what is not known
	}
	return owner, fits(j, owner, i)
}

// notLive says why a reference leads nowhere.
func (j *judge) notLive(i *item, r reference, owner *item) check {
	id := r.id
	if r.kind == "Node" {
		id.Namespace = ""
	}
	switch {
	case owner != nil:
		return but("its UID is that of %s", owner.ID)
	case j.byID.Has(id):
		return but("that has another UID")
	case !j.listed(id):
		j.unsure(i, fmt.Sprintf("its owner %s %s was not listed", r.kind, r.id.Name))
		return check{unjudged: true}
	}
	return but("there is no such object")
}

// isKubernetes tells whether an API group is one of Kubernetes' own: those have no dot
// or end in k8s.io, but for the ones that are made for projects beside it.
func isKubernetes(group string) bool {
	switch group {
	case "gateway.networking.k8s.io", "snapshot.storage.k8s.io":
		return false
	}
	return !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io") && !strings.Contains(group, ".x-k8s.io") && builtInGroups[group]
}

// builtInGroups are the API groups with a dot that every API server serves.
var builtInGroups = map[string]bool{
	"admissionregistration.k8s.io": true, "apiextensions.k8s.io": true, "apiregistration.k8s.io": true,
	"authentication.k8s.io": true, "authorization.k8s.io": true, "certificates.k8s.io": true,
	"coordination.k8s.io": true, "discovery.k8s.io": true, "events.k8s.io": true,
	"flowcontrol.apiserver.k8s.io": true, "internal.apiserver.k8s.io": true, "networking.k8s.io": true,
	"node.k8s.io": true, "rbac.authorization.k8s.io": true, "resource.k8s.io": true,
	"scheduling.k8s.io": true, "storage.k8s.io": true, "storagemigration.k8s.io": true,
}

// isByControllers wants no person to have written what a controller is said to have
// made. What else it should look like is not known.
func (j *judge) isByControllers(_, child *item) check {
	if j.isByPeople(child) {
		return check{but: "people have written it", claimed: true}
	}
	return check{}
}

// ownerWithoutReference returns the owner of what controllers make without saying
// whose it is: the Endpoints of a Service, and the claims of a StatefulSet.
func (j *judge) ownerWithoutReference(i *item) *item {
	switch {
	case i.kind == "Endpoints":
		service, _ := j.byID.Get(object.ID{Kind: "Service", Namespace: i.ID.Namespace, Name: i.ID.Name})
		if service != nil && at(service.content(), "spec") != nil && len(fieldsAt(service.content(), "spec", "selector")) == 0 {
			return nil // of a Service without a selector, they are written by hand
		}
		if service != nil && j.isByControllers(service, i) == (check{}) {
			return service
		}
	case i.kind == "Secret":
		return j.accountOf(i)
	case i.kind == "PersistentVolumeClaim" && len(i.refs) == 0:
		for _, set := range j.setsByClaim()[claimKey(i)] {
			if j.fitsClaim(set, i) == (check{}) {
				return set
			}
		}
	}
	return nil
}

// accountSecrets are the Secrets that a cluster makes for each service account, by what
// stands in their names between the account's and five letters: up to v1.23 its
// token, and OpenShift's registry credentials.
var accountSecrets = []struct {
	between, secretType string
	on                  distribution
	within              time.Duration // of the account's making; 0 for any time
}{
	{"-token-", "kubernetes.io/service-account-token", "", time.Minute},
	{"-dockercfg-", "kubernetes.io/dockercfg", openshift, 0},
}

// accountOf returns the service account for which the cluster made a Secret; nil for
// other Secrets. That of a token that somebody asked for has the account's UID too, but
// is younger than the account.
func (j *judge) accountOf(secret *item) *item {
	for _, s := range accountSecrets {
		name, random := cutLast(secret.ID.Name, s.between)
		account, _ := j.byID.Get(object.ID{Kind: "ServiceAccount", Namespace: secret.ID.Namespace, Name: name})
		if len(random) != 5 || account == nil || !j.isOn(s.on) || j.isByPeople(secret) {
			continue
		}
		if s.within > 0 && secret.created().Sub(account.created()).Abs() > s.within {
			continue
		}
		kind, known := secret.content()["type"].(string)
		if uid := secret.annotation("kubernetes.io/service-account.uid"); uid == account.uid && (!known || kind == s.secretType) {
			return account
		}
	}
	return nil
}

// setsByClaim returns the StatefulSets by what the names of their claims begin with.
func (j *judge) setsByClaim() map[key][]*item {
	if j.claims != nil {
		return j.claims
	}
	j.claims = map[key][]*item{}
	for _, set := range j.items {
		if set.kind != "StatefulSet.apps" {
			continue
		}
		for _, c := range listAt(set.content(), "spec", "volumeClaimTemplates") {
			k := key{namespace: set.ID.Namespace, name: text(c, "metadata", "name") + "-" + set.ID.Name}
			j.claims[k] = append(j.claims[k], set)
		}
	}
	return j.claims
}

// claimKey is the claim's name without its ordinal.
func claimKey(i *item) key {
	name, ordinal := cutLast(i.ID.Name, "-")
	if !isOrdinal(ordinal) {
		name = ""
	}
	return key{namespace: i.ID.Namespace, name: name}
}

func cutLast(s, sep string) (before, after string) {
	if n := strings.LastIndex(s, sep); n >= 0 {
		return s[:n], s[n+len(sep):]
	}
	return s, ""
}

func isOrdinal(s string) bool {
	return s != "" && len(s) < 10 && strings.Trim(s, "0123456789") == "" && (s == "0" || s[0] != '0')
}
