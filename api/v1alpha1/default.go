package v1alpha1

import "time"

// defaultInterval and minInterval are how often a repository is asked for news, and how
// often at most.
const (
	defaultInterval = time.Minute
	minInterval     = 10 * time.Second
)

// defaultWrites is how many objects may be written to in a minute.
const defaultWrites = 60

// Default returns the Baseline with what is left out filled in, as the fields'
// comments say. It is for those who read the rules; a Baseline is written, and kept in
// the cluster, without it.
func Default(b Baseline) Baseline {
	b = *b.DeepCopy()
	spec := &b.Spec
	fill(&spec.Confirm, ConfirmNone)
	fill(&spec.Mode, ModeReport)
	if spec.WritesPerMinute == 0 {
		spec.WritesPerMinute = defaultWrites
	}
	if spec.Git.Interval.Duration == 0 {
		spec.Git.Interval.Duration = defaultInterval
	}
	for i := range spec.Scope.Exempt {
		if e := &spec.Scope.Exempt[i]; len(e.Rules) == 0 {
			e.Rules = []string{"rogue/object"}
		}
	}
	for i := range spec.Scope.Generators {
		if g := &spec.Scope.Generators[i]; g.Makes == "*" {
			fill(&g.Name, "*")
		} else {
			fill(&g.Name, "{name}")
		}
	}
	if len(spec.Sources.Registries) > 0 {
		fill(&spec.Sources.Tags, Fixed)
	}
	fill(&spec.Sources.Tags, Any)
	fill(&spec.Sources.Digests, Optional)
	fill(&spec.Sources.Releases, Unread)
	if spec.Verify != nil {
		fill(&spec.Verify.Commits, Head)
	}
	if spec.Posture.PodSecurity != "" {
		fill(&spec.Posture.PodSecurityVersion, "latest")
	}
	return b
}

// fill sets a value that is empty.
func fill(value *string, to string) {
	if *value == "" {
		*value = to
	}
}
