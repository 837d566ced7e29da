package rogue

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/object"
)

// generator is one of spec.scope.generators, compiled.
type generator struct {
	v1alpha1.Generator
	name   template
	labels map[string]template
}

// injected is one of spec.scope.injected, compiled.
type injected struct {
	container, image pattern
	fields           []string
}

// compile prepares what is asked of each object. It checks again what would let too
// much pass; all else the Baseline has been checked for.
func (p *Policy) compile() error {
	var errs []error
	for i, g := range p.scope.Generators {
		compiled, err := newGenerator(g)
		if err != nil {
			errs = append(errs, fmt.Errorf("spec.scope.generators[%d]%w", i, err))
		}
		p.generators = append(p.generators, compiled)
	}
	for i, in := range p.scope.Injected {
		if in.Container == "" || strings.Trim(in.Image, "*") == "" || slices.Contains(in.Fields, "image") {
			errs = append(errs, fmt.Errorf("spec.scope.injected[%d] lets any container pass: name the container and its images, and leave image out of fields", i))
		}
		p.injected = append(p.injected, injected{pattern(in.Container), pattern(in.Image), in.Fields})
	}
	return errors.Join(errs...)
}

func newGenerator(g v1alpha1.Generator) (generator, error) {
	name := g.Name
	switch {
	case g.Makes == "*" && len(g.Labels) == 0:
		return generator{}, errors.New(" makes any kind: write the labels of what is made")
	case name == "" && g.Makes == "*":
		name = "*"
	case name == "":
		name = "{name}"
	}
	compiled := generator{Generator: g, labels: map[string]template{}}
	var err error
	if compiled.name, err = newTemplate(name); err != nil {
		return generator{}, fmt.Errorf(".name is %q: %w", name, err)
	}
	for _, label := range slices.Sorted(maps.Keys(g.Labels)) {
		value := g.Labels[label]
		if value == "" {
			return generator{}, fmt.Errorf(".labels[%s] is %q: write a value, such as {name}", label, value)
		}
		if compiled.labels[label], err = newTemplate(value); err != nil {
			return generator{}, fmt.Errorf(".labels[%s] is %q: %w", label, value, err)
		}
	}
	return compiled, nil
}

// template is a text with placeholders for fields of a declared object: each part is
// a field's keys, or else what stands between.
type template []part

type part struct {
	text string
	keys []string
}

var (
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	fieldPath   = regexp.MustCompile(`^\{\$(\.[A-Za-z0-9_-]+)+\}$`)
)

func newTemplate(text string) (template, error) {
	var t template
	rest := 0
	for _, at := range placeholder.FindAllStringIndex(text, -1) {
		t = append(t, part{text: text[rest:at[0]]})
		rest = at[1]
		switch p := text[at[0]:at[1]]; {
		case p == "{name}", p == "{namespace}":
			t = append(t, part{keys: []string{"metadata", strings.Trim(p, "{}")}})
		case fieldPath.MatchString(p):
			t = append(t, part{keys: strings.Split(strings.Trim(p, "{$.}"), ".")})
		default:
			return nil, fmt.Errorf("%s is no placeholder: write {name}, {namespace} or a field such as {$.spec.secretName}", p)
		}
	}
	if strings.ContainsAny(text[rest:], "{}") {
		return nil, errors.New("a brace has no other: write a placeholder such as {name}")
	}
	return append(t, part{text: text[rest:]}), nil
}

// of fills in the fields of an object. It is false if the object has not all of them.
// What a field holds is taken literally: it cannot hold a pattern.
func (t template) of(o object.Object) (pattern, bool) {
	var b strings.Builder
	for _, p := range t {
		value := p.text
		if p.keys != nil {
			if value = text(o.Content, p.keys...); value == "" || strings.Contains(value, "*") {
				return "", false
			}
		}
		b.WriteString(value)
	}
	return pattern(b.String()), true
}

// pattern is a text in which * stands for any characters.
type pattern string

func (p pattern) exact() bool { return !strings.Contains(string(p), "*") }

func (p pattern) matches(s string) bool {
	parts := strings.Split(string(p), "*")
	if len(parts) == 1 {
		return s == parts[0]
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, middle := range parts[1 : len(parts)-1] {
		at := strings.Index(s, middle)
		if at < 0 {
			return false
		}
		s = s[at+len(middle):]
	}
	return true
}
