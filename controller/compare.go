package controller

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime/debug"
	"time"

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

// whole renders and compares all.
func (r *reconciler) whole(ctx context.Context, k *kept, pass *inspect.Pass, o outcome) outcome {
	k.judging.cancel()
	k.reverting.cancel()
	k.pass = nil
	if err := traced(ctx, "render", func(ctx context.Context) error { return k.render(ctx, pass) }); err != nil {
		return outcome{failure: err, reason: v1alpha1.ReasonRender, whole: true}
	}
	k.passed = time.Now()
	var found report.Report
	err := traced(ctx, "compare", func(ctx context.Context) (err error) {
		found, err = r.report(ctx, k, pass)
		return err
	})
	switch {
	case err != nil:
		return outcome{failure: errors.Join(o.failure, err), reason: v1alpha1.ReasonCluster, whole: true}
	case pass.Err != nil && o.failure == nil:
		o.failure, o.reason = pass.Err, v1alpha1.ReasonRender
	}
	found = k.withFights(found)
	k.pass, o.report = pass, &found
	debug.FreeOSMemory() // a whole pass takes a multiple of what stays
	k.board.update(found)
	return o
}

// packed keeps what is declared in little room.
var packed = render.Options{Pack: true}

// together is how many live objects are in memory for a comparison.
const together = 500

// render fills in what the snapshot declares.
func (k *kept) render(ctx context.Context, pass *inspect.Pass) error {
	remote := k.remote
	pass.Snapshot = k.snapshot
	if _, err := fs.Stat(k.snapshot.FS(), pass.Path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has no directory %s: it was moved or removed, or never was: see spec.git.path", k.snapshot, pass.Path)
	}
	rendering, err := render.Update(ctx, k.rendering, k.snapshot, pass.Path, packed)
	if err == nil {
		k.rendering = rendering
	}
	pass.Objects, pass.Err = rendering.Objects, err
	if len(pass.Objects) == 0 {
		return errors.Join(err, fmt.Errorf("%s declares nothing in %s: see spec.git.path", k.snapshot, pass.Path))
	}
	pass.Past = &history.History{
		Snapshot: k.snapshot, Dir: pass.Path, Rendering: rendering, Err: err, Commits: lag,
		Deepen: func(ctx context.Context, s *gitsource.Snapshot) (*gitsource.Snapshot, error) {
			remote.Depth = lag + 1
			return gitsource.Deepen(ctx, s, remote)
		},
	}
	pass.Past.Follow(k.past)
	k.past = pass.Past
	return nil
}

// report compares with the cluster as it is.
func (r *reconciler) report(ctx context.Context, k *kept, pass *inspect.Pass) (report.Report, error) {
	if err := k.view.Begin(ctx); err != nil {
		return report.Report{}, err
	}
	defer k.view.End()
	if k.served != k.view.Cluster { // the kinds may have other schemas
		k.served, k.types = k.view.Cluster, &assess.Types{}
		pass.Before = nil
	}
	pass.Assess.Types, pass.Assess.AtOnce = k.types, together
	if pass.Spec.Confirm == v1alpha1.ConfirmDryRun {
		pass.Assess.Confirm = assess.Confirmer(cluster.NewDryRun(k.view.Cluster))
	}
	repository := audit.Repository{FS: pass.Snapshot.FS(), Dir: pass.Path, URL: pass.Snapshot.URL, Cache: r.cache}
	var err error
	if pass.Audit, err = audit.New(pass.Spec, repository, pass.Assess.Compare, pass.At); err != nil {
		return report.Report{}, err
	}
	found, err := pass.Report(ctx, k.view)
	if err != nil {
		return found, err
	}
	return k.settle(ctx, pass, found)
}

// settle judges again until it is settled.
func (k *kept) settle(ctx context.Context, pass *inspect.Pass, found report.Report) (report.Report, error) {
	for outcome := pass.Outcome(); !k.judging.settled(outcome, k.board); {
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return found, ctx.Err()
		}
		outcome = pass.Judgement()(ctx, k.view)
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		found = pass.Adopt(outcome)
	}
	return found, nil
}
