package controller

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/gitsource"
)

// origin is where commits come from, and which of them count.
type origin struct {
	git    v1alpha1.Git
	verify *v1alpha1.Verify
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

// fetch asks the repository for news. The outcome is that of a whole look so far.
func (r *reconciler) fetch(ctx context.Context, b *v1alpha1.Baseline, k *kept, spec v1alpha1.BaselineSpec) outcome {
	var err error
	if k.remote, err = r.remote(ctx, b, spec); err == nil {
		err = traced(ctx, "fetch", k.fetch)
	}
	o := outcome{whole: true}
	if err == nil {
		if k.compared != "" && k.compared != k.snapshot.Commit {
			k.was = k.compared
		}
		k.compared = k.snapshot.Commit
		return o
	}
	o.failure, o.reason = err, v1alpha1.ReasonGit
	if k.snapshot != nil {
		o.failure = fmt.Errorf("%w; what follows is of commit %s, the newest on %s", err, k.snapshot.Commit, k.fetched.UTC().Format(time.RFC3339))
	}
	return o
}

// tellRewritten tells of a history that does not lead back to the commit before: somebody
// has pushed by force.
func (r *reconciler) tellRewritten(ctx context.Context, b *v1alpha1.Baseline, k *kept) {
	was := k.was
	k.was = ""
	if !strings.HasPrefix(k.snapshot.Ref, "refs/heads/") {
		return // of tags nobody expects it
	}
	remote := k.remote
	remote.Depth = lag + 1
	leads, known, err := gitsource.LeadsBack(ctx, remote, was)
	if err != nil || leads || !known { // a repository that does not answer is told of anyway
		return
	}
	text := fmt.Sprintf("the history was rewritten: commit %s, which was compared before, does not lead to %s", was, k.snapshot.Commit)
	r.log.Warn("history rewritten", "namespace", b.Namespace, "baseline", b.Name, "before", was, "commit", k.snapshot.Commit)
	r.events.Eventf(b, nil, corev1.EventTypeWarning, "HistoryRewritten", "Fetch", "%s", text)
}

// fetch takes the newest commit, or leaves the last one.
func (k *kept) fetch(ctx context.Context) error {
	snapshot, err := gitsource.Fetch(ctx, k.remote, k.snapshot)
	if err != nil {
		return err
	}
	k.snapshot, k.fetched = snapshot, time.Now()
	return nil
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
