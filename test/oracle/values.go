package oracle

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// values makes values that a schema allows, and with luck the API server too.
type values struct {
	shapes shapes
	// seen are values that stand in objects which the server took, by field and
	// by type. They make up for what schemas do not tell.
	seen map[string][]any
	// off are the features that are left out, by name.
	off map[string]bool
}

// learn remembers the values of an object.
func (g values) learn(value any, in shape) {
	for _, s := range g.shapes.present(value, in, nil) {
		for _, key := range []string{s.in.field, s.in.typeName} {
			if key != "" && len(g.seen[key]) < 40 {
				g.seen[key] = append(g.seen[key], s.value)
			}
		}
	}
}

// of returns a value for a place.
func (g values) of(r *rand.Rand, in shape, depth int) any {
	if known := g.known(in); len(known) > 0 && r.IntN(2) == 0 {
		return deepCopy(known[r.IntN(len(known))])
	}
	if len(in.Enum) > 0 {
		return in.Enum[r.IntN(len(in.Enum))]
	}
	switch {
	case in.extension("x-kubernetes-int-or-string") == "true" || in.Format == "int-or-string":
		return pick[any](r, int64(80), "http", "50%", int64(1), int64(8080), "25%")
	case strings.HasSuffix(in.typeName, "resource.Quantity"):
		return pick[any](r, "100m", "1", "0.5", "1Gi", "512Mi", "1500m", int64(2), "1k")
	case in.is("string"):
		return text(r, in)
	case in.is("integer"):
		return number(r, in)
	case in.is("number"):
		return pick[any](r, int64(1), 0.5, int64(3))
	case in.is("boolean"):
		return r.IntN(2) == 0
	case in.is("array"):
		return g.list(r, in, depth)
	default:
		return g.mapping(r, in, depth)
	}
}

func (g values) known(in shape) []any {
	if known := g.seen[in.field]; len(known) > 0 {
		return known
	}
	return g.seen[in.typeName]
}

func (g values) list(r *rand.Rand, in shape, depth int) any {
	list := []any{}
	if depth <= 0 {
		return list
	}
	for range 1 + r.IntN(2) {
		list = append(list, g.of(r, g.shapes.items(in), depth-1))
	}
	return list
}

// mapping returns an object with all required fields and some of the others.
func (g values) mapping(r *rand.Rand, in shape, depth int) any {
	result := map[string]any{}
	if in.AdditionalProperties != nil && in.AdditionalProperties.Schema != nil {
		for range 1 + r.IntN(2) {
			result[fmt.Sprintf("key%d", r.IntN(4))] = g.of(r, g.shapes.property(in, "*"), depth-1)
		}
		return result
	}
	if len(in.Properties) == 0 {
		return pick[any](r, map[string]any{}, map[string]any{"free": "text"}, map[string]any{"deep": map[string]any{"list": []any{int64(1), "two"}}})
	}
	for _, name := range slices.Sorted(maps.Keys(in.Properties)) {
		required := slices.Contains(in.Required, name)
		if required && depth > -3 || depth > 0 && r.IntN(len(in.Properties)) < 2 && !in.isMeta() {
			result[name] = g.of(r, g.shapes.property(in, name), depth-1)
		}
	}
	if in.extension("x-kubernetes-embedded-resource") == "true" {
		result["apiVersion"], result["kind"] = "example.com/v1", "Embedded"
		result["metadata"] = map[string]any{"name": "embedded"}
	}
	return result
}

// samples are strings for fields whose names say more than their schemas.
var samples = map[string][]any{
	"schedule":           {"*/5 * * * *", "0 4 * * 1"},
	"timeZone":           {"Etc/UTC", "Europe/Berlin"},
	"image":              {"registry.example.com/other:2", "evil.example/miner", "busybox:latest"},
	"mountPath":          {"/extra", "/data/more"},
	"path":               {"/more", "/ready"},
	"cidr":               {"10.0.0.0/8", "192.0.2.0/24"},
	"ip":                 {"192.0.2.1", "192.0.2.2"},
	"host":               {"a.example.com", "b.example.com"},
	"apiGroup":           {"example.com"},
	"apiVersion":         {"v1"},
	"operator":           {"Exists", "In"},
	"fieldPath":          {"metadata.name", "metadata.namespace"},
	"topologyKey":        {"kubernetes.io/hostname", "zone"},
	"resource":           {"requests.cpu", "limits.memory"},
	"runtimeClassName":   {"gvisor"},
	"workingDir":         {"/srv"},
	"type":               {"RollingUpdate", "Utilization", "NodePort", "ClusterIP"},
	"loadBalancerClass":  {"example.com/internal"},
	"ipFamilyPolicy":     {"SingleStack", "PreferDualStack"},
	"expression":         {"true", "1 == 1"},
	"url":                {"https://hook.example.com/"},
	"caBundle":           {"Cg=="},
	"verbs":              {"get", "list", "watch"},
	"accessModes":        {"ReadWriteOnce", "ReadOnlyMany"},
	"whenUnsatisfiable":  {"DoNotSchedule", "ScheduleAnyway"},
	"scopeName":          {"PriorityClass"},
	"namespace":          {"oracle", "default"},
	"maxUnavailable":     {"25%", "10%"},
	"preemptionPolicy":   {"Never", "PreemptLowerPriority"},
	"reclaimPolicy":      {"Delete", "Retain"},
	"volumeBindingMode":  {"Immediate", "WaitForFirstConsumer"},
	"procMount":          {"Default"},
	"nominatedNodeName":  {"none"},
	"priorityClassName":  {"system-node-critical"},
	"nonResourceURLs":    {"/healthz"},
	"sourceRange":        {"10.0.0.0/8"},
	"strategy":           {"RollingUpdate"},
	"serviceAccountName": {"default", "web"},
}

func text(r *rand.Rand, in shape) any {
	switch in.Format {
	case "date-time":
		if strings.HasSuffix(in.typeName, "MicroTime") {
			return pick[any](r, "2026-01-01T00:00:00.000000Z", "2026-02-03T04:05:06.500000Z")
		}
		return pick[any](r, "2026-01-01T00:00:00Z", "2026-02-03T04:05:06Z")
	case "byte":
		return pick[any](r, "eWVz", "bm8=")
	}
	if known := samples[in.lastName()]; len(known) > 0 {
		return known[r.IntN(len(known))]
	}
	return fmt.Sprintf("v%d", r.IntN(5))
}

func number(r *rand.Rand, in shape) any {
	name := strings.ToLower(in.lastName())
	switch {
	case strings.Contains(name, "nodeport"):
		return int64(30000 + r.IntN(2000))
	case strings.Contains(name, "port"):
		return pick[any](r, int64(80), int64(443), int64(9090), int64(7000+r.IntN(9)))
	case strings.Contains(name, "replicas"), name == "parallelism", name == "completions":
		return int64(r.IntN(3))
	case strings.Contains(name, "mode"):
		return pick[any](r, int64(0o600), int64(0o644))
	}
	return pick[any](r, int64(0), int64(1), int64(2), int64(5), int64(30), int64(100))
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func deepCopy(v any) any {
	return rename(v, nameToken, nameToken)
}
