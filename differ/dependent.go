package differ

import (
	"strings"

	"plumbline.dev/plumbline/object"
)

// fixed are defaults by "kind parent.field" that hang on where a structure stands
// and not only on its type. Source: the defaults.go files and the strategies of
// k8s.io/kubernetes.
var fixed = map[string]any{
	"HorizontalPodAutoscaler scaleUp.selectPolicy":               "Max",
	"HorizontalPodAutoscaler scaleUp.stabilizationWindowSeconds": int64(0),
	"HorizontalPodAutoscaler scaleUp.policies": []any{
		map[string]any{"type": "Pods", "value": int64(4), "periodSeconds": int64(15)},
		map[string]any{"type": "Percent", "value": int64(100), "periodSeconds": int64(15)},
	},
	"HorizontalPodAutoscaler scaleDown.selectPolicy": "Max",
	"HorizontalPodAutoscaler scaleDown.policies": []any{
		map[string]any{"type": "Percent", "value": int64(100), "periodSeconds": int64(15)},
	},
	"HorizontalPodAutoscaler spec.metrics": []any{map[string]any{
		"type": "Resource", "resource": map[string]any{
			"name": "cpu", "target": map[string]any{"type": "Utilization", "averageUtilization": int64(80)},
		},
	}},
	"StatefulSet volumeClaimTemplates.apiVersion":                 "v1",
	"StatefulSet volumeClaimTemplates.kind":                       "PersistentVolumeClaim",
	"Namespace spec.finalizers":                                   []any{"kubernetes"},
	"HorizontalPodAutoscaler spec.targetCPUUtilizationPercentage": int64(80),
	"Pod spec.priority":                                           int64(0),
	"Pod spec.preemptionPolicy":                                   "PreemptLowerPriority",
	"StatefulSet updateStrategy.rollingUpdate":                    map[string]any{},
	"StatefulSet status.phase":                                    "Pending", // of a claim's template
}

// isDictated tells whether v is what the server sets a field of a whole value to,
// whatever git says: a claim's template is one of a claim.
func (w *walker) isDictated(parent, name string, v any, n *node) bool {
	return w.builtin && parent == "volumeClaimTemplates" && (name == "apiVersion" || name == "kind") && w.isFixed(parent, name, v, n)
}

// isFixed tells whether v is such a default, completed by those of its own fields.
func (w *walker) isFixed(parent, name string, v any, n *node) bool {
	d, ok := fixed[w.live.ID.Kind+" "+parent+"."+name]
	return ok && w.within(d, v, n, whole{field: name})
}

// isDerived tells whether a label of an object is one of its Pods', which the
// server copies where an object is made that has none of its own, and keeps: also
// where the Pods' has been changed since.
func (w *walker) isDerived(v any) bool {
	if k := w.live.ID.Kind; !w.builtin || k != "Job" && k != "ReplicationController" || len(w.path) != 3 || w.path[1].field != "labels" {
		return false
	}
	name := w.path[2].field
	for _, content := range []map[string]any{w.live.Content, w.git} {
		if labels, _ := at(content, podLabels).(map[string]any); v != nil && equal(v, labels[name]) {
			return true
		}
	}
	switch {
	case w.live.ID.Kind != "Job":
		return false
	case name == "batch.kubernetes.io/job-name", name == "job-name":
		return v == w.live.ID.Name
	case name == "batch.kubernetes.io/controller-uid", name == "controller-uid":
		return v == w.live.Metadata("uid")
	}
	return false
}

// declaresLabels tells whether git declares labels of the object itself.
func (w *walker) declaresLabels() bool {
	labels, _ := at(w.git, []step{fieldStep("metadata"), fieldStep("labels")}).(map[string]any)
	return len(labels) > 0
}

// podLabels leads to the labels of an object's Pods.
var podLabels = []step{fieldStep("spec"), fieldStep("template"), fieldStep("metadata"), fieldStep("labels")}

// dependent tells the defaults of Kubernetes' own kinds that follow from the
// object or from the fields beside them.
func dependent(live object.Object, parent, name string, siblings map[string]any, v any) bool {
	kind := live.ID.Kind
	switch name {
	case "imagePullPolicy", "pullPolicy":
		image, ok := siblings["image"].(string)
		if !ok {
			image, _ = siblings["reference"].(string)
		}
		return v == pullPolicy(image)
	case "serviceAccount":
		return v != nil && equal(v, siblings["serviceAccountName"])
	case "divisor":
		return v == "0"
	case "targetPort":
		return v != nil && equal(v, siblings["port"])
	case "apiGroup":
		return parent == "subjects" && siblings["kind"] != "ServiceAccount" && v == "rbac.authorization.k8s.io"
	case "dataSourceRef", "dataSource":
		return v != nil && (equal(v, siblings["dataSource"]) && equal(v, siblings["dataSourceRef"]))
	case "policyTypes":
		types := []any{"Ingress"}
		if !empty(siblings["egress"]) {
			types = append(types, "Egress")
		}
		return kind == "NetworkPolicy" && equal(v, types)
	}
	switch {
	case kind == "ReplicationController" && parent == "spec" && name == "selector":
		return v != nil && equal(v, at(live.Content, podLabels))
	case kind == "Service" && parent == "spec":
		return ofService(name, siblings, v)
	case kind == "Job" && parent == "spec":
		return ofJob(name, siblings, v)
	case kind == "CustomResourceDefinition" && parent == "names":
		return ofNames(name, siblings, v)
	case kind == "ResourceSlice" && name == "value": // of a capacity
		return v == "0"
	case kind == "ResourceSlice" && parent == "taints" && name == "timeAdded":
		return true // when the server first saw the taint, or last: an apply that leaves it out sets it anew
	case kind == "ServiceAccount" && name == "secrets":
		return areTokens(live.ID.Name, v)
	}
	return false
}

// followsFrom tells whether an undeclared value is the default that follows from
// the declared fields beside it: it stays when somebody changes these.
func (w *walker) followsFrom(declared map[string]any, name string, v any) bool {
	if !w.builtin || len(declared) == 0 {
		return false
	}
	if name == "serviceAccountName" { // of which the server makes the older name too, so that the live one says nothing
		return v != nil && equal(v, declared["serviceAccount"])
	}
	return dependent(w.live, w.parent(), name, declared, v)
}

// isOutlived tells whether an ownerless value was a default once and stayed when
// that from which it followed was changed.
func (w *walker) isOutlived(v any) bool {
	if !w.builtin {
		return false
	}
	switch w.path[len(w.path)-1].field {
	case "imagePullPolicy", "pullPolicy":
		return v == "Always" || v == "IfNotPresent"
	case "policyTypes":
		return w.live.ID.Kind == "NetworkPolicy" && (equal(v, []any{"Ingress"}) || equal(v, []any{"Ingress", "Egress"}))
	}
	return false
}

// ofService are the defaults that follow from a Service's type and affinity.
func ofService(name string, spec map[string]any, v any) bool {
	switch name {
	case "sessionAffinityConfig":
		return spec["sessionAffinity"] == "ClientIP" &&
			equal(v, map[string]any{"clientIP": map[string]any{"timeoutSeconds": int64(10800)}})
	case "externalTrafficPolicy":
		return v == "Cluster"
	case "allocateLoadBalancerNodePorts":
		return spec["type"] == "LoadBalancer" && v == true
	}
	return false
}

// ofJob are the defaults that follow from how a Job deals with failed Pods.
func ofJob(name string, spec map[string]any, v any) bool {
	switch name {
	case "backoffLimit":
		_, perIndex := spec["backoffLimitPerIndex"]
		return !perIndex && equal(v, int64(6)) || perIndex && equal(v, int64(1<<31-1))
	case "podReplacementPolicy":
		if _, ok := spec["podFailurePolicy"]; ok {
			return v == "Failed"
		}
		return v == "TerminatingOrFailed"
	}
	return false
}

// ofNames are the names that a definition's kind implies.
func ofNames(name string, names map[string]any, v any) bool {
	kind, _ := names["kind"].(string)
	return name == "singular" && v == strings.ToLower(kind) || name == "listKind" && v == kind+"List"
}

// areTokens tells whether all items of a ServiceAccount's secrets are called as
// the ones that clusters make for it.
func areTokens(account string, v any) bool {
	items, _ := v.([]any)
	for _, item := range items {
		fields, _ := item.(map[string]any)
		name, _ := fields["name"].(string)
		if !strings.HasPrefix(name, account+"-token-") && !strings.HasPrefix(name, account+"-dockercfg-") {
			return false
		}
	}
	return len(items) > 0
}

// pullPolicy is the default for an image: one that may change is always pulled, but
// not what is no reference to an image at all.
func pullPolicy(image string) string {
	if image == "" || strings.Contains(image, "//") {
		return "IfNotPresent"
	}
	name := image[strings.LastIndex(image, "/")+1:]
	if strings.Contains(name, "@") || strings.Contains(name, ":") && !strings.HasSuffix(name, ":latest") {
		return "IfNotPresent"
	}
	return "Always"
}
