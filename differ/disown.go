package differ

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"plumbline.dev/plumbline/object"
)

// Disowned returns the ownership records of a live object, of which a manager's updates
// have nothing that they had not had of the same object before. It is false where they
// have nothing more.
func Disowned(before, live object.Object, manager string) ([]any, bool, error) {
	records := slices.Clone(live.Records())
	at := updatesOf(records, live.ID, manager)
	if at < 0 {
		return records, false, nil
	}
	was := &fieldpath.Set{}
	var err error
	if old := before.Records(); updatesOf(old, live.ID, manager) >= 0 {
		if was, err = setOf(old[updatesOf(old, live.ID, manager)]); err != nil {
			return nil, false, err
		}
	}
	is, err := setOf(records[at])
	if err != nil {
		return nil, false, err
	}
	kept := is.Intersection(was)
	switch {
	case kept.Equals(is):
		return records, false, nil
	case kept.Empty():
		return slices.Delete(records, at, at+1), true, nil
	}
	fields, err := kept.ToJSON()
	if err != nil {
		return nil, false, fmt.Errorf("spelling the fields of %s: %w", manager, err)
	}
	record := maps.Clone(records[at].(map[string]any))
	record["fieldsV1"] = json.RawMessage(fields)
	records[at] = record
	return records, true, nil
}

// updatesOf is where the record of a manager's updates in an object's version stands.
func updatesOf(records []any, id object.ID, manager string) int {
	return slices.IndexFunc(records, func(r any) bool {
		record, _ := r.(map[string]any)
		return record["manager"] == manager && record["operation"] == "Update" && record["subresource"] == nil && record["apiVersion"] == id.APIVersion()
	})
}

// setOf reads the fields of a record.
func setOf(record any) (*fieldpath.Set, error) {
	fields, _ := record.(map[string]any)
	text, err := json.Marshal(fields["fieldsV1"])
	if err != nil {
		return nil, err
	}
	set := &fieldpath.Set{}
	if err := set.FromJSON(bytes.NewReader(text)); err != nil {
		return nil, fmt.Errorf("reading who owns which fields: %w", err)
	}
	return set, nil
}
