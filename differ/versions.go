package differ

import "maps"

// rename is a field that another version of the same kind calls by other names.
type rename struct {
	from []string
	to   [][]string
}

// renames are those by "kind, version of the record, version of the object". A
// record is spelled as in the version in which its owner wrote. Source: the
// conversion functions of k8s.io/kubernetes/pkg/apis/autoscaling/v1.
var renames = map[string][]rename{
	"HorizontalPodAutoscaler v1 v2": {
		{targetCPU, [][]string{{"spec", "metrics"}}},
		{alphaMetrics, [][]string{{"spec", "metrics"}}},
		{alphaBehavior, [][]string{{"spec", "behavior"}}},
	},
	"HorizontalPodAutoscaler v2 v1": {
		{[]string{"spec", "metrics"}, [][]string{targetCPU, alphaMetrics}},
		{[]string{"spec", "behavior"}, [][]string{alphaBehavior}},
	},
}

var (
	targetCPU     = []string{"spec", "targetCPUUtilizationPercentage"}
	alphaMetrics  = []string{"metadata", "annotations", "autoscaling.alpha.kubernetes.io/metrics"}
	alphaBehavior = []string{"metadata", "annotations", "autoscaling.alpha.kubernetes.io/behavior"}
)

// inVersion returns a record of one version with the names of another.
func inVersion(fields map[string]any, kind, from, to string) map[string]any {
	for _, r := range renames[kind+" "+from+" "+to] {
		if !records(fields, r.from) {
			continue
		}
		for _, place := range r.to {
			fields = withRecord(fields, place)
		}
	}
	return fields
}

// records tells whether a record names the field, or something beneath it.
func records(fields map[string]any, place []string) bool {
	for _, name := range place {
		next, ok := fields["f:"+name].(map[string]any)
		if !ok {
			return false
		}
		fields = next
	}
	return true
}

// withRecord returns a copy of a record that also names a field.
func withRecord(fields map[string]any, place []string) map[string]any {
	result := maps.Clone(fields)
	if result == nil {
		result = map[string]any{}
	}
	if len(place) > 0 {
		next, _ := fields["f:"+place[0]].(map[string]any)
		result["f:"+place[0]] = withRecord(next, place[1:])
	}
	return result
}

// inAnotherVersion returns who wrote the object in another version than it is read
// in, whose records may name fields as this one does not: of several the one that
// should least have been there.
func (w *walker) inAnotherVersion() (owner, bool) {
	var found owner
	ok := false
	for _, o := range w.owners {
		if o.version != "" && o.version != w.live.ID.APIVersion() && (!ok || o.role < found.role) {
			found, ok = o, true
		}
	}
	return found, ok
}

// writerAbove returns who wrote a place above the current one as a whole, in a
// version in which that has no parts.
func (w *walker) writerAbove() Writer {
	other, ok := w.inAnotherVersion()
	if !ok || other.role == deployer {
		return Writer{}
	}
	fields := other.fields
	for _, s := range w.path {
		next, ok := fields["f:"+s.field].(map[string]any)
		switch {
		case s.list != nil || !ok:
			return Writer{}
		case len(next) == 0:
			return other.writer
		}
		fields = next
	}
	return Writer{}
}
