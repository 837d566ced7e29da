package e2e

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestFewAmongMany declares three of 1,200 ConfigMaps, of which one does not
// exist: one page is read, and the last ones by name.
func TestFewAmongMany(t *testing.T) {
	const namespace, many = "few-among-many", 1200
	admin(t).Kubectl(t, "create", "namespace", namespace)
	fill(t, namespace, many)
	reader := newReader(t, "few-reader")
	dir := write(t, map[string]string{
		"maps.yaml": configMap("", "map-0001", "1") + "---\n" + configMap("", "map-1199", "1") + "---\n" + configMap("", "map-9999", "1"),
	})
	report, r := diff(t, reader.Kubeconfig, dir, "-n", namespace)
	if r.code != 1 || report.Summary.Verdicts["Missing"] != 1 || report.Summary.Objects != 3 {
		t.Errorf("exit %d, want one of three missing:\n%s%s", r.code, r.stdout, r.stderr)
	}
	lists, gets := 0, 0
	for _, q := range settled(t, reader.Name) {
		switch {
		case !strings.Contains(q.RequestURI, "/configmaps"):
		case q.Verb == "list":
			lists++
		default:
			gets++
		}
	}
	if lists > 3 || lists+gets > 3 {
		t.Errorf("%d lists and %d gets, want at most the 3 pages that there are", lists, gets)
	}

	all := write(t, map[string]string{"maps.yaml": manyMaps(many)})
	report, r = diff(t, reader.Kubeconfig, all, "-n", namespace)
	if r.code != 1 || report.Summary.Verdicts["Missing"] != 0 || report.Summary.Objects != many {
		t.Errorf("exit %d, want all of several pages found:\n%.2000s%s", r.code, r.stdout, r.stderr)
	}
}

// manyMaps declares what fill creates, with one value that differs.
func manyMaps(n int) string {
	var all []string
	for i := range n {
		value := "1"
		if i == n-1 {
			value = "2"
		}
		all = append(all, configMap("", fmt.Sprintf("map-%04d", i), value))
	}
	return strings.Join(all, "---\n")
}

// fill creates n ConfigMaps.
func fill(t *testing.T, namespace string, n int) {
	t.Helper()
	config, err := env.Config("filler", masters)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	var work errgroup.Group
	work.SetLimit(8)
	for i := range n {
		work.Go(func() error {
			m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("map-%04d", i)}, Data: map[string]string{"key": "1"}}
			_, err := client.CoreV1().ConfigMaps(namespace).Create(t.Context(), m, metav1.CreateOptions{FieldManager: "ci-deploy"})
			return err
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
}
