package differ

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// assigned are the fields that the server fills in with values of its own choice,
// by kind; list items are "[]". Source: the strategies of
// k8s.io/kubernetes/pkg/registry.
var assigned = map[string][]string{
	"CertificateSigningRequest": {"spec.extra", "spec.groups", "spec.uid", "spec.username"},
	"DeviceTaintRule":           {"spec.taint.timeAdded"},
	"HorizontalPodAutoscaler": { // how one version tells the other's fields
		`metadata.annotations["autoscaling.alpha.kubernetes.io/conditions"]`,
		`metadata.annotations["autoscaling.alpha.kubernetes.io/current-metrics"]`,
		"spec.targetCPUUtilizationPercentage",
	},
	"Job": {
		"spec.selector",
		`spec.template.metadata.labels["batch.kubernetes.io/controller-uid"]`,
		`spec.template.metadata.labels["batch.kubernetes.io/job-name"]`,
		"spec.template.metadata.labels.controller-uid", "spec.template.metadata.labels.job-name",
	},
	"Pod": {
		`metadata.annotations["kubernetes.io/limit-ranger"]`,
		"spec.nodeName",
		"spec.containers[].ports[].hostPort", "spec.initContainers[].ports[].hostPort",
		"spec.containers[].resources.requests", "spec.initContainers[].resources.requests", "spec.resources",
	},
	"ReplicationController": {"spec.selector"},
	"Service": {
		"spec.clusterIP", "spec.clusterIPs", "spec.healthCheckNodePort", "spec.ipFamilies", "spec.ipFamilyPolicy",
		"spec.ports[].nodePort",
	},
}

// admitted are the fields that the cluster's own admission may fill in when an
// object is made, in the maker's name or nobody's. Source: the plugins of
// k8s.io/kubernetes/plugin/pkg/admission.
var admitted = map[string][]string{
	"Ingress":               {"spec.ingressClassName"},
	"PersistentVolumeClaim": {"spec.storageClassName"},
}

// anywhere are places of objects of any kind that are written without a record.
var anywhere = []string{
	`metadata.annotations["deployment.kubernetes.io/revision"]`,
	"metadata.finalizers[=batch.kubernetes.io/job-tracking]",
	"metadata.finalizers[=customresourcecleanup.apiextensions.k8s.io]",
	"metadata.finalizers[=foregroundDeletion]",
	"metadata.finalizers[=kubernetes.io/pv-protection]",
	"metadata.finalizers[=kubernetes.io/pvc-protection]",
	"metadata.finalizers[=kubernetes.io/vac-protection]",
	"metadata.finalizers[=networking.k8s.io/service-cidr-finalizer]",
	"metadata.finalizers[=orphan]",
	"metadata.finalizers[=resource.kubernetes.io/delete-protection]",
	"metadata.finalizers[=service.kubernetes.io/load-balancer-cleanup]",
	"metadata.generateName",
	"spec.shards",   // how some count replicas
	"spec.replicas", // the scale subresource leaves no record where nobody owned the field
}

// isAssigned tells whether the current place is one that is written without a
// record.
func (w *walker) isAssigned() bool { return w.isKept() || isUnder(shapeOf(w.path), anywhere) }

// isKept tells whether the server assigns the current place, and keeps what it once
// assigned.
func (w *walker) isKept() bool {
	return w.builtin && isUnder(shapeOf(w.path), assigned[w.live.ID.Kind])
}

// isAdmitted tells whether admission may have filled in the current place.
func (w *walker) isAdmitted() bool {
	return w.builtin && isUnder(shapeOf(w.path), admitted[w.live.ID.Kind])
}

// isUnder tells whether a place is one of the fields or within one.
func isUnder(at string, fields []string) bool {
	return slices.ContainsFunc(fields, func(field string) bool {
		rest, ok := strings.CutPrefix(at, field)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// shapeOf spells a path without the keys of lists' items; a set's items keep
// their value.
func shapeOf(path []step) string {
	var b strings.Builder
	for _, s := range path {
		if s.list != nil && !s.list.set {
			b.WriteString("[]")
			continue
		}
		if text := (Path{s.value()}).String(); b.Len() == 0 || text[0] == '[' {
			b.WriteString(text)
		} else {
			b.WriteString("." + text)
		}
	}
	return b.String()
}

// isNewer tells whether the current place is a field of one of Kubernetes' own
// kinds that this program does not know, as of a server that is newer: nor does
// it know the field's default. Nothing is newer than what the server itself tells.
func (w *walker) isNewer() bool {
	if !w.builtin || w.stored.Alone || w.asKnown(w.path) != nil {
		return false
	}
	w.doubt()
	return true
}

// asKnown returns the live value at a path as far as our Go types know its
// fields; nil where they know none.
func (w *walker) asKnown(path []step) any {
	if w.known == nil {
		w.known = map[string]any{}
		typed, err := kinds().New(gvk(w.live.ID))
		if err != nil {
			return nil
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(w.live.Content, typed); err != nil {
			return nil
		}
		if known, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed); err == nil {
			w.known = known
		}
	}
	return at(w.known, path)
}
