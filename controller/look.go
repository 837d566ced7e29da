package controller

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/audit"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/history"
	"plumbline.dev/plumbline/ignore"
	"plumbline.dev/plumbline/inspect"
	"plumbline.dev/plumbline/render"
	"plumbline.dev/plumbline/report"
)

const (
	// lag is how many commits the cluster may be behind, as in the command line.
	lag = 50
	// unhappy is how soon a pass that failed is tried again, at most: a Baseline's
	// interval holds where it is shorter.
	unhappy = time.Minute
)

// kept is what a pass leaves for the next.
type kept struct {
	uid types.UID
	// snapshot is the last good one, of when it was last known to be the newest.
	snapshot  *gitsource.Snapshot
	fetched   time.Time
	rendering *render.Rendering
	board     board
}

// outcome is how a look went.
type outcome struct {
	suspended bool
	// failure is why something could not be done, and reason the condition's; stalled
	// says that trying again will not help.
	failure error
	reason  string
	stalled bool
	// report is what was found; nil where nothing could be compared.
	report  *report.Report
	fetched time.Time
	again   time.Duration
}

// failed is the outcome of a look that found nothing out.
func failed(reason string, err error) outcome {
	return outcome{failure: err, reason: reason}
}

// look compares what a Baseline's repository declares with what is live.
func (r *reconciler) look(ctx context.Context, b *v1alpha1.Baseline) outcome {
	if b.Spec.Suspend {
		return outcome{suspended: true}
	}
	spec := v1alpha1.Default(*b).Spec
	pass, err := r.pass(b, spec)
	if err != nil {
		o := failed(v1alpha1.ReasonInvalid, err)
		o.stalled = true
		return o
	}
	k := r.keep(b)
	o := r.compare(ctx, b, k, pass)
	o.fetched = k.fetched
	o.again = jittered(spec.Git.Interval.Duration)
	if o.failure != nil {
		o.again = min(o.again, jittered(unhappy))
	}
	return o
}

// pass compiles what a Baseline says, without its repository.
func (r *reconciler) pass(b *v1alpha1.Baseline, spec v1alpha1.BaselineSpec) (*inspect.Pass, error) {
	written := *b
	written.APIVersion, written.Kind = v1alpha1.APIVersion, v1alpha1.Kind
	if err := errors.Join(written.Validate(), written.CheckRules(r.rules), reachable(spec.Git.URL)); err != nil {
		return nil, err
	}
	pass := &inspect.Pass{Spec: spec, At: time.Now(), Path: path.Clean(spec.Git.Path)}
	pass.Assess.Compare.Deployers = spec.Deployer.Managers
	pass.Assess.Compare.Controllers = spec.Controllers
	pass.Assess.Compare.Rewritten = true
	pass.Assess.Namespaces = spec.Scope.Namespaces
	pass.Assess.Namespace = "default"
	if len(spec.Scope.Namespaces) == 1 {
		pass.Assess.Namespace = spec.Scope.Namespaces[0]
	}
	var err error
	pass.Assess.Ignore, err = ignore.Rules(spec.Ignore, pass.At)
	return pass, err
}

// reachable refuses what is no repository to a controller: what lies on its own disk.
func reachable(address string) error {
	if u, err := url.Parse(address); err == nil && u.Scheme != "" && u.Scheme != "file" {
		return nil
	}
	if before, _, ok := strings.Cut(address, ":"); ok && !strings.Contains(before, "/") && !strings.HasPrefix(address, "file:") {
		return nil // user@host:path
	}
	return fmt.Errorf("spec.git.url is %q: name a repository by its https or ssh address", address)
}

// compare fetches, renders and compares. Where the repository does not answer it
// compares with the last good commit, and says so.
func (r *reconciler) compare(ctx context.Context, b *v1alpha1.Baseline, k *kept, pass *inspect.Pass) outcome {
	o := outcome{}
	remote, err := r.remote(ctx, b, pass.Spec)
	if err == nil {
		err = k.fetch(ctx, remote)
	}
	if err != nil {
		o = failed(v1alpha1.ReasonGit, err)
		if k.snapshot == nil {
			return o
		}
		o.failure = fmt.Errorf("%w; what follows is of commit %s, the newest on %s", err, k.snapshot.Commit, k.fetched.UTC().Format(time.RFC3339))
	}
	if err := k.render(ctx, pass, remote); err != nil {
		return failed(v1alpha1.ReasonRender, err)
	}
	found, err := r.report(ctx, pass)
	switch {
	case err != nil:
		return failed(v1alpha1.ReasonCluster, errors.Join(o.failure, err))
	case pass.Err != nil && o.failure == nil:
		o.failure, o.reason = pass.Err, v1alpha1.ReasonRender
	}
	o.report = &found
	k.board.update(r.log.With("namespace", b.Namespace, "baseline", b.Name), found)
	return o
}

// fetch takes the newest commit, or leaves the last one.
func (k *kept) fetch(ctx context.Context, remote gitsource.Options) error {
	snapshot, err := gitsource.Fetch(ctx, remote, k.snapshot)
	if err != nil {
		return err
	}
	k.snapshot, k.fetched = snapshot, time.Now()
	return nil
}

// render fills in what the snapshot declares.
func (k *kept) render(ctx context.Context, pass *inspect.Pass, remote gitsource.Options) error {
	pass.Snapshot = k.snapshot
	rendering, err := render.Update(ctx, k.rendering, k.snapshot, pass.Path, render.Options{})
	if err == nil {
		k.rendering = rendering
	}
	pass.Objects, pass.Err = rendering.Objects, err
	if len(pass.Objects) == 0 {
		return errors.Join(err, fmt.Errorf("%s declares nothing in %s: see spec.git.path", k.snapshot, pass.Path))
	}
	pass.Past = &history.History{
		Snapshot: k.snapshot, Dir: pass.Path, Result: rendering.Result, Err: err, Commits: lag,
		Deepen: func(ctx context.Context, s *gitsource.Snapshot) (*gitsource.Snapshot, error) {
			remote.Depth = lag + 1
			return gitsource.Deepen(ctx, s, remote)
		},
	}
	return nil
}

// report compares with the cluster as it is.
func (r *reconciler) report(ctx context.Context, pass *inspect.Pass) (report.Report, error) {
	c, err := cluster.Connect(ctx, r.config, cluster.Options{CacheDir: r.cache})
	if err != nil {
		return report.Report{}, err
	}
	if pass.Spec.Confirm == v1alpha1.ConfirmDryRun {
		pass.Assess.Confirm = assess.Confirmer(cluster.NewDryRun(c))
	}
	repository := audit.Repository{FS: pass.Snapshot.FS(), Dir: pass.Path, URL: pass.Snapshot.URL, Cache: r.cache}
	if pass.Audit, err = audit.New(pass.Spec, repository, pass.Assess.Compare, pass.At); err != nil {
		return report.Report{}, err
	}
	return pass.Report(ctx, c)
}

// remote says how to fetch a Baseline's repository.
func (r *reconciler) remote(ctx context.Context, b *v1alpha1.Baseline, spec v1alpha1.BaselineSpec) (gitsource.Options, error) {
	remote := gitsource.Options{URL: spec.Git.URL, Ref: spec.Git.Ref}
	if v := spec.Verify; v != nil {
		remote.Verify = &gitsource.Verification{All: v.Commits == v1alpha1.All, AllowedSigners: v.AllowedSigners, OpenPGP: v.OpenPGP}
		if remote.Verify.All {
			remote.Depth = lag + 1
		}
	}
	if spec.Git.SecretRef == nil {
		return remote, nil
	}
	var secret corev1.Secret
	key := types.NamespacedName{Namespace: b.Namespace, Name: spec.Git.SecretRef.Name}
	if err := r.reader.Get(ctx, key, &secret); apierrors.IsNotFound(err) {
		return remote, fmt.Errorf("spec.git.secretRef names the Secret %s, which there is not", key)
	} else if err != nil {
		return remote, fmt.Errorf("reading the Secret %s of spec.git.secretRef: %w", key, err)
	}
	remote.Auth = gitsource.Auth{
		Username: string(secret.Data["username"]), Password: string(secret.Data["password"]), Token: string(secret.Data["token"]),
		SSHKey: secret.Data["sshKey"], SSHPassphrase: string(secret.Data["sshPassphrase"]),
		KnownHosts: secret.Data["knownHosts"], CABundle: secret.Data["caBundle"],
	}
	return remote, nil
}
