package differ

import (
	"maps"
	"slices"

	"plumbline.dev/plumbline/object"
)

// Applied returns what a manager owns of a live object by its applies, with the values
// that are live: what another apply under its name has to say again, lest the API server
// take it for given up. Of a manager that has not applied the object that is its identity.
// The result is not to be edited.
func Applied(live object.Object, t Type, manager string) map[string]any {
	content := map[string]any{}
	for _, r := range live.Records() {
		record, _ := r.(map[string]any)
		fields, _ := record["fieldsV1"].(map[string]any)
		by := newOwner(record, fields, live.ID)
		if by.writer.Manager == manager && by.writer.Operation == "Apply" && by.writer.Subresource == "" {
			content = ownedFields(live.Content, by.fields, t.root)
		}
	}
	metadata, _ := content["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["name"] = live.ID.Name
	if live.ID.Namespace != "" {
		metadata["namespace"] = live.ID.Namespace
	}
	content["apiVersion"], content["kind"], content["metadata"] = live.ID.APIVersion(), live.ID.Kind, metadata
	return content
}

// owned returns the part of a live value that a record has: all of what has no parts.
func owned(live any, fields map[string]any, n *node) any {
	switch l := live.(type) {
	case map[string]any:
		if n != nil && n.atomic {
			return live
		}
		return ownedFields(l, fields, n)
	case []any:
		if n == nil || n.list == nil {
			return live
		}
		return ownedItems(l, fields, n)
	}
	return live
}

func ownedFields(live, fields map[string]any, n *node) map[string]any {
	part := map[string]any{}
	for name, v := range live {
		if sub, ok := fields["f:"+name].(map[string]any); ok {
			part[name] = owned(v, sub, n.field(name))
		}
	}
	return part
}

func ownedItems(live []any, fields map[string]any, n *node) []any {
	records := make(map[string]map[string]any, len(fields))
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if sub, ok := fields[key].(map[string]any); ok {
			records[canonicalKey(key, n.list)] = sub
		}
	}
	part := []any{}
	for _, item := range live {
		sub, ok := records[itemKey(n.list, item)]
		if !ok {
			continue
		}
		kept := owned(item, sub, n.element)
		if fields, ok := kept.(map[string]any); ok && !n.list.set {
			kept = withKeys(fields, item, n.list)
		}
		part = append(part, kept)
	}
	return part
}

// withKeys returns the part of an item with what it is told apart by.
func withKeys(part map[string]any, item any, list *keyedList) map[string]any {
	part = maps.Clone(part)
	fields, _ := item.(map[string]any)
	for _, k := range list.keys {
		if v, ok := fields[k.name]; ok && !equal(v, k.def) { // nobody has to say a default
			part[k.name] = v
		}
	}
	return part
}

// Deployed returns who deployed a live object, by the records: the deployer that last
// applied it, else the one that last updated it. It is false where none did.
func Deployed(live object.Object, o Options) (Writer, bool) {
	var last Writer
	found := false
	for _, by := range owners(live, o) {
		w := by.writer
		if by.role != deployer || w.Subresource != "" {
			continue
		}
		applies, applied := w.Operation == "Apply", last.Operation == "Apply"
		if !found || applies && !applied || applies == applied && w.Time.After(last.Time) {
			last, found = w, true
		}
	}
	return last, found
}
