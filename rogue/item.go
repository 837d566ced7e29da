package rogue

import (
	"strings"
	"time"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// key is what objects are found by that a name is made for.
type key struct{ kind, namespace, name string }

// kindOf spells a kind and its group as the tables do: "Pod", "ReplicaSet.apps".
func kindOf(id object.ID) string {
	switch id.Group {
	case "":
		return id.Kind
	case "apps": // the concatenation costs more than the comparison
		switch id.Kind {
		case "ReplicaSet":
			return "ReplicaSet.apps"
		case "Deployment":
			return "Deployment.apps"
		}
	}
	return id.Kind + "." + id.Group
}

// item is one live object and what is known of it.
type item struct {
	*object.Packed
	looks    *looks
	uid      string
	kind     string // as kindOf spells it
	refs     []reference
	declared bool
	passing  bool // of a kind that is no configuration

	state state
	// root is what it stands or falls with: nil for what is known.
	root *item
	// owner is whom it was checked to belong to.
	owner *item
	doubt doubt
	// misfits are how a Pod differs from its owner's template.
	misfits []misfit
}

// state is how far the judgement of an item has come.
type state uint8

const (
	unseen state = iota
	seeing       // to tell owners that own each other
	seen
)

// doubt is why an object is a rogue.
type doubt struct {
	// text goes on from "nobody declared it": "it names …, but …".
	text     string
	evidence finding.Evidence
	severity finding.Severity // 0 means that of the kind
	unjudged bool             // it may be none: see Result.Unjudged
}

// reference is one of an object's owner references.
type reference struct {
	kind       string // as kindOf spells it
	id         object.ID
	uid        string
	controller bool
}

// read fills an item in with the part of an object that tells where it belongs.
func (i *item) read(p *object.Packed) {
	i.Packed = p
	o := p.Object()
	i.uid = o.Metadata("uid")
	for _, owner := range listAt(o.Content, "metadata", "ownerReferences") {
		fields, _ := owner.(map[string]any)
		i.refs = append(i.refs, newReference(fields, o.ID.Namespace))
	}
}

// open returns the object itself.
func (i *item) open() object.Object { return i.looks.open(i) }

func (i *item) content() map[string]any { return i.open().Content }

func newReference(fields map[string]any, namespace string) reference {
	apiVersion, _ := fields["apiVersion"].(string)
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group, version = "", apiVersion
	}
	r := reference{id: object.ID{Group: group, Version: version, Namespace: namespace}}
	r.id.Kind, _ = fields["kind"].(string)
	r.id.Name, _ = fields["name"].(string)
	r.uid, _ = fields["uid"].(string)
	r.controller, _ = fields["controller"].(bool)
	r.kind = kindOf(r.id)
	return r
}

// Passing tells whether objects of an ID's kind are no configuration but a cluster's
// state, such as Events: they are never rogues, and need not be in a World.
func Passing(id object.ID) bool { return passing[kindOf(id)] || passingGroups[id.Group] }

// label returns one of the object's labels, or "".
func (i *item) label(name string) string { return text(i.content(), "metadata", "labels", name) }

func (i *item) annotation(name string) string {
	return text(i.content(), "metadata", "annotations", name)
}

// created is when the object was made; zero if it does not tell.
func (i *item) created() time.Time {
	t, _ := time.Parse(time.RFC3339, i.open().Metadata("creationTimestamp"))
	return t
}

// leaving tells whether the object is being deleted.
func (i *item) leaving() bool { return i.open().Metadata("deletionTimestamp") != "" }

// longestGrace is how long a Pod that is being deleted may go on, in seconds, to count
// as one that ends.
const longestGrace = 600

// isEnding tells whether the object is a Pod that is being deleted, and so stops
// running, as do those whose owner is gone. All other kinds have their effect until
// they are gone themselves.
func (i *item) isEnding() bool {
	return i.kind == "Pod" && i.leaving() && number(at(i.content(), "metadata", "deletionGracePeriodSeconds")) <= longestGrace
}

// at returns what stands under keys; nil if nothing does.
func at(v any, keys ...string) any {
	for _, k := range keys {
		fields, _ := v.(map[string]any)
		v = fields[k]
	}
	return v
}

func text(v any, keys ...string) string {
	s, _ := at(v, keys...).(string)
	return s
}

func fieldsAt(v any, keys ...string) map[string]any {
	fields, _ := at(v, keys...).(map[string]any)
	return fields
}

func listAt(v any, keys ...string) []any {
	list, _ := at(v, keys...).([]any)
	return list
}

// number reads a whole number, whatever the JSON decoder made of it.
func number(v any) int64 {
	switch n := v.(type) {
	case int64:
		return n
	case float64:
		return int64(n)
	case int:
		return int64(n)
	}
	return 0
}
