package rogue

import (
	"strings"

	"plumbline.dev/plumbline/object"
)

// made is what operators make of the declared objects, by the Baseline's word.
type made struct {
	exact map[key][]product // by kind without its group, namespace and name
	loose []product
}

// product is what one generator makes of one declared object.
type product struct {
	generator *generator
	namespace string // "" for any
	name      pattern
	labels    map[string]pattern
}

// makes finds what is made of the declared objects.
func (p *Policy) makes(declared []object.Packed) *made {
	m := &made{exact: map[key][]product{}}
	for n := range p.generators {
		g := &p.generators[n]
		for _, o := range declared {
			if o.ID.Group != g.Group || o.ID.Kind != g.Kind {
				continue
			}
			if made, ok := g.of(o.Object()); ok {
				m.add(made)
			}
		}
	}
	return m
}

func (g *generator) of(o object.Object) (product, bool) {
	name, ok := g.name.of(o)
	result := product{generator: g, namespace: o.ID.Namespace, name: name, labels: map[string]pattern{}}
	for label, t := range g.labels {
		value, has := t.of(o)
		result.labels[label], ok = value, ok && has
	}
	return result, ok
}

func (m *made) add(p product) {
	kind, _, _ := strings.Cut(p.generator.Makes, ".")
	if kind == "*" || !p.name.exact() {
		m.loose = append(m.loose, p)
		return
	}
	k := key{kind: kind, namespace: p.namespace, name: string(p.name)}
	m.exact[k] = append(m.exact[k], p)
}

// covers tells whether one of the generators makes an object.
func (m *made) covers(j *judge, i *item) bool {
	if len(m.exact) > 0 {
		for _, namespace := range []string{i.ID.Namespace, ""} {
			for _, p := range m.exact[key{kind: i.ID.Kind, namespace: namespace, name: i.ID.Name}] {
				if p.covers(j, i) {
					return true
				}
			}
		}
	}
	for _, p := range m.loose {
		if p.covers(j, i) {
			return true
		}
	}
	return false
}

func (p product) covers(j *judge, i *item) bool {
	if !i.ID.IsKind(p.generator.Makes) || p.namespace != "" && p.namespace != i.ID.Namespace || !p.name.matches(i.ID.Name) {
		return false
	}
	for label, value := range p.labels {
		if !value.matches(i.label(label)) {
			return false
		}
	}
	if len(p.generator.Managers) == 0 {
		return true
	}
	for _, w := range j.policy.writers.Writers(i.open()) {
		for _, manager := range p.generator.Managers {
			if pattern(manager).matches(w.Manager) {
				return true
			}
		}
	}
	return false
}
