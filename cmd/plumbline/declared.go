package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/spf13/pflag"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/audit"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/history"
	"plumbline.dev/plumbline/ignore"
	"plumbline.dev/plumbline/inspect"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/render"
)

// declaredOptions are the flags that say where the declared objects come from.
type declaredOptions struct {
	dir      string    // the argument
	in       io.Reader // what "-" stands for
	baseline string
	git      v1alpha1.Git
	username string
	sshKey   string
	hosts    string
	ca       string
	blame    bool
	lag      int
}

func (o *declaredOptions) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.baseline, "filename", "f", "", "Baseline `file` that names the repository and the rules (- for standard input); with a directory, the rules for that")
	f.IntVar(&o.lag, "lag", 50, "`number` of earlier commits that the cluster may lag behind; what it still has of them is drift/pending (0: all that differs is drift)")
	o.addRepositoryFlags(f)
}

// addRepositoryFlags adds those that say where the repository is.
func (o *declaredOptions) addRepositoryFlags(f *pflag.FlagSet) {
	f.StringVar(&o.git.URL, "git", "", "`URL` of a git repository (https, ssh, git or file) instead of a directory; credentials are read from PLUMBLINE_GIT_PASSWORD or PLUMBLINE_GIT_TOKEN")
	f.StringVar(&o.git.Ref, "ref", "", "`branch`, tag, commit or semver range of tags (default: the repository's default branch)")
	f.StringVar(&o.git.Path, "path", "", "`directory` in the repository")
	f.StringVar(&o.username, "git-username", "git", "user `name` for https, with the password of PLUMBLINE_GIT_PASSWORD")
	f.StringVar(&o.sshKey, "git-ssh-key", "", "`file` with a private key for ssh; its passphrase is read from PLUMBLINE_GIT_PASSPHRASE")
	f.StringVar(&o.hosts, "git-known-hosts", "", "`file` with the known host keys for ssh (default: yours and the system's)")
	f.StringVar(&o.ca, "git-ca", "", "`file` with certificates to trust for https, on top of the system's")
}

// declared is what git says, and what was wrong with it.
type declared struct {
	snapshot *gitsource.Snapshot
	path     string
	isDir    bool              // on disk, so that it may differ from the snapshot's commit
	baseline v1alpha1.Baseline // zero without one
	file     string            // of the Baseline
	text     []byte            // of that file
	objects  []object.Object
	err      error             // about some of the objects
	past     *history.History  // nil where nobody wants to know
	local    bool              // taken from a directory as it is
	remote   gitsource.Options // else where it was fetched from
}

// load reads and renders the configuration. Errors about single objects are kept
// in the result: they do not hide the others.
func (o declaredOptions) load(ctx context.Context) (declared, error) {
	var d declared
	if err := o.readBaseline(&d); err != nil {
		return d, err
	}
	git := o.git
	if o.dir == "" && o.baseline != "" {
		git = d.baseline.Spec.Git
	}
	var remote gitsource.Options
	var err error
	switch {
	case o.dir != "" && (git.URL != "" || git.Path != "" || git.Ref != ""):
		return d, errors.New("name a directory, or a repository with --git, not both")
	case o.dir == "" && o.baseline != "" && git.URL == "":
		return d, fmt.Errorf("the Baseline %s names no repository: write one under spec.git, or name a directory that is compared by its rules", o.baseline)
	case o.dir == "" && git.URL == "":
		return d, errors.New("name what to compare: a directory, a repository with --git, or a Baseline with -f")
	case o.dir != "":
		d.local = true
		d.snapshot, err = gitsource.Dir(ctx, o.dir, gitsource.DirOptions{})
	default:
		if remote, err = o.remote(git, d.baseline.Spec.Verify); err == nil {
			d.snapshot, err = gitsource.Fetch(ctx, remote, nil)
		}
	}
	if err != nil {
		return d, err
	}
	d.isDir = o.dir != ""
	d.path = path.Join(d.snapshot.Path, git.Path)
	if _, err := fs.Stat(d.snapshot.FS(), d.path); errors.Is(err, fs.ErrNotExist) {
		return d, fmt.Errorf("%s has no directory %s", d.snapshot, git.Path)
	}
	rendering, err := render.Update(ctx, nil, d.snapshot, d.path, render.Options{})
	if ctx.Err() != nil {
		return d, ctx.Err()
	}
	d.objects, d.err = opened(rendering.Objects), err
	if len(d.objects) == 0 && (err == nil || errors.Is(err, render.ErrEmpty)) {
		return d, fmt.Errorf("%s %w", d.place(), render.ErrEmpty)
	}
	d.past, d.remote = o.past(d, rendering, remote), remote
	return d, nil
}

func (o declaredOptions) readBaseline(d *declared) error {
	if o.baseline == "" {
		return nil
	}
	if o.git != (v1alpha1.Git{}) {
		return errors.New("-f names the repository: leave --git, --ref and --path out")
	}
	var err error
	if d.file, d.text, err = o.readFile(); err != nil {
		return fmt.Errorf("reading the Baseline: %w", err)
	}
	b, err := v1alpha1.Parse(d.file, d.text)
	if err != nil {
		return err
	}
	d.baseline = v1alpha1.Default(b)
	known, err := knownRules()
	if err != nil {
		return err
	}
	return v1alpha1.Locate(d.file, d.text, b.CheckRules(known))
}

// knownRules names every rule.
func knownRules() ([]string, error) {
	reference, err := finding.Reference()
	var names []string
	for _, help := range reference {
		names = append(names, string(help.Rule))
	}
	return names, err
}

// readFile reads the Baseline's file, or standard input for "-".
func (o declaredOptions) readFile() (name string, data []byte, err error) {
	if o.baseline == "-" {
		data, err = io.ReadAll(o.in)
		return "standard input", data, err
	}
	data, err = os.ReadFile(o.baseline)
	return o.baseline, data, err
}

// remote says how to fetch the repository, without its history unless somebody is
// to be blamed.
func (o declaredOptions) remote(git v1alpha1.Git, verify *v1alpha1.Verify) (gitsource.Options, error) {
	options := gitsource.Options{URL: git.URL, Ref: git.Ref, Auth: gitsource.Auth{
		Password:      os.Getenv("PLUMBLINE_GIT_PASSWORD"),
		Token:         os.Getenv("PLUMBLINE_GIT_TOKEN"),
		SSHPassphrase: os.Getenv("PLUMBLINE_GIT_PASSPHRASE"),
	}}
	if verify != nil {
		options.Verify = &gitsource.Verification{
			All: verify.Commits == v1alpha1.All, AllowedSigners: verify.AllowedSigners, OpenPGP: verify.OpenPGP,
		}
	}
	switch {
	case o.blame:
		options.Depth = gitsource.FullHistory
	case verify != nil && verify.Commits == v1alpha1.All:
		options.Depth = o.lag + 1 // what the cluster may lag behind by
	}
	if options.Auth.Password != "" {
		options.Auth.Username = o.username
	}
	for file, into := range map[string]*[]byte{o.sshKey: &options.Auth.SSHKey, o.hosts: &options.Auth.KnownHosts, o.ca: &options.Auth.CABundle} {
		if file == "" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return options, fmt.Errorf("reading a file that the flags name: %w", err)
		}
		*into = data
	}
	return options, nil
}

// apply returns the rules of the flags with those of the Baseline.
func (d declared) apply(o assess.Options) (assess.Options, error) {
	spec := d.baseline.Spec
	if len(o.Compare.Deployers) == 0 {
		o.Compare.Deployers = spec.Deployer.Managers
	}
	o.Compare.Controllers = spec.Controllers
	o.Namespaces = spec.Scope.Namespaces
	var err error
	if o.Ignore, err = ignore.Rules(spec.Ignore, now()); err != nil {
		return o, v1alpha1.Locate(d.file, d.text, err)
	}
	return o, nil
}

// rules are those of the Baseline about what should not be there; nil without one.
func (d declared) rules(o assess.Options, cache string) (*audit.Rules, error) {
	if d.file == "" {
		return nil, nil
	}
	repository := audit.Repository{FS: d.snapshot.FS(), Dir: d.path, URL: d.snapshot.URL, Cache: cache}
	rules, err := audit.New(d.baseline.Spec, repository, o.Compare, now())
	if err != nil {
		return nil, v1alpha1.Locate(d.file, d.text, err)
	}
	return rules, nil
}

// place names the rendered directory for people.
func (d declared) place() string {
	if d.path == "." || d.path == "" {
		return d.snapshot.URL
	}
	return d.snapshot.URL + "/" + d.path
}

// entry is the file that stands for all that is declared: what the rendering begins with,
// or else the first that declares something.
func (d declared) entry() string {
	if entry := render.Entry(d.snapshot.FS(), d.path); entry != "" || len(d.objects) == 0 {
		return entry
	}
	return d.objects[0].Origin.File
}

// opened returns objects that are loose already.
func opened(loose []object.Packed) []object.Object {
	var all []object.Object
	for _, o := range loose {
		all = append(all, o.Object())
	}
	return all
}

// pass is the comparison of what is declared, by these rules.
func (d declared) pass(options assess.Options, rules *audit.Rules) inspect.Pass {
	return inspect.Pass{
		Snapshot: d.snapshot, Path: d.path, WorkTree: d.isDir, Objects: object.LooseAll(d.objects), Err: d.err, Past: d.past,
		Spec: d.baseline.Spec, Assess: options, Audit: rules, At: now(),
	}
}
