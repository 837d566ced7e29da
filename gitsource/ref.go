package gitsource

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
)

var fullHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

const (
	branchPrefix = "refs/heads/"
	tagPrefix    = "refs/tags/"
)

// choose finds what ref stands for among the advertised refs, by the rules of
// the package documentation.
func choose(adv *packp.AdvRefs, ref string) (Head, error) {
	switch {
	case ref == "" || ref == "HEAD":
		return remoteHead(adv)
	case fullHash.MatchString(strings.ToLower(ref)):
		h := plumbing.NewHash(ref)
		return Head{Commit: h.String(), want: h}, nil
	case strings.HasPrefix(ref, "refs/"):
		if h, ok := named(adv, ref); ok {
			return h, nil
		}
		return Head{}, refusef("the repository has no %s", ref)
	}
	for _, prefix := range []string{branchPrefix, tagPrefix} {
		if h, ok := named(adv, prefix+ref); ok {
			return h, nil
		}
	}
	return highest(adv, ref)
}

func remoteHead(adv *packp.AdvRefs) (Head, error) {
	if adv.Head == nil {
		return Head{}, refusef("the remote's HEAD names no commit: say which branch or tag is meant")
	}
	name := "HEAD"
	for _, s := range adv.Capabilities.Get(capability.SymRef) {
		if target, ok := strings.CutPrefix(s, "HEAD:"); ok {
			name = target
		}
	}
	return Head{Ref: name, Commit: adv.Head.String(), want: *adv.Head}, nil
}

func named(adv *packp.AdvRefs, name string) (Head, bool) {
	h, ok := adv.References[name]
	if !ok {
		return Head{}, false
	}
	commit := h
	if peeled, ok := adv.Peeled[name]; ok {
		commit = peeled
	}
	return Head{Ref: name, Commit: commit.String(), want: h}, true
}

// highest takes ref as a semver range and returns the highest tag in it. Of tags
// with the same precedence the one whose name sorts last wins.
func highest(adv *packp.AdvRefs, ref string) (Head, error) {
	constraint, err := semver.NewConstraint(ref)
	if err != nil {
		return Head{}, refusef("the repository has no branch or tag %s, and it is neither a full commit hash nor a version range", ref)
	}
	type candidate struct {
		name    string
		version *semver.Version
	}
	var in []candidate
	tags := 0
	for name := range adv.References {
		tag, ok := strings.CutPrefix(name, tagPrefix)
		if !ok {
			continue
		}
		tags++
		if v, err := semver.NewVersion(tag); err == nil && constraint.Check(v) {
			in = append(in, candidate{name, v})
		}
	}
	if len(in) == 0 {
		return Head{}, refusef("the repository has no branch or tag %s, and none of its %d tags lies in that version range", ref, tags)
	}
	best := slices.MaxFunc(in, func(a, b candidate) int {
		return cmp.Or(a.version.Compare(b.version), strings.Compare(a.name, b.name))
	})
	h, _ := named(adv, best.name)
	return h, nil
}

// isTip reports whether a server must hand out h because it advertised it.
func isTip(adv *packp.AdvRefs, h plumbing.Hash) bool {
	if adv.Head != nil && *adv.Head == h {
		return true
	}
	for _, tip := range adv.References {
		if tip == h {
			return true
		}
	}
	return false
}

// tips returns the hashes of all branches and tags, sorted.
func tips(adv *packp.AdvRefs) []plumbing.Hash {
	seen := map[plumbing.Hash]bool{}
	var hashes []plumbing.Hash
	for name, h := range adv.References {
		if (strings.HasPrefix(name, branchPrefix) || strings.HasPrefix(name, tagPrefix)) && !seen[h] {
			seen[h] = true
			hashes = append(hashes, h)
		}
	}
	plumbing.HashesSort(hashes)
	return hashes
}
