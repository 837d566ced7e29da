package differ

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"plumbline.dev/plumbline/object"
)

// role is what an owner of fields is to us.
type role uint8

const (
	foreign    role = iota // anyone else
	controller             // a component of the cluster
	deployer               // carries out what git says
)

// owner is one record of an object's managedFields, whose fields the API server
// describes as nested keys: "f:name" for a field, "k:{…}" for a list's item by
// its merge keys, "v:…" for a set's, "." for the place itself. See
// structured-merge-diff's fieldpath.Set.
type owner struct {
	role    role
	writer  Writer
	version string // of the API in which it wrote
	fields  map[string]any
}

// owners reads the ownership records of a live object, without those of status,
// which is not compared.
func owners(live object.Object, o Options) []owner {
	records := live.Records()
	result := make([]owner, 0, len(records))
	for _, r := range records {
		record, _ := r.(map[string]any)
		fields, _ := record["fieldsV1"].(map[string]any)
		if onlyStatus(fields) {
			continue
		}
		if live.ID.Group == "" && live.ID.Kind == "Secret" {
			fields = ofStored(fields)
		}
		by := newOwner(record, fields, live.ID)
		if by.writer.Manager == unrecordedManager && !matchesAny(o.Deployers, by.writer) {
			continue
		}
		result = append(result, by)
	}
	o.assignRoles(result)
	slices.SortStableFunc(result, func(a, b owner) int { // so that of equals the same is named each time
		return cmp.Or(strings.Compare(a.writer.Manager, b.writer.Manager), strings.Compare(a.writer.Operation, b.writer.Operation),
			strings.Compare(a.writer.Subresource, b.writer.Subresource), strings.Compare(a.version, b.version))
	})
	return result
}

// unrecordedManager is the name under which the server records what stood in an
// object without any records when it was first applied: nobody's in truth.
const unrecordedManager = "before-first-apply"

func onlyStatus(fields map[string]any) bool {
	_, hasStatus := fields["f:status"]
	return len(fields) == 0 || len(fields) == 1 && hasStatus
}

// ofStored returns a Secret's record with what it says of stringData, which is
// only written, said of data, in which it is stored.
func ofStored(fields map[string]any) map[string]any {
	written, ok := fields["f:stringData"].(map[string]any)
	if !ok {
		return fields
	}
	stored, _ := fields["f:data"].(map[string]any)
	all := maps.Clone(written)
	maps.Copy(all, stored)
	result := maps.Clone(fields)
	result["f:data"] = all
	return result
}

func newOwner(record, fields map[string]any, id object.ID) owner {
	text := func(key string) string { s, _ := record[key].(string); return s }
	w := Writer{Manager: text("manager"), Operation: text("operation"), Subresource: text("subresource")}
	w.Time, _ = time.Parse(time.RFC3339, text("time")) // an unreadable time is an unknown one
	w.Person = matchesAny(KnownHumanTools, w)
	version := text("apiVersion")
	if _, short, ok := strings.Cut(version, "/"); ok && version != id.APIVersion() {
		fields = inVersion(fields, id.Kind, short, id.Version)
	}
	return owner{writer: w, version: version, fields: fields}
}

// legitimate tells whether the owner may own an undeclared field: a controller,
// and whoever scales through the scale subresource, as autoscalers do and people
// should not.
func (o owner) legitimate() bool {
	return o.role == controller || o.writer.Subresource == "scale" && !o.writer.Person
}

// place is where each owner's records stand for one place of the object: nil for
// an owner of nothing there. It is a window of the walker's stack.
type place []map[string]any

// owned tells whether anybody owns the place or anything within it.
func (p place) owned() bool {
	for _, fields := range p {
		if fields != nil {
			return true
		}
	}
	return false
}

// owning returns the records at p's next step, one per owner, on the walker's
// stack, where they stay until it returns to its mark.
func (w *walker) owning(p place, key string) place {
	start := len(w.stack)
	for _, fields := range p {
		next, _ := fields[key].(map[string]any)
		w.stack = append(w.stack, next)
	}
	return w.stack[start:len(w.stack):len(w.stack)]
}

// ownedField returns the records of a mapping's key.
func (w *walker) ownedField(p place, name string) place {
	if !p.owned() {
		return p
	}
	return w.owning(p, "f:"+name)
}

// ownedItem returns the records of an item of an associative list.
func (w *walker) ownedItem(p place, list *keyedList, item any) place {
	if !p.owned() {
		return p
	}
	start := len(w.stack)
	var space [128]byte // on the stack, for the keys that nearly all are
	key := appendItemKey(space[:0], list, item)
	for _, fields := range p {
		next, ok := fields[string(key)].(map[string]any)
		if !ok && len(fields) > 0 {
			next, _ = fields[w.respelled(list, fields)[string(key)]].(map[string]any)
		}
		w.stack = append(w.stack, next)
	}
	return w.stack[start:len(w.stack):len(w.stack)]
}

// respelled finds the records of a list's items that are spelled in another way
// than itemKey does, such as with escapes or another order of keys: from our
// spelling to theirs.
func (w *walker) respelled(list *keyedList, fields map[string]any) map[string]string {
	at := recordsOf{reflect.ValueOf(fields).Pointer(), list}
	if known, ok := w.spellings[at]; ok {
		return known
	}
	spellings := map[string]string{}
	for key := range fields {
		ours := canonicalKey(key, list)
		if other, ok := spellings[ours]; ours != "" && ours != key && (!ok || key < other) {
			spellings[ours] = key
		}
	}
	if w.spellings == nil {
		w.spellings = map[recordsOf]map[string]string{}
	}
	w.spellings[at] = spellings
	return spellings
}

// recordsOf are an owner's records of a list's items. Two lists may share them, where
// they are spelled alike.
type recordsOf struct {
	fields uintptr
	list   *keyedList
}

// canonicalKey spells the key of an item's record as itemKey does; "" for what
// is no such key.
func canonicalKey(key string, list *keyedList) string {
	kind, text, ok := strings.Cut(key, ":")
	if !ok || list.set && kind != "v" || !list.set && kind != "k" {
		return ""
	}
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return ""
	}
	return itemKey(list, value)
}

// itemKey spells the item's key as the API server does: compact JSON, the keys
// in alphabetical order.
func itemKey(list *keyedList, item any) string { return string(appendItemKey(nil, list, item)) }

func appendItemKey(b []byte, list *keyedList, item any) []byte {
	if list.set {
		return appendScalar(append(b, "v:"...), item)
	}
	b = append(b, "k:{"...)
	for _, k := range list.sorted {
		v := k.of(item)
		if v == nil && len(list.sorted) > 1 {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), k.name...), `":`...)
		b = appendScalar(b, v)
	}
	return append(b, '}')
}

// appendScalar appends a value as JSON.
func appendScalar(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		if isPlainKey(v) {
			return append(append(append(b, '"'), v...), '"')
		}
	case int64:
		return strconv.AppendInt(b, v, 10)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return b
	}
	return append(b, text...)
}

// lastWriter returns who most recently wrote the place, preferring whoever is
// neither deployer nor controller: of two writers within one second, the one
// that should not have been there is the one to name.
// Of a place that nobody owns it is the zero owner.
func (w *walker) lastWriter(p place) owner {
	var last owner
	found := false
	for i, fields := range p {
		if fields == nil {
			continue
		}
		o := w.owners[i]
		if !found || o.writer.Time.After(last.writer.Time) || o.writer.Time.Equal(last.writer.Time) && o.role < last.role {
			last, found = o, true
		}
	}
	return last
}
