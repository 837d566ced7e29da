package gitsource

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// FullHistory as Options.Depth fetches all commits.
const FullHistory = -1

// The defaults of Limits.
const (
	defaultBytes     = 256 << 20
	defaultFileBytes = 5 << 20
	defaultFiles     = 50_000
	defaultTimeout   = 5 * time.Minute
)

// Options say what to fetch and how. Only URL is needed.
type Options struct {
	// URL is the repository: https://, ssh:// (or user@host:path), git://,
	// file://, or a directory. http:// is accepted for loopback hosts only.
	URL string
	// Ref is a branch, tag, full ref name, commit or semver range over tags;
	// the package documentation has the rules. Empty is the remote's HEAD.
	Ref string
	// Auth holds credentials and trust. What does not apply to the URL's
	// scheme is not used.
	Auth Auth
	// Depth is the number of commits to fetch; 0 means 1, and FullHistory all
	// of them, which Blame needs.
	Depth int
	// Submodules fetches submodules at their pinned commits, with the same
	// Depth. Without it a submodule is an empty directory.
	Submodules bool
	// Verify says whose commits count. Nil means everybody's.
	Verify *Verification
	// Limits bound the work.
	Limits Limits
}

// Limits bound what a repository may cost. Zero fields mean the default.
type Limits struct {
	// Bytes is the most that may be received, and also the most that the
	// received objects may unpack to. Default 256 MiB.
	Bytes int64
	// FileBytes is the size of the largest file. Default 5 MiB.
	FileBytes int64
	// Files is the largest number of files and directories, submodules
	// included. Default 50,000.
	Files int
	// Timeout bounds the whole call. Default 5 minutes.
	Timeout time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = defaultBytes
	}
	if l.FileBytes == 0 {
		l.FileBytes = defaultFileBytes
	}
	if l.Files == 0 {
		l.Files = defaultFiles
	}
	if l.Timeout == 0 {
		l.Timeout = defaultTimeout
	}
	return l
}

func (l Limits) validate() error {
	if l.Bytes < 0 || l.FileBytes < 0 || l.Files < 0 || l.Timeout < 0 {
		return errors.New("a limit of the git source is negative")
	}
	return nil
}

// Validate reports what is wrong with the options, without any credential.
func (o Options) Validate() error {
	_, urlErr := parseEndpoint(o.URL)
	return errors.Join(urlErr, validateRef(o.Ref), o.validateDepth(), o.Limits.validate(), o.Auth.validate(), o.Verify.validate())
}

func (o Options) validateDepth() error {
	if o.Depth < FullHistory {
		return fmt.Errorf("depth %d of the git source: give a number of commits, or %d for all", o.Depth, FullHistory)
	}
	return nil
}

func validateRef(ref string) error {
	if strings.HasPrefix(ref, "-") || strings.ContainsFunc(ref, isControl) {
		return fmt.Errorf("ref %q is not the name of a branch, tag or commit", ref)
	}
	return nil
}

// depth returns the depth as the protocol counts it, where 0 is everything.
func (o Options) depth() int {
	switch o.Depth {
	case 0:
		return 1
	case FullHistory:
		return 0
	}
	return o.Depth
}

// depths returns the values of Depth to try one after the other. Which commits came
// since another one is known only once the history reaches back to it.
func (o Options) depths(head Head) []int {
	if o.Verify == nil || !o.Verify.All || o.Verify.Since == "" || o.Verify.Since == head.Commit || o.Depth == FullHistory {
		return []int{o.Depth}
	}
	const some = 50 // commits between two looks, mostly
	return []int{max(o.Depth, some), FullHistory}
}

// key is equal for options that fetch the same thing from the same place. It
// stays with the Snapshot, so it holds no credentials.
func (o Options) key() optionsKey {
	e, _ := parseEndpoint(o.URL) // checked before anything is fetched
	return optionsKey{url: e.String(), ref: o.Ref, depth: o.depth(), submodules: o.Submodules, limits: o.Limits.withDefaults(), verify: o.Verify.key()}
}

type optionsKey struct {
	url, ref   string
	depth      int
	submodules bool
	limits     Limits
	verify     verificationKey
}

// String names the repository and ref, without credentials.
func (o Options) String() string {
	url := "(not a repository URL)"
	if e, err := parseEndpoint(o.URL); err == nil {
		url = e.String()
	}
	if o.Ref == "" {
		return url
	}
	return url + "@" + o.Ref
}

// Format writes String for every verb, so that no verb prints a credential.
func (o Options) Format(f fmt.State, _ rune) { fmt.Fprint(f, o.String()) }

// MarshalText is String, so that structured logs hold no credential.
func (o Options) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Auth holds the credentials for a repository and what to trust. It prints as
// the kinds of credentials that are set.
type Auth struct {
	// Username and Password are for HTTP basic authentication. Most forges
	// want their access tokens here, as the password. Username is also the
	// SSH user where the URL has none.
	Username, Password string
	// Token is sent as an HTTP bearer token.
	Token string
	// SSHKey is a private key in PEM, and SSHPassphrase opens it if it is
	// encrypted. Without a key the agent at SSH_AUTH_SOCK is asked.
	SSHKey        []byte
	SSHPassphrase string
	// KnownHosts is the content of a known_hosts file. Without it
	// ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts are read. A host key is
	// always checked.
	KnownHosts []byte
	// CABundle holds certificates in PEM, trusted for https besides the
	// system's.
	CABundle []byte
}

func (a Auth) validate() error {
	var errs []error
	if a.Token != "" && a.Password != "" {
		errs = append(errs, errors.New("both a token and a password are given for the git source: give one"))
	}
	if len(a.CABundle) > 0 && !x509.NewCertPool().AppendCertsFromPEM(a.CABundle) {
		errs = append(errs, errors.New("the CA bundle for the git source holds no PEM certificate"))
	}
	return errors.Join(errs...)
}

// withUserinfo fills what a URL says into what nobody said otherwise.
func (a Auth) withUserinfo(e endpoint) Auth {
	if a.Token != "" || a.Password != "" {
		return a
	}
	if e.user != "" {
		a.Username, a.Password = e.user, e.password
	}
	return a
}

// trustOnly drops the credentials and keeps what is not secret.
func (a Auth) trustOnly() Auth {
	return Auth{KnownHosts: a.KnownHosts, CABundle: a.CABundle}
}

// String names the kinds of credentials that are set, never their values.
func (a Auth) String() string {
	var kinds []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"basic", a.Username != "" || a.Password != ""},
		{"token", a.Token != ""},
		{"ssh-key", len(a.SSHKey) > 0},
		{"known-hosts", len(a.KnownHosts) > 0},
		{"ca-bundle", len(a.CABundle) > 0},
	} {
		if k.set {
			kinds = append(kinds, k.name)
		}
	}
	return "[" + strings.Join(kinds, " ") + "]"
}

// Format writes String for every verb, so that no verb prints a credential.
func (a Auth) Format(f fmt.State, _ rune) { fmt.Fprint(f, a.String()) }

// MarshalText is String, so that structured logs hold no credential.
func (a Auth) MarshalText() ([]byte, error) { return []byte(a.String()), nil }
