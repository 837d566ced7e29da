package differ_test

import (
	"encoding/json"
	"strings"
	"testing"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// TestDisowned wants nothing taken but what a manager's updates have that they had not, and
// nobody else's.
func TestDisowned(t *testing.T) {
	t.Parallel()
	record := func(manager, operation, fields string) string {
		return `{manager: ` + manager + `, operation: ` + operation + `, apiVersion: v1, fieldsV1: {"f:data": ` + fields + `}}`
	}
	live := func(records ...string) object.Object {
		objects, err := object.Decode("a.yaml", []byte("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, managedFields: ["+strings.Join(records, ", ")+"]}}"))
		if err != nil {
			t.Fatal(err)
		}
		return objects[0]
	}
	applied, others := record("ci", "Apply", `{"f:x": {}, "f:y": {}}`), record("kubectl-edit", "Update", `{"f:x": {}}`)
	scaled := strings.Replace(record("ci", "Update", `{"f:z": {}}`), "apiVersion", "subresource: scale, apiVersion", 1)
	for name, c := range map[string]struct {
		before, after []string
		want          []string // nil where there is nothing to take
	}{
		"none":            {[]string{applied}, []string{applied, others, scaled}, nil},
		"the same":        {[]string{record("ci", "Update", `{"f:x": {}}`)}, []string{record("ci", "Update", `{"f:x": {}}`)}, nil},
		"less":            {[]string{record("ci", "Update", `{"f:x": {}, "f:y": {}}`)}, []string{record("ci", "Update", `{"f:x": {}}`)}, nil},
		"all of it":       {[]string{applied}, []string{applied, record("ci", "Update", `{"f:x": {}}`), others}, []string{applied, others}},
		"some of it":      {[]string{applied, record("ci", "Update", `{"f:y": {}, "f:w": {}}`)}, []string{applied, record("ci", "Update", `{"f:x": {}, "f:y": {}}`)}, []string{applied, record("ci", "Update", `{"f:y": {}}`)}},
		"another version": {[]string{strings.Replace(record("ci", "Update", `{"f:x": {}}`), "v1,", "v2,", 1)}, []string{record("ci", "Update", `{"f:x": {}}`), applied}, []string{applied}},
	} {
		before, after := live(c.before...), live(c.after...)
		records, more, err := differ.Disowned(before, after, "ci")
		if err != nil || more != (c.want != nil) {
			t.Errorf("%s: %t, %v", name, more, err)
			continue
		}
		if c.want == nil {
			c.want = c.after
		}
		got, _ := json.Marshal(records)
		want, _ := json.Marshal(live(c.want...).Records())
		if string(got) != string(want) {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
		if now, _ := json.Marshal(after); string(now) != text(live(c.after...)) {
			t.Errorf("%s: what was given is edited", name)
		}
	}
	foreign := live(`{manager: ci, operation: Update, apiVersion: v1, fieldsV1: {"x": {}}}`)
	if _, more, err := differ.Disowned(live(), foreign, "ci"); err == nil || more {
		t.Errorf("of a record that cannot be read: %t, %v", more, err)
	}
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
