// Package oracle holds the differ against a real API server: objects are
// deployed, edited at random by people, pipelines and controllers, and after
// each edit what the differ says of the object is compared with what the server
// itself would do and with who is known to have done what.
//
// A case is a Program: data, made from a seed, that an interpreter runs and that
// a file can keep.
package oracle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Program is one object of a repository and what happens to it in a cluster.
type Program struct {
	// Why says what the program found, in a file that was kept.
	Why string `json:"why,omitempty"`
	// Known is set while the differ is known to be wrong here: what is missing.
	Known string `json:"known,omitempty"`
	// Definition is the object's CustomResourceDefinition, if it needs one.
	Definition map[string]any `json:"definition,omitempty"`
	// Deploy is the way in which the deployer writes.
	Deploy Way `json:"deploy"`
	// Git is the object as the repository has it at first. "its-name" stands for
	// its name, wherever that has a meaning.
	Git   map[string]any `json:"git"`
	Steps []Step         `json:"steps"`
}

// Step is one write to the cluster, or one commit to the repository.
type Step struct {
	// Role is what the writer really is, whatever name it goes by.
	Role Role `json:"role"`
	// Manager is the name under which it writes.
	Manager string `json:"manager,omitempty"`
	Way     Way    `json:"way"`
	// Version is the API version of the request, if it is not that of git.
	Version string `json:"version,omitempty"`
	// Patch is what changes: of the live object; of git, if Way is Commit or Role
	// is Deployer.
	Patch []Operation `json:"patch,omitempty"`
	// Config is what a person applies.
	Config map[string]any `json:"config,omitempty"`
}

// Role is what a writer really is.
type Role string

// The roles. An Impostor is a person who writes under the deployer's name.
const (
	Person     Role = "person"
	Deployer   Role = "deployer"
	Controller Role = "controller"
	Impostor   Role = "impostor"
	server     Role = "server" // nobody wrote it: a default
)

// Way is how a step writes.
type Way string

// The ways to write. Commit changes git and nothing else.
const (
	Commit         Way = "commit"
	Apply          Way = "apply"       // server-side apply
	ClientSide     Way = "client-side" // kubectl apply without --server-side
	Update         Way = "update"      // read, change, put: kubectl edit and replace
	JSONPatch      Way = "json-patch"
	MergePatch     Way = "merge-patch"
	StrategicPatch Way = "strategic-patch"
	Status         Way = "status"
	Scale          Way = "scale"
)

// Operation is one operation of a JSON patch (RFC 6902).
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	From  string `json:"from,omitempty"`
	Value any    `json:"value,omitempty"`
}

// MarshalJSON keeps a value of null, which is not the same as none.
func (o Operation) MarshalJSON() ([]byte, error) {
	fields := map[string]any{"op": o.Op, "path": o.Path}
	switch o.Op {
	case "add", "replace", "test":
		fields["value"] = o.Value
	case "move", "copy":
		fields["from"] = o.From
	}
	return json.Marshal(fields)
}

// String says briefly what the step does.
func (s Step) String() string {
	var parts []string
	for _, o := range s.Patch {
		text, err := json.Marshal(o.Value)
		if err != nil {
			text = []byte("?")
		}
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Op, o.Path, brief(text))))
	}
	if s.Config != nil {
		text, err := json.Marshal(s.Config)
		if err == nil {
			parts = append(parts, brief(text))
		}
	}
	name := s.Manager
	if s.Role != Person {
		name = strings.TrimSpace(string(s.Role) + " " + name)
	}
	return fmt.Sprintf("%s, %s%s: %s", name, s.Way, s.Version, strings.Join(parts, "; "))
}

func brief(text []byte) string {
	if string(text) == "null" {
		return ""
	}
	if len(text) > 300 {
		return string(text[:300]) + "…"
	}
	return string(text)
}

// forges tells whether the step changes the records of who wrote what.
func (s Step) forges() bool {
	for _, o := range s.Patch {
		if strings.HasPrefix(o.Path, "/metadata/managedFields") {
			return true
		}
	}
	return false
}

// renames tells whether the step gives a record another name.
func (s Step) renames() bool { return slices.ContainsFunc(s.Patch, Operation.renames) }

// masks tells whether the step gives a record the name of somebody who may write.
func (s Step) masks() bool {
	return slices.ContainsFunc(s.Patch, func(o Operation) bool { return o.renames() && o.Value != nobody })
}

func (o Operation) renames() bool {
	return strings.HasPrefix(o.Path, "/metadata/managedFields/") && strings.HasSuffix(o.Path, "/manager")
}

// nobody is a manager's name that means nothing.
const nobody = "nobody"

// patched returns o after the operations.
func patched(o *unstructured.Unstructured, operations []Operation) (*unstructured.Unstructured, error) {
	if len(operations) == 0 {
		return o.DeepCopy(), nil
	}
	text, err := json.Marshal(operations)
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		return nil, err
	}
	before, err := o.MarshalJSON()
	if err != nil {
		return nil, err
	}
	after, err := patch.Apply(before)
	if err != nil {
		return nil, err
	}
	changed := &unstructured.Unstructured{}
	return changed, changed.UnmarshalJSON(after)
}

// nameToken stands in a program for the name that a run gives to its object.
const nameToken = "its-name"

// renamed returns content with one name in place of another, wherever it stands.
func renamed(content map[string]any, from, to string) map[string]any {
	result, _ := rename(content, from, to).(map[string]any)
	return result
}

func rename(v any, from, to string) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, from, to)
	case map[string]any:
		result := make(map[string]any, len(v))
		for key, field := range v {
			result[strings.ReplaceAll(key, from, to)] = rename(field, from, to)
		}
		return result
	case []any:
		result := make([]any, len(v))
		for i := range v {
			result[i] = rename(v[i], from, to)
		}
		return result
	default:
		return v
	}
}

// pointer spells steps as a JSON pointer (RFC 6901).
func pointer(steps []string) string {
	var b strings.Builder
	for _, step := range steps {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(step))
	}
	return b.String()
}
