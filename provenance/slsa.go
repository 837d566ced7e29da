package provenance

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// The predicates that approve of an image.
const (
	predicateCosign = "https://sigstore.dev/cosign/sign/v1"
	predicateSLSA1  = "https://slsa.dev/provenance/v1"
	predicateSLSA02 = "https://slsa.dev/provenance/v0.2"
)

func (p policy) needsProvenance() bool { return len(p.builders) > 0 || len(p.repositories) > 0 }

// judgeStatement looks at what a known key has said of the image.
func (p policy) judgeStatement(signer int, text []byte) judgement {
	var statement struct {
		PredicateType string          `json:"predicateType"`
		Predicate     json.RawMessage `json:"predicate"`
	}
	if err := json.Unmarshal(text, &statement); err != nil {
		return judgement{steps: 2, reason: "cannot be read"}
	}
	j := judgement{signed: true, key: signer, steps: 4}
	var b build
	var err error
	switch statement.PredicateType {
	case predicateCosign:
		if j.good = !p.needsProvenance(); !j.good {
			j.reason = "does not tell who built the image: it has no SLSA provenance"
		}
		return j
	case predicateSLSA1:
		b, err = readSLSA1(statement.Predicate)
	case predicateSLSA02:
		b, err = readSLSA02(statement.Predicate)
	default:
		return judgement{steps: 3, reason: fmt.Sprintf("attests %s, which is neither a signature nor SLSA provenance", oneLine(statement.PredicateType))}
	}
	if err != nil {
		return judgement{steps: 3, reason: "is SLSA provenance that cannot be read"}
	}
	return p.judgeBuild(j, b)
}

// build is what provenance says of who built an image of what.
type build struct {
	builder string
	sources []string // URIs
}

// judgeBuild asks for a known builder, and that all of the image's sources are
// known: one of several that is known says nothing of the others.
func (p policy) judgeBuild(j judgement, b build) judgement {
	j.builder = oneLine(b.builder)
	j.steps = 5
	if len(p.builders) > 0 && !slices.Contains(p.builders, b.builder) {
		j.reason = fmt.Sprintf("says that it was built by %q, which is none of the builders", j.builder)
		return j
	}
	j.steps = 6
	var names []string
	for _, uri := range b.sources {
		name, ok := repository(uri)
		if len(p.repositories) > 0 && (!ok || !slices.ContainsFunc(p.repositories, func(r string) bool { return within(name, r) })) {
			j.reason = fmt.Sprintf("says that it was built from %s, which is none of the repositories", oneLine(uri))
			return j
		}
		if ok {
			names = append(names, oneLine(name))
		}
	}
	if len(p.repositories) > 0 && len(b.sources) == 0 {
		j.reason = "does not say from which repository it was built"
		return j
	}
	slices.Sort(names)
	j.good, j.source = true, strings.Join(slices.Compact(names), ", ")
	return j
}

type dependency struct {
	URI string `json:"uri"`
}

// readSLSA1 reads https://slsa.dev/spec/v1.0/provenance.
func readSLSA1(text []byte) (build, error) {
	var predicate struct {
		BuildDefinition struct {
			ExternalParameters   map[string]any `json:"externalParameters"`
			ResolvedDependencies []dependency   `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
		RunDetails struct {
			Builder struct {
				ID string `json:"id"`
			} `json:"builder"`
		} `json:"runDetails"`
	}
	err := json.Unmarshal(text, &predicate)
	b := build{builder: predicate.RunDetails.Builder.ID}
	for _, at := range sourceParameters {
		if uri, ok := lookup(predicate.BuildDefinition.ExternalParameters, at); ok {
			b.sources = append(b.sources, uri)
		}
	}
	if len(b.sources) == 0 {
		b.sources = gitSources(predicate.BuildDefinition.ResolvedDependencies)
	}
	return b, err
}

// readSLSA02 reads https://slsa.dev/spec/v0.2/provenance.
func readSLSA02(text []byte) (build, error) {
	var predicate struct {
		Builder struct {
			ID string `json:"id"`
		} `json:"builder"`
		Invocation struct {
			ConfigSource dependency `json:"configSource"`
		} `json:"invocation"`
		Materials []dependency `json:"materials"`
	}
	err := json.Unmarshal(text, &predicate)
	b := build{builder: predicate.Builder.ID}
	if uri := predicate.Invocation.ConfigSource.URI; uri != "" {
		b.sources = []string{uri}
	} else {
		b.sources = gitSources(predicate.Materials)
	}
	return b, err
}

// sourceParameters are the external parameters in which known builders name the
// repository. Others are not looked at: they may hold what a build was merely told.
var sourceParameters = [][]string{
	{"buildConfigSource", "repository"}, // Google Cloud Build
	{"configSource", "uri"},             // BuildKit
	{"repository"},
	{"source"}, // GitLab
	{"source", "repository"},
	{"source", "uri"}, // slsa-github-generator's containers
	{"workflow", "repository"},
}

func lookup(from map[string]any, at []string) (string, bool) {
	for _, name := range at[:len(at)-1] {
		from, _ = from[name].(map[string]any)
	}
	text, ok := from[at[len(at)-1]].(string)
	return text, ok && text != ""
}

// gitSources returns those of what was built from that are git repositories.
func gitSources(dependencies []dependency) []string {
	var uris []string
	for _, d := range dependencies {
		if _, remote, ok := strings.Cut(d.URI, "://"); strings.HasPrefix(d.URI, "git+") || strings.HasPrefix(d.URI, "git://") || strings.HasPrefix(d.URI, "ssh://") ||
			ok && gitPath.MatchString(remote) {
			uris = append(uris, d.URI)
		}
	}
	return uris
}

var (
	gitPath  = regexp.MustCompile(`\.git($|[@#?/])`)
	hostName = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)*$`)
	scpLike  = regexp.MustCompile(`^(?:[\w.-]+@)?([\w.-]+):([^/].*)$`)
)

// repository folds the ways of writing a repository's URL into one, host/path:
// scheme, user, default port, revision and .git are left out. It fails for what
// names none, and for paths that servers may read in more than one way.
func repository(uri string) (string, bool) {
	uri = strings.TrimPrefix(strings.TrimSpace(uri), "git+")
	if !strings.Contains(uri, "://") {
		if m := scpLike.FindStringSubmatch(uri); m != nil && !startsWithPort(m[2]) {
			uri = m[1] + "/" + m[2]
		}
		uri = "https://" + uri
	}
	u, err := url.Parse(uri)
	if err != nil || !slices.Contains([]string{"https", "http", "ssh", "git"}, u.Scheme) {
		return "", false
	}
	host := strings.ToLower(u.Hostname())
	if !hostName.MatchString(host) {
		return "", false
	}
	if port := u.Port(); port != "" && port != defaultPorts[u.Scheme] {
		host += ":" + port
	}
	at, _, _ := strings.Cut(strings.Trim(u.Path, "/"), "@")
	at = strings.TrimSuffix(strings.TrimSuffix(at, "/"), ".git")
	if at == "" || path.Clean(at) != at || strings.HasPrefix(at, "../") || at == ".." || u.RawPath != "" || strings.ContainsAny(u.EscapedPath(), "%\\") {
		return "", false
	}
	return host + "/" + at, true
}

func startsWithPort(text string) bool {
	port, _, _ := strings.Cut(text, "/")
	return strings.Trim(port, "0123456789") == ""
}

var defaultPorts = map[string]string{"https": "443", "http": "80", "ssh": "22", "git": "9418"}

// within reports whether a repository is another, or lies in its group, by whole
// path segments.
func within(name, group string) bool {
	return name == group || strings.HasPrefix(name, group+"/")
}
