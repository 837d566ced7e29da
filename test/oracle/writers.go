package oracle

import (
	"cmp"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"plumbline.dev/plumbline/differ"
)

// writers wants each change to name who last wrote the place, as far as the
// server's records, which have one time for each manager, can tell.
func (t truth) writers(said []differ.Change) []string {
	var wrong []string
	if len(t.live.GetManagedFields()) == 0 {
		return nil // the server keeps none, as of a CertificateSigningRequest
	}
	for _, c := range said {
		if c.Live == nil || c.Op != differ.Added && c.Op != differ.Modified && c.Op != differ.Contested {
			continue
		}
		q := spelled(c.Path)
		if t.ignored(q) || c.Writer.Manager == nobody && t.ledger.renamed {
			continue // no record is kept, or one was made up
		}
		holds := slices.DeleteFunc(t.ledger.around(q), func(h hold) bool { return h.Role == server || h.Manager == "" || !h.meant })
		changers := slices.DeleteFunc(slices.Clone(holds), func(h hold) bool { return h.again })
		if c.Writer.Manager == "" && (t.ledger.touched(q, 0, func(t touch) bool { return t.Way == Scale }) || len(valuesAt(t.live.Object, c.Path[:len(c.Path)-1])) > 1) {
			continue // whoever scales leaves no record where nobody owned the field or nothing changed, nor does who writes two items with one key
		}
		if c.Writer.Manager == "" && t.live.GetKind() == "Secret" && strings.HasPrefix(q, ".data.") {
			continue // the record of a stringData goes with anybody's apply
		}
		if c.Writer.Manager == "" && t.live.GetKind() == "HorizontalPodAutoscaler" && t.ledger.converted() {
			continue // of which the server loses records of another version
		}
		if len(changers) == 0 || !recorded(holds) || roles(holds)[Impostor] {
			continue
		}
		if !t.mayBe(c.Writer, q, last(changers), holds) {
			wrong = append(wrong, fmt.Sprintf("writer: %s is said to be by %q (%s), and is by %s", q, c.Writer.Manager, c.Writer.Operation, writersOf(holds)))
		}
	}
	return wrong
}

// mayBe tells whether a writer is the last one who changed a place, one that
// applied the same since, or one that the server may take for it: that touched
// the place and has written since the last one has, as far as the records'
// seconds tell.
func (t truth) mayBe(w differ.Writer, place string, last hold, holds []hold) bool {
	named := func(s Step) bool { return s.Manager == w.Manager && (s.Way == Apply) == (w.Operation == "Apply") }
	toucher := func(t touch) bool { return named(t.Step) }
	return slices.ContainsFunc(holds, func(h hold) bool { return h.number >= last.number && named(h.Step) }) ||
		t.ledger.touched(place, last.number, toucher) ||
		!t.written(w.Manager, w.Operation == "Apply", "").Before(t.written(last.Manager, last.Way == Apply, cmp.Or(last.Version, t.live.GroupVersionKind().Version))) && (t.ledger.touched(place, 0, toucher) || t.respelled(place))
}

// respelled tells whether the server spells a place anew at every write, for the sake
// of another version, and takes whoever writes for the owner.
func (t truth) respelled(place string) bool {
	return t.live.GetKind() == "HorizontalPodAutoscaler" && (beneath(place, ".spec.metrics") || place == ".spec.targetCPUUtilizationPercentage")
}

// written is when the server says that the manager last wrote anything but the
// status, by apply or otherwise, in a version of the API if that is given.
func (t truth) written(manager string, apply bool, version string) time.Time {
	var last time.Time
	for _, record := range t.live.GetManagedFields() {
		applies := record.Operation == metav1.ManagedFieldsOperationApply
		is := record.Manager == manager && applies == apply && record.Subresource != "status" && path.Base(record.APIVersion) == cmp.Or(version, path.Base(record.APIVersion))
		if is && record.Time != nil && record.Time.After(last) {
			last = record.Time.Time
		}
	}
	return last
}

// values wants the values that are said to be live to be live.
func (t truth) values(said []differ.Change) []string {
	var wrong []string
	for _, c := range said {
		if c.Live == nil || c.Op == differ.Reordered || t.live.GetKind() == "Secret" {
			continue
		}
		if live := valuesAt(t.live.Object, c.Path); !slices.ContainsFunc(live, func(v any) bool { return reflect.DeepEqual(v, c.Live) }) {
			wrong = append(wrong, fmt.Sprintf("value: %s is %v and said to be %v", spelled(c.Path), live, c.Live))
		}
	}
	return wrong
}

// valuesAt returns the values at a path of fields and merge keys: more than one,
// where items of a list have one key.
func valuesAt(v any, path differ.Path) []any {
	if len(path) == 0 {
		return []any{v}
	}
	var all []any
	switch at := v.(type) {
	case map[string]any:
		name, _ := path[0].(string)
		if field, ok := at[name]; ok {
			return valuesAt(field, path[1:])
		}
	case []any:
		for _, item := range at {
			if isItem(item, path[0]) {
				all = append(all, valuesAt(item, path[1:])...)
			}
		}
	}
	return all
}

func isItem(item, step any) bool {
	if of, ok := step.(differ.Item); ok {
		return reflect.DeepEqual(item, of.Value)
	}
	keys, _ := step.(map[string]any)
	fields, _ := item.(map[string]any)
	for k, want := range keys {
		if got, ok := fields[k]; ok && !reflect.DeepEqual(got, want) {
			return false
		}
	}
	return true
}
