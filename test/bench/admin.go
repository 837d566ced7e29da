package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/test/testenv"
)

const (
	// deployer is the field manager that deploys, and as which kubectl compares.
	deployer = "ci-deploy"

	// The groups of the users who compare. Neither is system:masters, whose
	// requests the API server puts before all others.
	readers = "bench:readers" // may only read
	writers = "bench:writers" // may also patch, which a dry run takes

	deployParallel = 16
	settleWithin   = 10 * time.Minute
	settleInterval = 2 * time.Second
)

// resources are the kinds that are deployed.
var resources = map[string]schema.GroupVersionResource{
	"ConfigMap":      {Version: "v1", Resource: "configmaps"},
	"Deployment":     {Group: "apps", Version: "v1", Resource: "deployments"},
	"Namespace":      {Version: "v1", Resource: "namespaces"},
	"NetworkPolicy":  {Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
	"Service":        {Version: "v1", Resource: "services"},
	"ServiceAccount": {Version: "v1", Resource: "serviceaccounts"},
}

// made are the kinds that controllers make of them.
var made = []schema.GroupVersionResource{
	{Version: "v1", Resource: "endpoints"},
	{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
	{Version: "v1", Resource: "pods"},
	{Group: "apps", Version: "v1", Resource: "replicasets"},
}

// admin may do everything in the cluster.
type admin struct {
	typed   kubernetes.Interface
	dynamic dynamic.Interface
	version string
}

func newAdmin(env *testenv.Env) (*admin, error) {
	config, err := env.Config("bench-admin", "system:masters")
	if err != nil {
		return nil, err
	}
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	d, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	version, err := typed.Discovery().ServerVersion()
	if err != nil {
		return nil, err
	}
	return &admin{typed: typed, dynamic: d, version: version.GitVersion}, nil
}

// letIn makes the namespace, and gives each group its rights. Whoever is
// authenticated may already ask what the server serves, by system:discovery.
func (a *admin) letIn(ctx context.Context) error {
	meta := metav1.ObjectMeta{Name: namespace}
	if _, err := a.typed.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		return err
	}
	read := []string{"get", "list", "watch"}
	for group, verbs := range map[string][]string{readers: read, writers: append([]string{"create", "patch"}, read...)} {
		meta := metav1.ObjectMeta{Name: group}
		role := &rbacv1.ClusterRole{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: verbs}}}
		if _, err := a.typed.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
			return err
		}
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: group},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}},
		}
		if _, err := a.typed.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// deploy applies the files' objects server-side, several at a time.
func (a *admin) deploy(ctx context.Context, files []file) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(deployParallel)
	for _, f := range files {
		work.Go(func() error {
			objects, err := object.Decode(f.name, f.text)
			if err != nil {
				return err
			}
			for _, o := range objects {
				u := &unstructured.Unstructured{Object: o.Content}
				_, err := a.dynamic.Resource(resources[o.ID.Kind]).Namespace(o.ID.Namespace).
					Apply(ctx, o.ID.Name, u, metav1.ApplyOptions{FieldManager: deployer})
				if err != nil {
					return fmt.Errorf("deploying %s: %w", f.name, err)
				}
			}
			return nil
		})
	}
	return work.Wait()
}

// settle waits until the controllers have seen every Deployment, all Pods run, and
// nobody writes any more.
func (a *admin) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	tick := time.NewTicker(settleInterval)
	defer tick.Stop()
	for before := map[string]string{}; ; {
		now, seen, err := a.versions(ctx)
		if err != nil {
			return fmt.Errorf("waiting for the controllers: %w", err)
		}
		if seen && maps.Equal(before, now) {
			return nil
		}
		before = now
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the controllers: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// versions returns the version of each Deployment, and whether the controllers
// have seen all of them.
func (a *admin) versions(ctx context.Context) (map[string]string, bool, error) {
	list, err := a.typed.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, false, err
	}
	versions, seen := map[string]string{}, true
	for _, d := range list.Items {
		versions[d.Name] = d.ResourceVersion
		seen = seen && d.Status.ObservedGeneration == d.Generation && len(d.Status.Conditions) > 0 && d.Status.AvailableReplicas == *d.Spec.Replicas
	}
	return versions, seen, nil
}

// count returns how many objects there are in the namespace, with those that controllers
// have made.
func (a *admin) count(ctx context.Context) (int64, error) {
	count := int64(0)
	for _, r := range slices.Concat(slices.Collect(maps.Values(resources)), made) {
		if r == resources["Namespace"] {
			continue
		}
		list, err := a.dynamic.Resource(r).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: 1})
		if err != nil {
			return 0, fmt.Errorf("counting the %s: %w", r.Resource, err)
		}
		count += int64(len(list.Items))
		if left := list.GetRemainingItemCount(); left != nil {
			count += *left
		}
	}
	return count, nil
}
