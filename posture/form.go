package posture

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"plumbline.dev/plumbline/object"
)

// verdict is what the standard says of all templates of one form.
type verdict struct {
	fails []fail
	err   error
}

// judged returns what a template fails. Thousands of Pods have the same few forms, and
// to convert one takes far longer than to spell its form.
func (j *judge) judged(t template) ([]fail, error) {
	if parts := t.parts(); !j.last.isOf(parts) {
		j.last = judgedTemplate{parts, true, j.verdict(t)}
	}
	return j.last.verdict.fails, j.last.verdict.err
}

// verdict looks a template's form up.
func (j *judge) verdict(t template) verdict {
	j.form = t.form(j.form[:0])
	v, ok := j.forms[string(j.form)]
	if !ok {
		v.fails, v.err = j.pods.judge(t)
		j.forms[string(j.form)] = v
	}
	return v
}

// judgedTemplate is what was judged last. The next may well be of a replica, which shares
// its parts: it is judged by that they are the same ones, and needs no form.
type judgedTemplate struct {
	parts   parts
	any     bool
	verdict verdict
}

// parts are all of a template that its form tells of.
type parts [2 + len(containerLists) + len(podFields)]any

func (t template) parts() parts {
	p := parts{object.Map(t.metadata, "annotations"), t.spec["volumes"]}
	for i, field := range containerLists {
		p[2+i] = t.spec[field]
	}
	for i, field := range podFields {
		p[2+len(containerLists)+i] = t.spec[field]
	}
	return p
}

// isOf tells whether parts are the same ones, or as good: where it is false they may be
// alike all the same.
func (l *judgedTemplate) isOf(p parts) bool {
	if !l.any {
		return false
	}
	for i := range p {
		switch p[i].(type) {
		case nil, bool, string, int64:
			if p[i] != l.parts[i] {
				return false
			}
		default:
			if !object.IsOne(p[i], l.parts[i]) {
				return false
			}
		}
	}
	return true
}

// form spells everything in a template that convert looks at: no two that it tells
// apart are spelled alike.
func (t template) form(to []byte) []byte {
	for name, value := range sorted(object.Map(t.metadata, "annotations"), ofSecurity) {
		to = spell(spell(to, name), value)
	}
	to = append(to, ';')
	for _, field := range podFields {
		to = spell(to, t.spec[field])
	}
	to = spellItems(to, t.spec["volumes"], func(to []byte, volume map[string]any) []byte {
		if slimVolume(volume) != nil {
			to = spell(to, volume)
		}
		return to
	})
	for _, field := range containerLists {
		to = spellItems(to, t.spec[field], spellContainer)
	}
	return to
}

func spellContainer(to []byte, container map[string]any) []byte {
	var room [8]string
	for _, field := range containerFieldsOf(container, room[:0]) {
		to = spell(append(spell(to, field), '='), container[field])
	}
	return append(to, ';')
}

// spellItems spells a list's items by a function, and whatever is no list of mappings
// as it is.
func spellItems(to []byte, value any, item func([]byte, map[string]any) []byte) []byte {
	items, ok := value.([]any)
	if !ok {
		return append(spell(to, value), ';')
	}
	for _, value := range items {
		if m, ok := value.(map[string]any); ok {
			to = item(append(to, 'o'), m)
		} else {
			to = spell(to, value)
		}
	}
	return append(to, ';')
}

// spell appends a JSON value, each kind with a mark of its own and with its length, so
// that no value can be taken for two others.
func spell(to []byte, value any) []byte {
	switch value := value.(type) {
	case nil:
		return append(to, 'n')
	case string:
		return append(binary.AppendUvarint(append(to, 's'), uint64(len(value))), value...)
	case bool:
		if value {
			return append(to, 't')
		}
		return append(to, 'f')
	case int64:
		return binary.AppendVarint(append(to, 'i'), value)
	case float64:
		return binary.BigEndian.AppendUint64(append(to, 'd'), math.Float64bits(value))
	case []any:
		to = binary.AppendUvarint(append(to, 'l'), uint64(len(value)))
		for _, item := range value {
			to = spell(to, item)
		}
		return to
	case map[string]any:
		to = binary.AppendUvarint(append(to, 'm'), uint64(len(value)))
		for key, value := range sorted(value, nil) {
			to = spell(spell(to, key), value)
		}
		return to
	}
	return spell(append(to, '?'), fmt.Sprintf("%T %v", value, value))
}

// sorted goes through the fields of a mapping whose names are wanted, in their order.
func sorted(m map[string]any, wanted func(string) bool) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		var room [16]string
		names := room[:0]
		for name := range m {
			if wanted == nil || wanted(name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}

// ofSecurity tells of annotations that the standards look at: container.apparmor.
// security.beta.kubernetes.io/… and seccomp.security.alpha.kubernetes.io/….
func ofSecurity(annotation string) bool { return strings.Contains(annotation, ".security.") }
