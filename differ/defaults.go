package differ

import "strings"

// serverDefaults are the values that the API server gives to absent fields of
// Kubernetes' own kinds and that its schemas do not tell, by "field" or, where
// the field's name means several things, by "parent.field". Who creates an object
// by anything but a server-side apply is recorded as the owner of them all, and
// has added nothing by that. Sources: the defaults.go files of pkg/apis in
// k8s.io/kubernetes.
var serverDefaults = map[string][]any{
	// Pods and their containers.
	"restartPolicy":                 {"Always"},
	"dnsPolicy":                     {"ClusterFirst"},
	"schedulerName":                 {"default-scheduler"},
	"terminationGracePeriodSeconds": {int64(30)},
	"enableServiceLinks":            {true},
	"securityContext":               {map[string]any{}},
	"resources":                     {map[string]any{}},
	"terminationMessagePath":        {"/dev/termination-log"},
	"terminationMessagePolicy":      {"File"},
	"protocol":                      {"TCP"},
	"httpGet.scheme":                {"HTTP"},
	"livenessProbe.timeoutSeconds":  {int64(1)}, "livenessProbe.periodSeconds": {int64(10)},
	"livenessProbe.successThreshold": {int64(1)}, "livenessProbe.failureThreshold": {int64(3)},
	"readinessProbe.timeoutSeconds": {int64(1)}, "readinessProbe.periodSeconds": {int64(10)},
	"readinessProbe.successThreshold": {int64(1)}, "readinessProbe.failureThreshold": {int64(3)},
	"startupProbe.timeoutSeconds": {int64(1)}, "startupProbe.periodSeconds": {int64(10)},
	"startupProbe.successThreshold": {int64(1)}, "startupProbe.failureThreshold": {int64(3)},
	"fieldRef.apiVersion":                   {"v1"},
	"resourceFieldRef.divisor":              {"0"},
	"serviceAccountToken.expirationSeconds": {int64(3600)},
	"secret.defaultMode":                    {int64(420)}, "configMap.defaultMode": {int64(420)},
	"projected.defaultMode": {int64(420)}, "downwardAPI.defaultMode": {int64(420)},
	"hostPath.type": {""},
	// Workloads.
	"spec.replicas":                                    {int64(1)},
	"progressDeadlineSeconds":                          {int64(600)},
	"revisionHistoryLimit":                             {int64(10)},
	"strategy.type":                                    {"RollingUpdate"},
	"updateStrategy.type":                              {"RollingUpdate"},
	"rollingUpdate.maxSurge":                           {"25%", int64(0)}, // of a Deployment, of a DaemonSet
	"rollingUpdate.maxUnavailable":                     {"25%", int64(1)},
	"rollingUpdate.partition":                          {int64(0)},
	"podManagementPolicy":                              {"OrderedReady"},
	"persistentVolumeClaimRetentionPolicy.whenDeleted": {"Retain"},
	"persistentVolumeClaimRetentionPolicy.whenScaled":  {"Retain"},
	"volumeMode":                                       {"Filesystem"},
	"volumeClaimTemplates.apiVersion":                  {"v1"},
	"volumeClaimTemplates.kind":                        {"PersistentVolumeClaim"},
	"volumeClaimTemplates.status":                      {map[string]any{"phase": "Pending"}},
	// Jobs.
	"concurrencyPolicy":          {"Allow"},
	"failedJobsHistoryLimit":     {int64(1)},
	"successfulJobsHistoryLimit": {int64(3)},
	"suspend":                    {false},
	"backoffLimit":               {int64(6)},
	"completionMode":             {"NonIndexed"},
	"completions":                {int64(1)},
	"parallelism":                {int64(1)},
	"manualSelector":             {false},
	"podReplacementPolicy":       {"TerminatingOrFailed"},
	// The rest.
	"internalTrafficPolicy":  {"Cluster"},
	"sessionAffinity":        {"None"},
	"minReplicas":            {int64(1)},
	"webhooks.failurePolicy": {"Fail"}, "webhooks.matchPolicy": {"Equivalent"},
	"webhooks.timeoutSeconds": {int64(10)}, "webhooks.reinvocationPolicy": {"Never"},
	"rules.scope":  {"*"},
	"service.port": {int64(443)}, // of a webhook's clientConfig
}

// serverDefault tells whether v, the value of a named field of one of
// Kubernetes' own kinds, is what the server gives to it where it is absent.
// Siblings are the fields beside it, on which some depend.
func (w *walker) serverDefault(parent, name string, v any, siblings map[string]any, n *node) bool {
	if !w.builtin || n == nil {
		return false
	}
	if _, named := n.fields[name]; !named {
		return false
	}
	for _, key := range []string{parent + "." + name, name} {
		for _, d := range serverDefaults[key] {
			if equal(d, v) {
				return true
			}
		}
	}
	if dependent(w.live.ID.Kind, parent, name, siblings, v) {
		return true
	}
	fields, _ := v.(map[string]any)
	for k, inner := range fields {
		if !w.serverDefault(name, k, inner, fields, n.field(name)) {
			return false
		}
	}
	return len(fields) > 0
}

// dependent tells the defaults that follow from the object or from the fields
// beside them.
func dependent(kind, parent, name string, siblings map[string]any, v any) bool {
	switch name {
	case "imagePullPolicy":
		image, _ := siblings["image"].(string)
		return v == pullPolicy(image)
	case "serviceAccount":
		return v != nil && equal(v, siblings["serviceAccountName"])
	case "targetPort":
		return v != nil && equal(v, siblings["port"])
	case "type":
		return parent == "" && kind == "Secret" && v == "Opaque" || parent == "spec" && kind == "Service" && v == "ClusterIP"
	case "apiGroup":
		return parent == "subjects" && siblings["kind"] != "ServiceAccount" && v == "rbac.authorization.k8s.io"
	case "policyTypes":
		types := []any{"Ingress"}
		if !empty(siblings["egress"]) {
			types = append(types, "Egress")
		}
		return kind == "NetworkPolicy" && equal(v, types)
	}
	return false
}

// pullPolicy is the default for an image: one that may change is always pulled.
func pullPolicy(image string) string {
	name := image[strings.LastIndex(image, "/")+1:]
	if strings.Contains(name, "@") || strings.Contains(name, ":") && !strings.HasSuffix(name, ":latest") {
		return "IfNotPresent"
	}
	return "Always"
}
