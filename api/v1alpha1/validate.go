package v1alpha1

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// maxRules is how long lists of rules may be, so that the API server knows what it
// costs to check them.
const maxRules = 1000

// Validate returns what is wrong, all of it, each with its path and what to write
// instead. What only the packages that use a field can tell is theirs to check:
// JSONPath, CEL, whether registries are such, keys of signers.
func (b Baseline) Validate() error {
	return b.problems().alone()
}

// add notes that something is wrong with the field at a path; text goes on after it.
func (ps *problems) add(path, text string, args ...any) {
	*ps = append(*ps, problem{path: path, text: path + fmt.Sprintf(text, args...)})
}

// problems are what is wrong with a Baseline, without a place.
func (b Baseline) problems() problems {
	var ps problems
	if b.APIVersion != APIVersion {
		ps.add("apiVersion", " is %q: write %s", b.APIVersion, APIVersion)
	}
	if b.Kind != Kind {
		ps.add("kind", " is %q: write %s", b.Kind, Kind)
	}
	if b.Name != "" && len(validation.IsDNS1123Subdomain(b.Name)) > 0 {
		ps.add("metadata.name", " is %q: write small letters, digits, - and . only", b.Name)
	}
	spec := b.Spec
	spec.Git.validate(&ps)
	spec.validateMode(&ps)
	spec.Scope.validate(&ps)
	ps.words("spec.deployer.managers", spec.Deployer.Managers)
	ps.words("spec.deployer.users", spec.Deployer.Users)
	ps.words("spec.controllers", spec.Controllers)
	for i, c := range spec.Controllers {
		if strings.Trim(c, "*") == "" && c != "" {
			ps.add(fmt.Sprintf("spec.controllers[%d]", i), " fits every field manager, so that nothing would be found: name the controllers")
		}
	}
	ps.oneOf("spec.confirm", spec.Confirm, ConfirmNone, ConfirmDryRun)
	if n := len(spec.Ignore); n > maxRules {
		ps.add("spec.ignore", " has %d rules: write at most %d, with patterns", n, maxRules)
	}
	for i, rule := range spec.Ignore {
		rule.validate(fmt.Sprintf("spec.ignore[%d]", i), &ps)
	}
	if spec.Verify != nil {
		spec.Verify.validate(&ps)
	}
	spec.Sources.validate(&ps)
	spec.Posture.validate(&ps)
	if d := spec.Runtime.MaxAge.Duration; d < 0 {
		ps.add("spec.runtime.maxAge", " is %s: write how long a container may run, such as 168h", d)
	}
	validateRules(spec.Rules, &ps)
	return ps
}

// maxWrites bounds spec.writesPerMinute.
const maxWrites = 6000

func (s BaselineSpec) validateMode(ps *problems) {
	ps.oneOf("spec.mode", s.Mode, ModeReport, ModeRevert, ModeSync)
	if s.Prune && (s.Mode == "" || s.Mode == ModeReport) {
		ps.add("spec.prune", " deletes, and spec.mode is Report, which writes nothing: write mode: Revert or Sync")
	}
	if s.Quarantine && (s.Mode == "" || s.Mode == ModeReport) {
		ps.add("spec.quarantine", " writes, and spec.mode is Report, which writes nothing: write mode: Revert or Sync")
	}
	if s.Quarantine && s.Prune {
		ps.add("spec.quarantine", " keeps what spec.prune deletes: choose one of them")
	}
	if name := s.ServiceAccountName; name != "" && len(validation.IsDNS1123Subdomain(name)) > 0 {
		ps.add("spec.serviceAccountName", " is %q: write the name of a ServiceAccount beside the Baseline, without its namespace", name)
	}
	if n := s.WritesPerMinute; n < 0 || n > maxWrites {
		ps.add("spec.writesPerMinute", " is %d: write how many objects may be written to in a minute, from 1 to %d", n, maxWrites)
	}
}

func (g Git) validate(ps *problems) {
	if g.URL == "" && g != (Git{}) {
		ps.add("spec.git.url", " is missing: name the repository, such as https://git.example.com/platform/config.git")
	}
	if d := g.Interval.Duration; d != 0 && d < minInterval {
		ps.add("spec.git.interval", " is %s: write how often to ask for news, at least %s, such as 1m", d, minInterval)
	}
	if g.SecretRef != nil && g.SecretRef.Name == "" {
		ps.add("spec.git.secretRef.name", " is missing: name a Secret")
	}
	if u, err := url.Parse(g.URL); err == nil && u.User != nil {
		if _, ok := u.User.Password(); ok {
			ps.add("spec.git.url", " holds a password: take it out and set PLUMBLINE_GIT_PASSWORD or PLUMBLINE_GIT_TOKEN")
		}
	}
	if path.IsAbs(g.Path) || strings.HasPrefix(path.Clean(g.Path)+"/", "../") {
		ps.add("spec.git.path", " is %q: write a directory beneath the repository's root, such as shop/prod", g.Path)
	}
}

// validate returns what is wrong with the rule at a path.
func (i Ignore) validate(at string, ps *problems) {
	if len(i.Paths)+len(i.Managers) == 0 && i.When == "" {
		ps.add(at, ` has neither paths, managers nor when: name at least one field, such as /spec/replicas, or "/" for the whole object`)
	}
	ps.kindAlone(at+".kind", i.Kind)
	ps.pattern(at+".namespace", i.Namespace)
	ps.pattern(at+".name", i.Name)
	ps.words(at+".paths", i.Paths)
	ps.words(at+".managers", i.Managers)
	ps.reason(at, i.Reason, "the differences are ignored")
	ps.day(at+".until", i.Until)
}

// rule is the name of a rule, or of a group of them.
var rule = regexp.MustCompile(`^[a-z]+(/[a-z]+(-[a-z]+)*)?$`)

// levels are how much a rule may matter.
var levels = []string{string(Off), string(Report), string(Fail)}

func validateRules(rules map[string]Level, ps *problems) {
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		at := "spec.rules[" + name + "]"
		if !rule.MatchString(name) {
			ps.add(at, " is no rule: write one such as source/tag, or a group such as posture")
		}
		if rules[name] == "" {
			ps.add(at, ` is empty: write "Off", Report or Fail`)
		}
		ps.oneOf(at, string(rules[name]), levels...)
	}
}

// CheckRules returns which of the rules that a Baseline names are none of the known
// ones, nor a group of them. This package does not know the rules itself.
func (b Baseline) CheckRules(known []string) error {
	var ps problems
	names := slices.Clone(known)
	for _, name := range known {
		group, _, _ := strings.Cut(name, "/")
		names = append(names, group)
	}
	check := func(at, name string) {
		if slices.Contains(names, name) {
			return
		}
		if w := nearest(name, names); w != "" {
			ps.add(at, " names the rule %q, which there is not: did you mean %s?", name, w)
		} else {
			ps.add(at, " names the rule %q, which there is not: write one such as source/tag, or a group such as posture", name)
		}
	}
	for i, e := range b.Spec.Scope.Exempt {
		for j, name := range e.Rules {
			check(fmt.Sprintf("spec.scope.exempt[%d].rules[%d]", i, j), name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Spec.Rules)) {
		check("spec.rules["+name+"]", name)
	}
	return ps.alone()
}

// oneOf checks a value that is one of a few words, or empty.
func (ps *problems) oneOf(at, value string, words ...string) {
	if value == "" || slices.Contains(words, value) {
		return
	}
	if w := nearest(value, words); w != "" {
		ps.add(at, " is %q: did you mean %s?", value, w)
		return
	}
	last := len(words) - 1
	ps.add(at, " is %q: write %s or %s", value, strings.Join(words[:last], ", "), words[last])
}

// words checks a list whose items must say something.
func (ps *problems) words(at string, items []string) {
	for i, item := range items {
		if strings.TrimSpace(item) == "" {
			ps.add(fmt.Sprintf("%s[%d]", at, i), " is empty: leave it out")
		} else if strings.TrimSpace(item) != item {
			ps.add(fmt.Sprintf("%s[%d]", at, i), " is %q: write it without the space around it", item)
		}
	}
}

// reason checks that somebody has said why.
func (ps *problems) reason(at, reason, what string) {
	switch reason = strings.TrimSpace(reason); {
	case reason == "":
		ps.add(at, " has no reason: say why %s", what)
	case strings.HasPrefix(reason, Placeholder):
		ps.add(at+".reason", " is still to be written: say why %s", what)
	}
}

func (ps *problems) day(at, day string) {
	if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
		ps.add(at, " is %q: write a day as 2027-01-31", day)
	}
}
