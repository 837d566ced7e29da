package cluster

import (
	"encoding/json"
	"strings"
	"testing"

	"plumbline.dev/plumbline/object"
)

// FuzzSchemaDocument reads an OpenAPI document, which an extension of the API may
// publish in any shape: it is refused, or what is read survives the cache.
func FuzzSchemaDocument(f *testing.F) {
	for _, text := range []string{
		`{}`, `null`, `[]`, `{"components":null}`, `{"components":{"schemas":{"a":null}}}`, `{"components":{"schemas":{"a":7}}}`,
		`{"components":{"schemas":{"a":{"description":"x","properties":{"b":{"description":"x"}},"items":{"description":"x"},"additionalProperties":{"description":"x"}}}}}`,
		`{"components":{"schemas":{"a":{"additionalProperties":false,"items":[{}]}}}}`,
		`{"components":{"schemas":{"a":{"$ref":"#/components/schemas/a"}}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		components, err := readComponents(data)
		if err != nil {
			return
		}
		for name, s := range components {
			if s == nil || s.Description != "" {
				t.Errorf("%q is %v", name, s)
			}
		}
		if _, err := json.Marshal(components); err != nil {
			t.Errorf("it cannot be kept: %v", err)
		}
	})
}

// FuzzPage reads an answer to a LIST, of the API server or of what stands before
// it: it is refused, in words that quote none of it, or all of it is objects.
func FuzzPage(f *testing.F) {
	for _, text := range []string{
		`{`, `[]`, `7`, `<html>`, `{"items":[]}`, `{"apiVersion":"v1","items":null}`, `{"apiVersion":"v1","items":[null]}`, `{"apiVersion":"v1","items":[7]}`,
		`{"apiVersion":"v1","metadata":{"continue":"x","remainingItemCount":-9223372036854775808},"items":[{"metadata":{"name":"a"},"data":{"a":"s3cr3t"}}]}`,
		`{"apiVersion":"v1","items":[{"metadata":{"generateName":"a"},"data":{"a":"s3cr3t"}}]}`,
		`{"apiVersion":"v1","items":[{"data":{"a":"s3cr3t"},"metadata":{"name":7}}]}`, "{\"apiVersion\":\"v1\",\"a\":\xff}",
	} {
		f.Add(text)
	}
	secrets := group{resource: Resource{Version: "v1", Kind: "Secret", Plural: "secrets", Namespaced: true}}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := readPage(strings.NewReader(text), secrets)
		if err != nil {
			if strings.Contains(text, `"s3cr3t"`) && strings.Contains(err.Error(), "s3cr3t") && !strings.Contains(text, "generateName") {
				t.Errorf("the error quotes the answer: %v", err)
			}
			return
		}
		for _, o := range p.objects {
			if o.ID.Kind != "Secret" || o.ID.Version != "v1" || o.ID.Name == "" {
				t.Errorf("%v is no Secret", o.ID)
			}
		}
	})
}

// FuzzMutators reads webhook configurations and policies of any shape.
func FuzzMutators(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"webhooks":7}`, `{"webhooks":[null,{"rules":[null,{"apiGroups":["*"],"resources":["*/*"],"operations":["*"],"scope":"Cluster"}]}]}`,
		`{"spec":{"matchConstraints":{"resourceRules":[{"apiGroups":[""],"resources":["pods"],"operations":["CREATE"]}]}}}`, `{"spec":{"matchConstraints":null}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var content map[string]any
		if decode(data, &content) != nil {
			return
		}
		rules, err := rulesOf(object.Object{Content: content})
		if err != nil && len(rules) > 0 {
			t.Errorf("%v and %v", rules, err)
		}
		m, none := Mutators{rules: rules}, Mutators{}
		pods := Resource{Version: "v1", Kind: "Pod", Plural: "pods", Namespaced: true}
		if none.Concern(pods, "shop") || m.Concern(pods, "shop") && len(rules) == 0 {
			t.Error("nobody concerns")
		}
	})
}
