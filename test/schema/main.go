// Command schema writes docs/baseline.schema.json, with which editors check and
// complete a Baseline, from the schema of its custom resource definition. It is run by
// "go generate" in api/v1alpha1.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/test/testenv"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := testenv.Root()
	if err != nil {
		return err
	}
	crd, err := os.ReadFile(filepath.Join(root, "manifests/crd/plumbline.dev_baselines.yaml"))
	if err != nil {
		return err
	}
	schema, err := convert(crd)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "docs/baseline.schema.json"), schema, 0o644)
}

// convert returns the JSON Schema of what a custom resource definition defines.
func convert(text []byte) ([]byte, error) {
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &crd); err != nil {
		return nil, fmt.Errorf("reading the custom resource definition: %w", err)
	}
	version := crd.Spec.Versions[0]
	plain, err := json.Marshal(version.Schema.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	var schema map[string]any
	if err := json.Unmarshal(plain, &schema); err != nil {
		return nil, err
	}
	properties := schema["properties"].(map[string]any)
	properties["apiVersion"] = map[string]any{"const": crd.Spec.Group + "/" + version.Name}
	properties["kind"] = map[string]any{"const": crd.Spec.Names.Kind}
	if err := strict(schema, "spec"); err != nil {
		return nil, err
	}
	properties["metadata"] = map[string]any{
		"type": "object", "description": "What names a Baseline, as that of every object.",
		"properties": map[string]any{"name": map[string]any{"type": "string"}, "namespace": map[string]any{"type": "string"}},
	}
	schema["required"] = []string{"apiVersion", "kind"}
	schema["$schema"] = "http://json-schema.org/draft-07/schema#" // what editors know best
	schema["$id"] = "https://" + crd.Spec.Group + "/baseline.schema.json"
	schema["title"] = "Plumbline " + crd.Spec.Names.Kind
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(schema)
	return b.Bytes(), err
}

// strict closes an object to fields that it does not have, as the API server does by
// itself, and says in JSON Schema what the definition says in CEL.
func strict(schema map[string]any, path string) error {
	if err := fromCEL(schema, path); err != nil {
		return err
	}
	if properties, ok := schema["properties"].(map[string]any); ok {
		schema["additionalProperties"] = false
		for name, property := range properties {
			if err := strict(property.(map[string]any), path+"."+name); err != nil {
				return err
			}
		}
	}
	for _, inner := range []string{"items", "additionalProperties"} {
		if s, ok := schema[inner].(map[string]any); ok {
			if err := strict(s, path+"."+inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// The forms of CEL that the definition has.
var (
	anyField   = regexp.MustCompile(`^has\(self\.\w+\)( \|\| has\(self\.\w+\))*$`)
	implies    = regexp.MustCompile(`^!has\(self\.(\w+)\) \|\| has\(self\.(\w+)\)$`)
	onlyWith   = regexp.MustCompile(`^!has\(self\.(\w+)\) \|\| !self\.\w+ \|\| has\(self\.(\w+)\) && self\.\w+ in \[([^]]+)\]$`)
	notBoth    = regexp.MustCompile(`^!has\(self\.(\w+)\) \|\| !self\.\w+ \|\| !has\(self\.(\w+)\) \|\| !self\.\w+$`)
	noPrefix   = regexp.MustCompile(`^!self\.startsWith\('(\w+)'\)$`)
	noMatch    = regexp.MustCompile(`^!self\.matches\('([^']+)'\)$`)
	durations  = regexp.MustCompile(`^duration\(self\) `) // JSON Schema has no words for these
	keyPattern = regexp.MustCompile(`^self\.all\(key, key\.matches\('([^']+)'\)\)$`)
	hasField   = regexp.MustCompile(`has\(self\.(\w+)\)`)
)

// and adds a condition to those of a schema.
func and(schema, condition map[string]any) {
	all, _ := schema["allOf"].([]any)
	schema["allOf"] = append(all, condition)
}

// set is the condition that a field is true.
func set(field string) map[string]any {
	return map[string]any{"required": []string{field}, "properties": map[string]any{field: map[string]any{"const": true}}}
}

// fromCEL puts a schema's CEL rules into JSON Schema's words. One that it does not
// know is an error, so that the two never say different things.
func fromCEL(schema map[string]any, path string) error {
	rules, _ := schema["x-kubernetes-validations"].([]any)
	delete(schema, "x-kubernetes-validations")
	for _, r := range rules {
		rule := r.(map[string]any)["rule"].(string)
		if m := implies.FindStringSubmatch(rule); m != nil {
			schema["dependencies"] = map[string]any{m[1]: []string{m[2]}}
		} else if anyField.MatchString(rule) {
			var alternatives []any
			for _, m := range hasField.FindAllStringSubmatch(rule, -1) {
				alternatives = append(alternatives, map[string]any{"required": []string{m[1]}})
			}
			schema["anyOf"] = alternatives
		} else if m := onlyWith.FindStringSubmatch(rule); m != nil {
			among := strings.Split(strings.ReplaceAll(m[3], "'", ""), ", ")
			and(schema, map[string]any{
				"if":   set(m[1]),
				"then": map[string]any{"required": []string{m[2]}, "properties": map[string]any{m[2]: map[string]any{"enum": among}}},
			})
		} else if m := notBoth.FindStringSubmatch(rule); m != nil {
			and(schema, map[string]any{"not": map[string]any{"allOf": []any{set(m[1]), set(m[2])}}})
		} else if m := noPrefix.FindStringSubmatch(rule); m != nil {
			schema["not"] = map[string]any{"pattern": "^" + m[1]}
		} else if m := noMatch.FindStringSubmatch(rule); m != nil {
			schema["not"] = map[string]any{"pattern": m[1]}
		} else if m := keyPattern.FindStringSubmatch(rule); m != nil {
			schema["propertyNames"] = map[string]any{"pattern": m[1]}
		} else if !durations.MatchString(rule) {
			return fmt.Errorf("%s: there is no JSON Schema for the CEL rule %s", path, rule)
		}
	}
	return nil
}
