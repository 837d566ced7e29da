package oracle

import (
	"slices"
	"strconv"
)

// addition is something that people add to objects of a kind: the operations
// that add it to one, or none where it does not fit.
type addition func(map[string]any) []Operation

// additionsTo are the additions that matter most, by kind.
var additionsTo = map[string][]addition{
	"Deployment":            workload,
	"StatefulSet":           workload,
	"DaemonSet":             workload,
	"ReplicaSet":            workload,
	"ReplicationController": workload,
	"Job":                   {set(true, "spec", "suspend"), set(int64(60), "spec", "activeDeadlineSeconds"), set(int64(9), "spec", "ttlSecondsAfterFinished")},
	"PodTemplate":           within(podAdditions, "template"),
	"ConfigMap":             {set("yes", "data", "added"), set("eWVz", "binaryData", "added"), set(true, "immutable")},
	"Secret":                {set("eWVz", "data", "added"), set("text", "stringData", "typed")},
	"Service": {
		add(map[string]any{"name": "extra", "port": int64(9999)}, "spec", "ports"),
		set("ClientIP", "spec", "sessionAffinity"),
		set("NodePort", "spec", "type"),
		set("LoadBalancer", "spec", "type"),
		add("192.0.2.9", "spec", "externalIPs"),
		set("extra", "spec", "selector", "tier"),
	},
	"NetworkPolicy": {
		add(map[string]any{"ports": []any{map[string]any{"port": int64(22)}}}, "spec", "ingress"),
		add(map[string]any{}, "spec", "egress"),
	},
	"CronJob":     append([]addition{set(true, "spec", "suspend"), set(int64(30), "spec", "startingDeadlineSeconds")}, within(podAdditions, "spec", "jobTemplate", "spec", "template")...),
	"Role":        {add(secretsRule, "rules")},
	"ClusterRole": {add(secretsRule, "rules")},
	"RoleBinding": {add(map[string]any{"kind": "User", "name": "mallory"}, "subjects")},
	"ClusterRoleBinding": {
		add(map[string]any{"kind": "Group", "name": "system:unauthenticated"}, "subjects"),
	},
	"ServiceAccount": {set(false, "automountServiceAccountToken"), add(map[string]any{"name": "other"}, "imagePullSecrets")},
	"Ingress":        {set("extra", "spec", "ingressClassName"), add(map[string]any{"hosts": []any{"x.example.com"}}, "spec", "tls")},
	"Namespace":      {set("privileged", "metadata", "labels", "pod-security.kubernetes.io/enforce")},
	"HorizontalPodAutoscaler": {
		set(int64(2), "spec", "minReplicas"), set(int64(50), "spec", "maxReplicas"),
		set(int64(0), "spec", "behavior", "scaleDown", "stabilizationWindowSeconds"),
	},
	"Widget": {
		set(int64(9), "spec", "size"), set("blue", "spec", "color"), set("yes", "spec", "labels", "added"),
		set("yes", "spec", "anything", "added"), set("yes", "spec", "note"), set(int64(5), "spec", "point", "y"),
		add("extra", "spec", "tags"), add("extra", "spec", "steps"), add(map[string]any{"port": int64(99)}, "spec", "ports"),
	},
}

var secretsRule = map[string]any{"apiGroups": []any{""}, "resources": []any{"secrets"}, "verbs": []any{"get"}}

// workload has a template of pods; podAdditions are to that.
var workload = within(podAdditions, "spec", "template")

var podAdditions = slices.Concat([]addition{
	add(map[string]any{"name": "miner", "image": "evil.example/miner"}, "spec", "containers"),
	add(map[string]any{"name": "setup", "image": "evil.example/setup"}, "spec", "initContainers"),
	set(true, "spec", "hostNetwork"),
	set(true, "spec", "hostPID"),
	set("system-node-critical", "spec", "priorityClassName"),
	set("admin", "spec", "serviceAccountName"),
	set("ssd", "spec", "nodeSelector", "disk"),
	set("yes", "metadata", "labels", "added"),
	set("2026-01-01T00:00:00Z", "metadata", "annotations", "example.com/restarted"),
	set(int64(0), "spec", "securityContext", "runAsUser"),
	add(map[string]any{"key": "gpu", "operator": "Exists"}, "spec", "tolerations"),
	add(map[string]any{"name": "host", "hostPath": map[string]any{"path": "/"}}, "spec", "volumes"),
}, within([]addition{
	set(true, "securityContext", "privileged"),
	add("SYS_ADMIN", "securityContext", "capabilities", "add"),
	add(map[string]any{"name": "DEBUG", "value": "1"}, "env"),
	add(map[string]any{"name": "HOST", "valueFrom": map[string]any{"fieldRef": map[string]any{"fieldPath": "spec.nodeName"}}}, "env"),
	add(map[string]any{"secretRef": map[string]any{"name": "other"}}, "envFrom"),
	add("--debug", "args"),
	add(map[string]any{"containerPort": int64(22)}, "ports"),
	set("0.5", "resources", "limits", "cpu"),
	set(int64(8080), "livenessProbe", "tcpSocket", "port"),
	set("/more", "readinessProbe", "httpGet", "path"),
	set("evil.example/web:1", "image"),
	set(map[string]any{"command": []any{"sh"}}, "lifecycle", "postStart", "exec"),
}, "spec", "containers", "0"))

// set puts a value at a path, with the mappings that lead there.
func set(v any, path ...string) addition {
	return func(o map[string]any) []Operation { return setAt(o, v, path) }
}

func setAt(o any, v any, path []string) []Operation {
	for i, step := range path {
		next, ok := child(o, step)
		if !ok {
			for j := len(path) - 1; j > i; j-- {
				v = map[string]any{path[j]: v}
			}
			return []Operation{{Op: "add", Path: pointer(path[:i+1]), Value: v}}
		}
		o = next
	}
	return []Operation{{Op: "replace", Path: pointer(path), Value: v}}
}

// add puts an item at the end of a list.
func add(v any, path ...string) addition {
	return func(o map[string]any) []Operation {
		if list, ok := descend(o, path).([]any); ok && list != nil {
			return []Operation{{Op: "add", Path: pointer(path) + "/-", Value: v}}
		}
		return setAt(o, []any{v}, path)
	}
}

// within makes additions to a part of an object.
func within(additions []addition, path ...string) []addition {
	var all []addition
	for _, a := range additions {
		all = append(all, func(o map[string]any) []Operation {
			part, ok := descend(o, path).(map[string]any)
			if !ok {
				return nil
			}
			var operations []Operation
			for _, op := range a(part) {
				op.Path = pointer(path) + op.Path
				operations = append(operations, op)
			}
			return operations
		})
	}
	return all
}

func descend(o any, path []string) any {
	for _, step := range path {
		o, _ = child(o, step)
	}
	return o
}

func child(o any, step string) (any, bool) {
	switch o := o.(type) {
	case map[string]any:
		v, ok := o[step]
		return v, ok
	case []any:
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 || i >= len(o) {
			return nil, false
		}
		return o[i], true
	}
	return nil, false
}
