package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

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

var resources = map[string]schema.GroupVersionResource{
	"Deployment": {Group: "apps", Version: "v1", Resource: "deployments"},
	"ConfigMap":  {Version: "v1", Resource: "configmaps"},
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
	config.QPS = -1
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
				_, err := a.dynamic.Resource(resources[o.ID.Kind]).Namespace(namespace).
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

// settle waits until the controllers have seen every Deployment and write no
// more.
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
		seen = seen && d.Status.ObservedGeneration == d.Generation && len(d.Status.Conditions) > 0
	}
	return versions, seen, nil
}
