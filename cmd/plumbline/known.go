package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

const (
	// home is the namespace that the manifests install the controller into.
	home = "plumbline-system"
	// deaf is how long ago a controller's last sign of life is that does not live: it gives
	// one every few seconds, and clocks differ.
	deaf = 2 * time.Minute
	// seek says how to find out why nobody looks.
	seek = "see whether the controller runs: kubectl -n " + home + " get pods"
)

// knownOptions are the flags of the verbs that tell what the in-cluster controller knows.
type knownOptions struct {
	kube   *genericclioptions.ConfigFlags
	name   string // the argument: a Baseline
	all    bool
	failOn string
	output string
}

func (o *knownOptions) addFlags(f *pflag.FlagSet, formats string) {
	f.BoolVarP(&o.all, "all-namespaces", "A", false, "the Baselines of all namespaces")
	f.StringVar(&o.failOn, "fail-on", "warning", "lowest `severity` that makes the exit code 1: info, warning or critical")
	f.StringVarP(&o.output, "output", "o", "text", "output `format`: "+formats)
}

// known is what the in-cluster controller knows of Baselines.
type known struct {
	baselines []baseline
	// namespace is where was looked; empty for all.
	namespace string
}

// baseline is a Baseline in the cluster.
type baseline struct {
	v1alpha1.Baseline
	content  map[string]any // as the API server has it
	findings []v1alpha1.Finding
	// silent says that no controller lives, as far as can be told.
	silent string
}

// read asks the API server; for Findings only where they are wanted.
func (o knownOptions) read(ctx context.Context, findings bool) (known, error) {
	var k known
	config, err := clientConfig(o.kube)
	if err != nil {
		return k, err
	}
	if !o.all {
		if k.namespace, _, err = o.kube.ToRawKubeConfigLoader().Namespace(); err != nil {
			return k, fmt.Errorf("reading the kubeconfig: %w", err)
		}
	}
	c, err := cluster.Connect(ctx, config, cluster.Options{CacheDir: cacheDir(o.kube)})
	if err != nil {
		return k, err
	}
	if err := k.readBaselines(ctx, c, o.name); err != nil {
		return k, err
	}
	if findings {
		if err := k.readFindings(ctx, c, o.name); err != nil {
			return k, err
		}
	}
	k.listen(ctx, c)
	return k, nil
}

// resourceOf tells how one of our own kinds is served.
func resourceOf(c *cluster.Cluster, kind string) (cluster.Resource, error) {
	r, err := c.Resource(v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version, kind)
	if errors.Is(err, cluster.ErrNotServed) {
		return r, fmt.Errorf("the cluster knows no %ss: install them with \"kubectl apply -k manifests\"", kind)
	}
	return r, err
}

func (k *known) readBaselines(ctx context.Context, c *cluster.Cluster, name string) error {
	objects, err := k.list(ctx, c, v1alpha1.Kind, "")
	if err != nil {
		return err
	}
	for _, o := range objects {
		if name != "" && o.ID.Name != name {
			continue
		}
		b := baseline{content: o.Content}
		if err := into(o, &b.Baseline); err != nil {
			return err
		}
		k.baselines = append(k.baselines, b)
	}
	if name != "" && len(k.baselines) == 0 {
		return fmt.Errorf("there is no Baseline %q in namespace %q: name another namespace with -n, or see which there are with -A", name, k.namespace)
	}
	return nil
}

func (k *known) readFindings(ctx context.Context, c *cluster.Cluster, name string) error {
	labels := ""
	if name != "" {
		labels = v1alpha1.LabelBaseline + "=" + v1alpha1.BaselineLabel(name)
	}
	objects, err := k.list(ctx, c, v1alpha1.KindFinding, labels)
	if err != nil {
		return err
	}
	for _, o := range objects {
		var f v1alpha1.Finding
		if err := into(o, &f); err != nil {
			return err
		}
		for i := range k.baselines {
			if b := &k.baselines[i]; owned(f, b.Baseline) {
				b.findings = append(b.findings, f)
			}
		}
	}
	return nil
}

// owned tells whether a Finding is of a Baseline.
func owned(f v1alpha1.Finding, b v1alpha1.Baseline) bool {
	return slices.ContainsFunc(f.OwnerReferences, func(r metav1.OwnerReference) bool { return r.UID == b.UID })
}

func (k *known) list(ctx context.Context, c *cluster.Cluster, kind, labels string) ([]object.Object, error) {
	r, err := resourceOf(c, kind)
	if err != nil {
		return nil, err
	}
	listed := c.List(ctx, []cluster.Listing{{Resource: r, Namespace: k.namespace, Labels: labels}})[0]
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var objects []object.Object
	for _, o := range listed.Objects {
		objects = append(objects, o.Object())
	}
	object.Sort(objects)
	return objects, listed.Err
}

// into reads an object as its type.
func into(o object.Object, typed any) error {
	text, err := json.Marshal(o.Content)
	if err == nil {
		err = json.Unmarshal(text, typed)
	}
	if err != nil {
		return fmt.Errorf("reading %s: it is of another version than this program: %w", o.ID, err)
	}
	return nil
}

// listen finds out whether any controller lives, by the leases that they hold where several
// could act. Who may not read these, or has none, is told nothing.
func (k *known) listen(ctx context.Context, c *cluster.Cluster) {
	r, err := c.Resource("coordination.k8s.io", "v1", "Lease")
	if err != nil {
		return
	}
	namespaces := []string{home}
	for _, b := range k.baselines {
		namespaces = append(namespaces, b.Namespace)
	}
	slices.Sort(namespaces)
	var listings []cluster.Listing
	for _, n := range slices.Compact(namespaces) {
		listings = append(listings, cluster.Listing{Resource: r, Namespace: n})
	}
	var last time.Time
	for _, listed := range c.List(ctx, listings) {
		for _, o := range listed.Objects {
			if at := signOfLife(o.Object()); at.After(last) {
				last = at
			}
		}
	}
	if last.IsZero() || now().Sub(last) < deaf {
		return
	}
	for i := range k.baselines {
		k.baselines[i].silent = fmt.Sprintf("no controller has lived since %s, and what follows is of then: %s", last.UTC().Format(time.RFC3339), seek)
	}
}

// signOfLife is when a controller renewed its lease; zero for another's.
func signOfLife(o object.Object) time.Time {
	if o.ID.Name != "plumbline" && !strings.HasPrefix(o.ID.Name, "plumbline-") {
		return time.Time{}
	}
	var lease struct {
		Spec struct{ RenewTime metav1.MicroTime }
	}
	if into(o, &lease) != nil {
		return time.Time{}
	}
	return lease.Spec.RenewTime.Time
}

// key names a Baseline for people.
func (b baseline) key() string { return b.Namespace + "/" + b.Name }

// unseen are the reasons to think that nobody looks at the Baseline, as it is now.
func (b baseline) unseen() []string {
	var all []string
	if b.silent != "" {
		all = append(all, b.silent)
	}
	s := b.Status
	switch {
	case len(s.Conditions) == 0:
		all = append(all, "no controller has looked at it yet: "+seek)
	case s.ObservedGeneration < b.Generation:
		all = append(all, fmt.Sprintf("no controller has looked at it since its spec was changed (it is of generation %d, and what follows of %d): %s", b.Generation, s.ObservedGeneration, seek))
	case s.Requested != b.Annotations[v1alpha1.AnnotationRequested]:
		all = append(all, "no controller has looked at it since it was asked to, by an annotation: "+seek)
	}
	return all
}

// unknown are the reasons why not everything about a Baseline is known.
func (b baseline) unknown() []string {
	all := b.unseen()
	ready := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionReady)
	if ready != nil && ready.Status != metav1.ConditionTrue {
		all = append(all, fmt.Sprintf("it is not ready (%s): %s", ready.Reason, ready.Message))
	}
	drifted := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionDrifted)
	if drifted != nil && (b.Status.NotCompared > 0 || len(all) == 0 && drifted.Status == metav1.ConditionUnknown) {
		all = append(all, drifted.Message)
	}
	return all
}

// report is what is known, in the form of a comparison's, the worst first.
func (b baseline) report() report.Report {
	git := b.Spec.Git
	r := report.Report{
		Baseline: b.key(), At: now(), Since: map[string]time.Time{},
		Source:   report.Source{Repository: git.URL, Ref: git.Ref, Commit: b.Status.Commit, Path: git.Path},
		Verdicts: map[finding.Verdict]int{},
	}
	for verdict, n := range b.Status.Verdicts {
		r.Verdicts[finding.Verdict(verdict)] = int(n)
	}
	for _, reason := range b.unknown() {
		r.Unknown = append(r.Unknown, report.Unknown{Reason: reason})
	}
	for _, kept := range b.findings {
		f := report.FromDetails(kept.FindingDetails)
		r.Findings = append(r.Findings, f)
		r.Since[f.Fingerprint()] = kept.Since.Time
		if kept.ChangesOmitted > 0 {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s of %s: %d more fields differ, which the cluster does not hold: plumbline diff shows them", f.Rule, f.Object, kept.ChangesOmitted))
		}
	}
	r.Sort()
	slices.SortStableFunc(r.Findings, func(a, b finding.Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), a.Compare(b))
	})
	return r
}
