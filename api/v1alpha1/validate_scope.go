package v1alpha1

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

func (s Scope) validate(ps *problems) {
	for i, n := range s.Namespaces {
		if len(validation.IsDNS1123Label(n)) > 0 {
			ps.add(fmt.Sprintf("spec.scope.namespaces[%d]", i), " is %q: write a namespace's name, such as shop", n)
		}
	}
	for i, k := range s.Kinds {
		ps.kind(fmt.Sprintf("spec.scope.kinds[%d]", i), k)
	}
	for i, k := range s.ClusterKinds {
		if k != "*" {
			ps.kind(fmt.Sprintf("spec.scope.clusterKinds[%d]", i), k)
		}
	}
	if n := len(s.Exempt); n > maxRules {
		ps.add("spec.scope.exempt", " has %d rules: write at most %d, with patterns", n, maxRules)
	}
	for i, e := range s.Exempt {
		e.validate(fmt.Sprintf("spec.scope.exempt[%d]", i), ps)
	}
	for i, g := range s.Generators {
		g.validate(fmt.Sprintf("spec.scope.generators[%d]", i), ps)
	}
	for i, in := range s.Injected {
		in.validate(fmt.Sprintf("spec.scope.injected[%d]", i), ps)
	}
}

var (
	plainKind = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	groupKind = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
)

// kind checks a kind with its group: "Deployment", "Certificate.cert-manager.io".
func (ps *problems) kind(at, kind string) {
	switch {
	case groupKind.MatchString(kind):
	case kind == "":
		ps.add(at, " is missing: write a kind, such as Deployment or Certificate.cert-manager.io")
	case kind == "*":
		ps.add(at, " is %q: leave the list out for every kind", kind)
	default:
		ps.add(at, " is %q: write a kind as it stands in an object's kind, with its group after a dot, such as Deployment or Certificate.cert-manager.io", kind)
	}
}

// kindAlone checks a kind whose group is a field of its own.
func (ps *problems) kindAlone(at, kind string) {
	if kind == "" || plainKind.MatchString(kind) {
		return
	}
	if k, group, ok := strings.Cut(kind, "."); ok && groupKind.MatchString(kind) {
		ps.add(at, " is %q: write kind: %s and group: %s", kind, k, group)
		return
	}
	ps.add(at, " is %q: write a kind as it stands in an object's kind, such as Deployment", kind)
}

func (ps *problems) group(at, group string) {
	if group != "" && len(validation.IsDNS1123Subdomain(group)) > 0 {
		ps.add(at, " is %q: write an API group without its version, such as apps or cert-manager.io", group)
	}
}

// pattern checks a pattern: anything is one, but for a \ with nothing to take the
// meaning of.
func (ps *problems) pattern(at, pattern string) {
	trailing := len(pattern) - len(strings.TrimRight(pattern, `\`))
	if trailing%2 == 1 {
		ps.add(at, ` is %q: write \\ for a backslash, or leave the last one out`, pattern)
	}
}

func (e Exemption) validate(at string, ps *problems) {
	for i, r := range e.Rules {
		if !rule.MatchString(r) {
			ps.add(fmt.Sprintf("%s.rules[%d]", at, i), " is %q: write a rule such as source/image, or a group such as posture", r)
		}
	}
	if e.Group == nil && e.Kind == "" && e.Namespace == "" && e.Name == "" && e.Subject == "" {
		ps.add(at, ` fits every object: say which it is about, by group, kind, namespace, name or subject, or turn the rule off under spec.rules`)
	}
	if e.Group != nil {
		ps.group(at+".group", *e.Group)
	}
	ps.kindAlone(at+".kind", e.Kind)
	ps.pattern(at+".namespace", e.Namespace)
	ps.pattern(at+".name", e.Name)
	ps.pattern(at+".subject", e.Subject)
	ps.reason(at, e.Reason, "it is exempt")
	ps.day(at+".until", e.Until)
}

// field is what may stand in the braces of a generator's name.
var field = regexp.MustCompile(`\{([^{}]*)\}`)

func (g Generator) validate(at string, ps *problems) {
	ps.group(at+".group", g.Group)
	if g.Kind == "" {
		ps.add(at, " has no kind: write that of the declared object, such as Certificate")
	}
	ps.kindAlone(at+".kind", g.Kind)
	switch {
	case g.Makes == "":
		ps.add(at, " has no makes: write the kind of what is made, such as Secret")
	case g.Makes != "*":
		ps.kind(at+".makes", g.Makes)
	case len(g.Labels) == 0:
		ps.add(at, " makes any kind: write the labels of what is made")
	}
	ps.placeholders(at+".name", g.Name)
	for _, name := range slices.Sorted(maps.Keys(g.Labels)) {
		if g.Labels[name] == "" {
			ps.add(at+".labels", " has no value for %s: write one, such as {name}", name)
		}
		ps.placeholders(at+".labels."+name, g.Labels[name])
	}
	ps.words(at+".managers", g.Managers)
}

// placeholders checks a text that fields of the declared object may stand in.
func (ps *problems) placeholders(at, text string) {
	if strings.ContainsAny(field.ReplaceAllString(text, ""), "{}") {
		ps.add(at, " is %q: close each brace, as in {name}-tls", text)
	}
	for _, m := range field.FindAllStringSubmatch(text, -1) {
		if m[1] != "name" && m[1] != "namespace" && !dotted.MatchString(m[1]) {
			ps.add(at, " holds {%s}: write {name}, {namespace}, or a field as {$.spec.secretName}", m[1])
		}
	}
}

// dotted leads to a field of the declared object.
var dotted = regexp.MustCompile(`^\$(\.[A-Za-z0-9_-]+)+$`)

func (in Injected) validate(at string, ps *problems) {
	if in.Container == "" {
		ps.add(at, " has no container: write the name of the one that is put into Pods, such as istio-proxy")
	}
	if strings.Trim(in.Image, "*") == "" {
		ps.add(at, " has no image: write where its images come from, such as docker.io/istio/proxyv2:*")
	}
	if slices.Contains(in.Fields, "image") {
		ps.add(at+".fields", " has image: leave it out, and declare other containers' images in git")
	}
}
