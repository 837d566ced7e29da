package differ_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// FuzzSchemas reads the schemas of a server of any sort, as an extension of the
// API may publish them, and compares objects by them: no panic, the same answer
// each time, and an object does not differ from itself.
func FuzzSchemas(f *testing.F) {
	root := func(schema string) string {
		return `{"a.W":{"x-kubernetes-group-version-kind":[{"group":"example.com","version":"v1","kind":"W"}],` + schema + `}}`
	}
	for _, schemas := range []string{
		`null`, `{}`, `{"a.W":null}`, `{"a.W":{"x-kubernetes-group-version-kind":7}}`, root(`"type":"object"`), root(`"type":"array"`), root(`"type":"what"`),
		root(`"$ref":"#/components/schemas/a.W"`), root(`"properties":{"spec":{"$ref":"#/components/schemas/a.W"}}`),
		root(`"properties":{"spec":{"$ref":"#/components/schemas/none"}}`), root(`"allOf":[{"$ref":"#/components/schemas/a.W"}]`),
		root(`"type":"object","properties":{"spec":{"type":"object","additionalProperties":{"$ref":"#/components/schemas/a.W"}}}`),
		root(`"type":"object","properties":{"spec":{"type":"object","properties":{"l":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string","default":{}}}},"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name","none"]}}}}`),
		root(`"type":"object","properties":{"spec":{"type":"object","default":{"l":[1]},"properties":{"l":{"type":"array","items":{"type":"array","items":{"type":"string"}},"x-kubernetes-list-type":"set"}}}}`),
		root(`"type":"object","properties":{"spec":{"type":"object","x-kubernetes-map-type":"atomic","default":7,"properties":{"l":{"type":"array","x-kubernetes-list-type":"map"}}}}`),
		root(`"type":"object","properties":{"spec":{"type":"object","properties":{"l":{"type":"array","items":{"$ref":"#/components/schemas/a.W"},"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["spec"]}}}}`),
		root(`"type":"object","properties":{"spec":{"x-kubernetes-preserve-unknown-fields":true,"x-kubernetes-int-or-string":true,"nullable":true,"pattern":"(([KMGTPE]i)|[numkMGTPE]|"}}`),
	} {
		f.Add(schemas, `{"l":[{"name":"a"},{"name":"a"},{},null,"a",["a"],{"spec":{"l":[]}}]}`, `{"l":[{"name":"b"},7],"m":{"a":{}}}`)
	}
	f.Fuzz(func(t *testing.T, schemas, declaredSpec, liveSpec string) {
		var components map[string]*spec.Schema
		if json.Unmarshal([]byte(schemas), &components) != nil {
			return
		}
		s := differ.NewSchemas()
		if s.Add(components) != nil {
			return
		}
		id := object.ID{Group: "example.com", Version: "v1", Kind: "W", Name: "x"}
		declared, ok := anyObject(id, `{"metadata":{"name":"x"},"spec":`+declaredSpec+`}`)
		live, also := anyObject(id, `{"metadata":{"name":"x","managedFields":[{"manager":"mallory","operation":"Update","fieldsV1":{"f:spec":{"f:l":{"k:{\"name\":\"b\"}":{".":{}}},"f:m":{}}}}]},"spec":`+liveSpec+`}`)
		if !ok || !also {
			return
		}
		typ := s.Type(id.Group, id.Version, id.Kind)
		d := differ.Compare(declared, live, typ, differ.Options{ShowControllers: true})
		if again := differ.Compare(declared, live, typ, differ.Options{ShowControllers: true}); !reflect.DeepEqual(d, again) {
			t.Fatalf("two comparisons differ:\n%s", cmp.Diff(d, again))
		}
		if c := declaredChanges(differ.Compare(live, live, typ, differ.Options{})); len(c) > 0 {
			t.Fatalf("an object differs from itself: %v", c)
		}
	})
}
