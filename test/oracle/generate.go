package oracle

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// source is what programs are made from: an object as git may have it.
type source struct {
	definition map[string]any // of its kind, if that was made up
	made       bool           // the object is to be made up, too
	git        map[string]any
}

// generator makes programs.
type generator struct {
	*world
	values  values
	sources map[string][]source // by kind
	// off are the features that are left out, by name.
	off map[string]bool
}

var (
	people      = []string{"kubectl-edit", "kubectl-patch", "k9s", "rancher", "somebody"}
	controllers = []string{"kube-controller-manager", "vpa-updater", "cert-manager-cainjector"}
)

// program returns a program without steps.
func (g *generator) program(r *rand.Rand) Program {
	kinds := sortedKeys(g.sources)
	of := g.sources[kinds[r.IntN(len(kinds))]]
	s := of[r.IntN(len(of))]
	p := Program{Definition: s.definition, Deploy: Apply, Git: s.git}
	switch n := r.IntN(10); {
	case n == 0 && !g.off["client-side"]:
		p.Deploy = ClientSide
	case n == 1 && !g.off["deployer-update"]:
		p.Deploy = Update
	}
	if s.made {
		root := g.roots[schema.FromAPIVersionAndKind(s.git["apiVersion"].(string), s.git["kind"].(string))] //nolint:forcetypeassert // made by us
		p.Git = renamed(s.git, nameToken, nameToken)
		p.Git["spec"] = g.values.of(r, g.shapes.property(root, "spec"), 3)
	}
	return p
}

// step returns a step that may come next; the server may refuse it.
func (g *generator) step(r *rand.Rand, of *run) (Step, bool) {
	var s Step
	switch n := r.IntN(100); {
	case n < 60:
		s = g.write(r, of, Person, people)
	case n < 66:
		s = Step{Role: Deployer, Manager: ci, Way: of.program.Deploy}
	case n < 73:
		s = Step{Role: Deployer, Way: Commit, Patch: g.editOf(r, of, of.git)}
	case n < 79 && !g.off["uncommitted"]:
		s = Step{Role: Deployer, Manager: ci, Way: of.program.Deploy, Patch: g.editOf(r, of, of.git)}
	case n < 87:
		s = g.write(r, of, Controller, controllers)
	case n < 90:
		s = g.status(r, of)
	case n < 93:
		s = Step{Role: Person, Manager: pick(r, people...), Way: Scale, Patch: []Operation{{Op: "replace", Path: "/spec/replicas", Value: int64(r.IntN(3))}}}
	case n < 97:
		s = g.forgery(r, of)
	default:
		s = g.write(r, of, Impostor, []string{ci})
	}
	for _, feature := range s.features() {
		if g.off[feature] {
			return s, false
		}
	}
	s.Patch = template(of, s.Patch)
	return s, len(s.Patch) > 0 || s.Config != nil || s.Role == Deployer && s.Way != Commit
}

// features are the names by which a step can be left out.
func (s Step) features() []string {
	all := []string{string(s.Role), string(s.Way)}
	if s.Version != "" {
		all = append(all, "version")
	}
	if s.forges() {
		all = append(all, "forge")
	}
	return all
}

func (g *generator) root(o *unstructured.Unstructured) shape { return g.roots[o.GroupVersionKind()] }

func (g *generator) editOf(r *rand.Rand, of *run, o *unstructured.Unstructured) []Operation {
	return g.values.edit(r, o, g.root(of.git))
}

// write is an edit by anyone.
func (g *generator) write(r *rand.Rand, of *run, role Role, names []string) Step {
	s := Step{Role: role, Manager: pick(r, names...), Way: pick(r, Update, Update, JSONPatch, MergePatch, StrategicPatch, Apply, Apply)}
	if role == Impostor && s.Way == Apply {
		s.Way = Update
	}
	if others := g.otherVersions(of.git); len(others) > 0 && r.IntN(4) == 0 && s.Way != Apply {
		s.Version, s.Way = pick(r, others...), Update
	}
	s.Patch = g.editOf(r, of, of.live)
	if s.Way == Apply {
		s.Config, s.Patch = g.config(of, s.Patch), nil
	}
	return s
}

// otherVersions are those in which the server serves the same kind as well.
func (g *generator) otherVersions(o *unstructured.Unstructured) []string {
	own := o.GroupVersionKind()
	var others []string
	for _, gv := range g.cluster.GroupVersions() {
		group, version, ok := strings.Cut(gv, "/")
		if !ok || group != own.Group || version == own.Version {
			continue
		}
		if _, err := g.cluster.Resource(group, version, own.Kind); err == nil {
			others = append(others, gv)
		}
	}
	return others
}

// config is what is to be applied to make an edit: what it changes, and what it
// takes to find that.
func (g *generator) config(of *run, edit []Operation) map[string]any {
	wanted, err := of.changed(of.live, edit)
	if err != nil {
		return nil
	}
	before, err := g.types.ObjectToTyped(stripped(of.live), typed.AllowDuplicates)
	if err != nil {
		return nil
	}
	after, err := g.types.ObjectToTyped(stripped(wanted), typed.AllowDuplicates)
	if err != nil {
		return nil
	}
	c, err := before.Compare(after)
	if err != nil || c.Added.Union(c.Modified).Empty() {
		return nil
	}
	parts := after.ExtractItems(fieldsUnder(c.Added.Union(c.Modified)), typed.WithAppendKeyFields())
	content, ok := parts.AsValue().Unstructured().(map[string]any)
	if !ok {
		return nil
	}
	content["apiVersion"], content["kind"] = of.git.GetAPIVersion(), of.git.GetKind()
	o := &unstructured.Unstructured{Object: content}
	o.SetName(of.git.GetName())
	return renamed(content, of.name, nameToken)
}

// fieldsUnder is the set with all that is beneath its members.
func fieldsUnder(set *fieldpath.Set) *fieldpath.Set { return set.Leaves() }

// status is a write to the status, and perhaps to what may be written with it.
func (g *generator) status(r *rand.Rand, of *run) Step {
	in := g.shapes.property(g.root(of.git), "status")
	s := Step{Role: Person, Manager: pick(r, people...), Way: Status,
		Patch: []Operation{{Op: "add", Path: "/status", Value: g.values.of(r, in, 2)}}}
	if r.IntN(3) == 0 {
		s.Patch = append(s.Patch, g.values.label(r, of.live)...)
	}
	return s
}

// forgery changes the records of who wrote what.
func (g *generator) forgery(r *rand.Rand, of *run) Step {
	const records = "/metadata/managedFields"
	s := Step{Role: Person, Manager: pick(r, people...), Way: pick(r, Update, JSONPatch)}
	n := len(of.live.GetManagedFields())
	switch {
	case n == 0:
		return s
	case r.IntN(2) == 0:
		s.Patch = []Operation{{Op: "replace", Path: records, Value: []any{map[string]any{}}}}
	case r.IntN(2) == 0 && n > 1:
		s.Patch = []Operation{{Op: "remove", Path: fmt.Sprintf("%s/%d", records, r.IntN(n))}}
	default:
		s.Patch = []Operation{{Op: "replace", Path: fmt.Sprintf("%s/%d/manager", records, r.IntN(n)), Value: pick(r, nobody, "kube-controller-manager", ci)}}
	}
	if r.IntN(3) == 0 {
		s.Patch = append(s.Patch, g.editOf(r, of, of.live)...)
	}
	return s
}

// template returns operations without the name of the run's object.
func template(of *run, operations []Operation) []Operation {
	var all []Operation
	for _, op := range operations {
		op.Value = rename(op.Value, of.name, nameToken)
		all = append(all, op)
	}
	return all
}
