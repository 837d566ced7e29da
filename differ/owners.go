package differ

import (
	"encoding/json"
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
	role   role
	writer Writer
	fields map[string]any
}

// owners reads the ownership records of a live object, without those of status,
// which is not compared.
func owners(live object.Object, o Options) []owner {
	metadata, _ := live.Content["metadata"].(map[string]any)
	records, _ := metadata["managedFields"].([]any)
	result := make([]owner, 0, len(records))
	for _, r := range records {
		record, _ := r.(map[string]any)
		fields, _ := record["fieldsV1"].(map[string]any)
		if onlyStatus(fields) {
			continue
		}
		result = append(result, newOwner(record, fields, o))
	}
	return result
}

func onlyStatus(fields map[string]any) bool {
	_, hasStatus := fields["f:status"]
	return len(fields) == 0 || len(fields) == 1 && hasStatus
}

func newOwner(record, fields map[string]any, o Options) owner {
	text := func(key string) string { s, _ := record[key].(string); return s }
	w := Writer{Manager: text("manager"), Operation: text("operation"), Subresource: text("subresource")}
	w.Time, _ = time.Parse(time.RFC3339, text("time")) // an unreadable time is an unknown one
	w.Person = matchesAny(KnownHumanTools, w)
	return owner{role: o.role(w), writer: w, fields: fields}
}

func (o Options) role(w Writer) role {
	deployers := o.Deployers
	if len(deployers) == 0 {
		deployers = KnownDeployers
	}
	switch {
	case matchesAny(deployers, w):
		return deployer
	case matchesAny(KnownControllers, w), matchesAny(o.Controllers, w):
		return controller
	default:
		return foreign
	}
}

// legitimate tells whether the owner may own an undeclared field: a controller,
// and whoever scales through the scale subresource, as autoscalers do.
func (o owner) legitimate() bool {
	return o.role == controller || o.writer.Subresource == "scale"
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
	key := itemKey(list, item)
	if found := w.owning(p, key); found.owned() {
		return found
	}
	return w.owningBySense(p, list, item)
}

// owningBySense finds records whose key means the item but is spelled in
// another way, such as with escapes or another order of keys.
func (w *walker) owningBySense(p place, list *keyedList, item any) place {
	start := len(w.stack)
	for _, fields := range p {
		var found map[string]any
		for key, value := range fields {
			if namesItem(key, list, item) {
				found, _ = value.(map[string]any)
				break
			}
		}
		w.stack = append(w.stack, found)
	}
	return w.stack[start:len(w.stack):len(w.stack)]
}

func namesItem(key string, list *keyedList, item any) bool {
	kind, text, ok := strings.Cut(key, ":")
	if !ok || (kind == "v") != list.set || kind == "f" {
		return false
	}
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return false
	}
	if list.set {
		return equal(value, item)
	}
	fields, _ := value.(map[string]any)
	for _, k := range list.keys {
		if !equal(fields[k.name], k.of(item)) {
			return false
		}
	}
	return true
}

// itemKey spells the item's key as the API server does: compact JSON, the keys
// in alphabetical order.
func itemKey(list *keyedList, item any) string {
	if list.set {
		return "v:" + scalarJSON(item)
	}
	if len(list.keys) == 1 {
		k := list.keys[0]
		return `k:{"` + k.name + `":` + scalarJSON(k.of(item)) + `}`
	}
	values := make(map[string]any, len(list.keys))
	for _, k := range list.keys {
		if v := k.of(item); v != nil {
			values[k.name] = v
		}
	}
	text, err := json.Marshal(values)
	if err != nil {
		return ""
	}
	return "k:" + string(text)
}

func scalarJSON(v any) string {
	if s, ok := v.(string); ok && plainKey.MatchString(s) {
		return `"` + s + `"`
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// lastWriter returns who most recently wrote the place, preferring whoever is
// neither deployer nor controller: of two writers within one second, the one
// that should not have been there is the one to name.
func (w *walker) lastWriter(p place) (owner, bool) {
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
	return last, found
}
