// Package starter writes a Baseline to begin with, filled from what a repository and
// its cluster show.
package starter

import (
	"cmp"
	_ "embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/source/address"
	"plumbline.dev/plumbline/source/images"
	"plumbline.dev/plumbline/source/remote"
)

// Facts are what is known of a repository and its cluster.
type Facts struct {
	Name string
	// Git is where the configuration is; zero where that has no repository.
	Git v1alpha1.Git
	// Declared are the objects that it declares, with their namespaces as far as they
	// are known.
	Declared []object.Object
	// Files and Dir are the repository, and the directory of it that is rendered.
	Files fs.FS
	Dir   string
	// Live are those of the declared objects that are in the cluster; none where no
	// cluster was asked.
	Live []object.Object
}

// counted is a text, and of how many of something it is true.
type counted struct {
	Text  string
	Count int
}

// isOf tells whether a manager's name fits one of the differ's.
func (c counted) isOf(known string) bool {
	prefix, open := strings.CutSuffix(known, "*")
	return c.Text == known || open && strings.HasPrefix(c.Text, prefix)
}

// isByHand tells whether a manager is a tool of people's that deploys nothing.
func (c counted) isByHand() bool {
	return slices.ContainsFunc(differ.KnownHumanTools, c.isOf) && !slices.ContainsFunc(differ.KnownDeployers, c.isOf)
}

type counts map[string]int

// sorted returns what was counted, the most frequent first.
func (c counts) sorted() []counted {
	var all []counted
	for text, n := range c {
		all = append(all, counted{text, n})
	}
	slices.SortFunc(all, func(a, b counted) int { return cmp.Or(b.Count-a.Count, strings.Compare(a.Text, b.Text)) })
	return all
}

// file is what the template is filled with.
type file struct {
	Facts
	Namespaces   []counted
	ClusterKinds string // of declared objects without a namespace
	Managers     []counted
	Others       string // managers who are not likely the deployer
	Registries   []counted
	Unread       int // images that cannot be read
	Charts       []string
	Repositories []string
}

//go:embed starter.yaml.tmpl
var text string

// Write returns the Baseline's file, with a word on each line of what it does. It is
// one that Parse accepts.
func Write(facts Facts) ([]byte, error) {
	f := file{Facts: facts}
	f.placed()
	f.written()
	f.imaged()
	if err := f.taken(); err != nil {
		return nil, err
	}
	t, err := template.New("starter").Funcs(template.FuncMap{"yaml": scalar, "one": one}).Parse(text)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	if err := t.Execute(&b, f); err != nil {
		return nil, err
	}
	if _, err := v1alpha1.Parse("the Baseline that was made", []byte(b.String())); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}

// placed counts the namespaces.
func (f *file) placed() {
	namespaces, kinds := counts{}, map[string]bool{}
	for _, o := range f.Declared {
		if o.ID.Namespace != "" {
			namespaces[o.ID.Namespace]++
		} else {
			kinds[o.ID.Kind] = true
		}
	}
	f.Namespaces = namespaces.sorted()
	f.ClusterKinds = strings.Join(slices.Sorted(maps.Keys(kinds)), ", ")
}

// written counts who wrote the objects. Who wrote most of them, with no tool that
// people use by hand, is taken for the deployer, and anybody else is only named: they may be what is to be found.
func (f *file) written() {
	managers := counts{}
	for _, o := range f.Live {
		for name := range writers(o) {
			managers[name]++
		}
	}
	var others []string
	for _, m := range managers.sorted() {
		switch {
		case slices.ContainsFunc(differ.KnownControllers, m.isOf):
		case 2*m.Count > len(f.Live) && !m.isByHand():
			f.Managers = append(f.Managers, m)
		default:
			others = append(others, fmt.Sprintf("%s (%d)", oneLine(m.Text), m.Count))
		}
	}
	f.Others = strings.Join(others, ", ")
}

// writers are the field managers that wrote an object itself, not its status or
// scale.
func writers(o object.Object) map[string]bool {
	names := map[string]bool{}
	metadata, _ := o.Content["metadata"].(map[string]any)
	records, _ := metadata["managedFields"].([]any)
	for _, r := range records {
		record, _ := r.(map[string]any)
		name, _ := record["manager"].(string)
		if subresource, _ := record["subresource"].(string); subresource == "" && strings.TrimSpace(name) != "" {
			names[name] = true
		}
	}
	return names
}

// imaged counts where the images come from: the registry, and the repository's
// directory in it.
func (f *file) imaged() {
	var finder images.Finder
	registries := counts{}
	for _, o := range f.Declared {
		uses, _ := finder.Find(o) // which fails only of fields that are configured
		for _, u := range uses {
			image, err := address.ParseImage(u.Image)
			if err != nil {
				f.Unread++
				continue
			}
			place := image.Place.String()
			registries[place[:strings.LastIndex(place, "/")]]++
		}
	}
	f.Registries = registries.sorted()
}

// taken lists from where kustomizations and objects of deployment tools take charts
// and configuration.
func (f *file) taken() error {
	references, err := remote.Kustomizations(f.Files, f.Dir)
	if err != nil {
		return err
	}
	for _, o := range f.Declared {
		references = append(references, remote.Of(o)...)
	}
	charts, repositories := map[string]bool{}, map[string]bool{}
	for _, r := range references {
		place, err := address.ParseURL(r.Address)
		if err != nil || r.Address == "" {
			continue // it is embedded, or named by what is no address
		}
		if r.Content != remote.Configuration {
			charts[place.String()] = true
		}
		if r.Content != remote.Chart {
			repositories[place.String()] = true
		}
	}
	f.Charts, f.Repositories = slices.Sorted(maps.Keys(charts)), slices.Sorted(maps.Keys(repositories))
	return nil
}

// scalar spells a text as YAML and kubectl read it.
func scalar(text string) (string, error) {
	var value any = text // of which the library quotes what is true or false to kubectl
	if oneLine(text) != text {
		value = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}
	}
	b, err := yaml.Marshal(value)
	return strings.TrimSuffix(string(b), "\n"), err
}

// one spells a number of things.
func one(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// oneLine takes away what would end a comment.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x85 || r == '\u2028' || r == '\u2029' }), " ")
}
