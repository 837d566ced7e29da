// Package v1alpha1 is the Baseline: a git repository at a ref and path, plus the
// rules that hold for what it governs.
package v1alpha1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// APIVersion and Kind identify a Baseline's file.
const (
	APIVersion = "plumbline.dev/v1alpha1"
	Kind       = "Baseline"
)

// The values of a Baseline's spec.confirm.
const (
	// ConfirmNone asks nothing of the API server but what it has.
	ConfirmNone = "None"
	// ConfirmDryRun asks it what it would store of a declared object, by a
	// server-side apply with dryRun.
	ConfirmDryRun = "DryRun"
)

// Baseline is the file that "plumbline diff -f" reads.
type Baseline struct {
	APIVersion string       `json:"apiVersion" yaml:"apiVersion"`
	Kind       string       `json:"kind" yaml:"kind"`
	Metadata   Metadata     `json:"metadata" yaml:"metadata"`
	Spec       BaselineSpec `json:"spec" yaml:"spec"`
}

// Metadata names a Baseline.
type Metadata struct {
	Name      string `json:"name" yaml:"name"`
	Namespace string `json:"namespace,omitempty" yaml:"namespace"`
}

// BaselineSpec says what is governed and by which rules.
type BaselineSpec struct {
	// Git is where the configuration is declared; it may be left out where a
	// directory is compared.
	Git Git `json:"git,omitzero" yaml:"git"`
	// Scope restricts what is governed.
	Scope Scope `json:"scope,omitempty" yaml:"scope"`
	// Deployer is the identity whose writes carry out what git says.
	Deployer Deployer `json:"deployer,omitempty" yaml:"deployer"`
	// Controllers are field managers that own fields by right, on top of the
	// built-in list. A trailing * matches any ending.
	Controllers []string `json:"controllers,omitempty" yaml:"controllers"`
	// Confirm says whether the API server is asked about what differs, with requests
	// that write nothing but take the rights to write. Empty is None.
	Confirm string `json:"confirm,omitempty" yaml:"confirm"`
	// Ignore are the rules that leave differences out of what is found.
	Ignore []Ignore `json:"ignore,omitempty" yaml:"ignore"`
	// Verify says whose commits count as declared. Nil means anybody's.
	Verify *Verify `json:"verify,omitempty" yaml:"verify"`
	// Sources says where what runs may come from.
	Sources Sources `json:"sources,omitzero" yaml:"sources"`
	// Posture says what namespaces must hold to.
	Posture Posture `json:"posture,omitzero" yaml:"posture"`
	// Runtime says what running Pods must hold to.
	Runtime Runtime `json:"runtime,omitzero" yaml:"runtime"`
	// Rules says how much rules and groups of rules matter: "source/tag: Report",
	// "posture: Off". A rule's own entry goes before its group's.
	Rules map[string]Level `json:"rules,omitempty" yaml:"rules"`
}

// Level is how much a rule matters.
type Level string

const (
	// Off: the rule is not evaluated.
	Off Level = "Off"
	// Report: what it finds is told and is no deviation.
	Report Level = "Report"
	// Fail: what it finds is a deviation.
	Fail Level = "Fail"
)

// Git names a repository, a ref and a path in it.
type Git struct {
	// URL is an https, ssh, git or file URL, or a directory. It holds no
	// credentials.
	URL string `json:"url" yaml:"url"`
	// Ref is a branch, a tag, a commit or a semver range of tags; the
	// repository's default branch where it is empty.
	Ref string `json:"ref,omitempty" yaml:"ref"`
	// Path is the directory to render, relative to the repository's root.
	Path string `json:"path,omitempty" yaml:"path"`
}

// Deployer is the CI/CD identity.
type Deployer struct {
	// Managers are the field managers under which it writes; empty means the
	// built-in list of deployment tools.
	Managers []string `json:"managers,omitempty" yaml:"managers"`
	// Users are the user names that it authenticates with, for witnesses who see them.
	Users []string `json:"users,omitempty" yaml:"users"`
}

// Parse reads a Baseline from a file's content, strictly: a field that it does
// not know is an error. Errors name the file and, where one is known, the line.
func Parse(file string, data []byte) (Baseline, error) {
	var b Baseline
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&b); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return Baseline{}, fmt.Errorf("reading the Baseline %s: %s", file, oneLine(err))
	}
	locate(b.Spec.Ignore, data)
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return Baseline{}, fmt.Errorf("reading the Baseline %s: the file holds more than one document", file)
	}
	if err := b.Validate(); err != nil {
		return Baseline{}, fmt.Errorf("reading the Baseline %s: %w", file, err)
	}
	return b, nil
}

var goType = regexp.MustCompile(` in type v1alpha1\.(\w+)`)

// oneLine says what the YAML library says, without the names of Go types.
func oneLine(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:")
	text = goType.ReplaceAllString(text, " in a Baseline's $1")
	return strings.Join(strings.Fields(text), " ")
}

// Validate returns what is wrong, all of it, each with what to write instead.
func (b Baseline) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if b.APIVersion != APIVersion {
		fail("apiVersion is %q: write %s", b.APIVersion, APIVersion)
	}
	if b.Kind != Kind {
		fail("kind is %q: write %s", b.Kind, Kind)
	}
	if b.Spec.Git.URL == "" && b.Spec.Git != (Git{}) {
		fail("spec.git.url is missing: name the repository, such as https://git.example.com/platform/config.git")
	}
	if u, err := url.Parse(b.Spec.Git.URL); err == nil && u.User != nil {
		if _, ok := u.User.Password(); ok {
			fail("spec.git.url holds a password: take it out and set PLUMBLINE_GIT_PASSWORD or PLUMBLINE_GIT_TOKEN")
		}
	}
	if c := b.Spec.Confirm; c != "" && c != ConfirmNone && c != ConfirmDryRun {
		fail("spec.confirm is %q: write %s or %s", c, ConfirmNone, ConfirmDryRun)
	}
	for i, rule := range b.Spec.Ignore {
		errs = append(errs, rule.validate(i)...)
	}
	return errors.Join(errs...)
}
