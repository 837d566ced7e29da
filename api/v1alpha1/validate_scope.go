package v1alpha1

import (
	"fmt"
	"regexp"
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
	for i, e := range s.Exempt {
		e.validate(fmt.Sprintf("spec.scope.exempt[%d]", i), ps)
	}
	for i, g := range s.Generators {
		g.validate(fmt.Sprintf("spec.scope.generators[%d]", i), ps)
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
	if g.Makes == "" {
		ps.add(at, " has no makes: write the kind of what is made, such as Secret")
	} else {
		ps.kind(at+".makes", g.Makes)
	}
	if strings.ContainsAny(field.ReplaceAllString(g.Name, ""), "{}") {
		ps.add(at+".name", " is %q: close each brace, as in {name}-tls", g.Name)
	}
	for _, m := range field.FindAllStringSubmatch(g.Name, -1) {
		if m[1] != "name" && !strings.HasPrefix(m[1], "$.") && !strings.HasPrefix(m[1], "$[") {
			ps.add(at+".name", " holds {%s}: write {name}, or a field as {$.spec.secretName}", m[1])
		}
	}
	ps.words(at+".managers", g.Managers)
}
