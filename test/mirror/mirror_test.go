// Package mirror holds the mirror of an API server against a fresh reading of it, while
// what stands between the two fails in every way.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/mirror"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/test/testenv"
)

var env *testenv.Env

func TestMain(m *testing.M) { os.Exit(testenv.Main(m, 0, &env)) }

const within = 60 * time.Second

// front stands before the API server, and fails as it is told to.
type front struct {
	*httptest.Server
	down    atomic.Bool // it answers nobody
	expired atomic.Bool // watches are told that what they know is too old
	reads   atomic.Int64
}

func newFront(t *testing.T, user testenv.User) *front {
	t.Helper()
	f := &front{}
	server, err := user.Proxy(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			watching := r.URL.Query().Get("watch") == "true" || r.URL.Query().Get("watch") == "1"
			switch {
			case f.down.Load():
				http.Error(w, "down for maintenance", http.StatusServiceUnavailable)
				return
			case watching && f.expired.Load():
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusGone)
				fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old"}`)
				return
			case !watching:
				f.reads.Add(1)
			}
			next.ServeHTTP(w, r)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Server = server
	t.Cleanup(func() { f.CloseClientConnections(); f.Close() })
	return f
}

func (f *front) config() *rest.Config {
	return &rest.Config{Host: f.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
}

// newView returns a view of a new mirror.
func newView(t *testing.T, config *rest.Config, changed func(...object.ID)) *mirror.View {
	t.Helper()
	m := mirror.New(t.Context(), func(ctx context.Context) (*cluster.Cluster, error) {
		return cluster.Connect(ctx, config, cluster.Options{})
	})
	view := m.View(changed)
	t.Cleanup(view.Close)
	return view
}

// seen collects what a view is told.
type seen struct {
	mu  sync.Mutex
	ids map[object.ID]int
	all int
}

func (s *seen) add(ids ...object.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = map[object.ID]int{}
	}
	if len(ids) == 0 {
		s.all++
	}
	for _, id := range ids {
		s.ids[id]++
	}
}

func (s *seen) of(id object.ID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[id]
}

func (s *seen) anew() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}

func configMap(name string) object.ID {
	return object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "mirrored", Name: name}
}

// listings are of whole objects and of metadata alone.
func listings(t *testing.T, v *mirror.View) []cluster.Listing {
	t.Helper()
	var all []cluster.Listing
	for _, kind := range []string{"ConfigMap", "Secret", "Service"} {
		r, err := v.Resource("", "v1", kind)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, cluster.Listing{Resource: r, Namespace: "mirrored", Partial: kind == "Secret"})
	}
	return all
}

// same compares what the mirror has with what the API server says, but for versions, and
// for the status and its records that the mirror leaves out.
func same(ctx context.Context, t *testing.T, v *mirror.View, c *cluster.Cluster) error {
	t.Helper()
	asked := listings(t, v)
	have, want := v.List(ctx, asked), c.List(ctx, asked)
	for i := range asked {
		if have[i].Err != nil || want[i].Err != nil {
			return errors.Join(have[i].Err, want[i].Err)
		}
		slices.SortFunc(want[i].Objects, object.Packed.Compare)
		if len(have[i].Objects) != len(want[i].Objects) {
			return fmt.Errorf("%s: the mirror has %d, the server %d", asked[i], len(have[i].Objects), len(want[i].Objects))
		}
		for j, o := range want[i].Objects {
			got := have[i].Objects[j]
			if mirrored, served := essential(got.Object()), essential(o.Object()); got.ID != o.ID || !reflect.DeepEqual(mirrored, served) {
				return fmt.Errorf("%s: the mirror has\n%v\nthe server\n%v", o.ID, mirrored, served)
			}
		}
	}
	return nil
}

// essential is a copy of an object without what the mirror leaves out.
func essential(o object.Object) map[string]any {
	content := runtime.DeepCopyJSON(o.Content)
	delete(object.Map(content, "metadata"), "resourceVersion")
	delete(content, "status")
	return content
}

// TestMirror wants the mirror to be as the server is after any edits, whatever happens to
// the connection meanwhile: it is cut, the server is down, or has forgotten what the mirror knows.
// While nothing happens nothing is asked.
func TestMirror(t *testing.T) {
	admin := env.User(t, "admin", "system:masters")
	admin.Kubectl(t, "create", "namespace", "mirrored")
	f := newFront(t, admin)
	direct, err := cluster.Connect(t.Context(), f.config(), cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var told seen
	view := newView(t, f.config(), told.add)
	if err := view.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	listings := listings(t, view)
	view.List(t.Context(), listings)
	view.End()

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 8 {
		before := f.reads.Load()
		if round == 0 {
			view.List(t.Context(), listings)
			if asked := f.reads.Load() - before; asked != 0 {
				t.Errorf("%d requests were made for what is known", asked)
			}
		}
		failing := random.IntN(4)
		switch failing {
		case 1:
			f.CloseClientConnections()
		case 2:
			f.down.Store(true)
			f.CloseClientConnections()
		case 3:
			f.expired.Store(true)
			f.CloseClientConnections()
		}
		var script strings.Builder
		for range 1 + random.IntN(12) {
			kind := []string{"ConfigMap", "Secret"}[random.IntN(2)]
			fmt.Fprintf(&script, "---\napiVersion: v1\nkind: %s\nmetadata: {name: n%d, namespace: mirrored, labels: {l: \"%d\"}}\n", kind, random.IntN(6), random.IntN(3))
		}
		admin.KubectlIn(t, script.String(), "apply", "-f", "-")
		if random.IntN(2) == 0 {
			admin.Kubectl(t, "-n", "mirrored", "delete", "configmap,secret", fmt.Sprintf("n%d", random.IntN(6)), "--ignore-not-found")
		}
		f.down.Store(false)
		f.expired.Store(false)
		var differs error
		if !testenv.Poll(within, func() bool { differs = same(t.Context(), t, view, direct); return differs == nil }) {
			t.Fatalf("round %d, failing in way %d: %v", round, failing, differs)
		}
	}

	// Each change is told once, and what changes nothing is not.
	admin.Kubectl(t, "-n", "mirrored", "create", "configmap", "fresh", "--from-literal=a=1")
	fresh := configMap("fresh")
	if !testenv.Poll(within, func() bool { return told.of(fresh) == 1 }) {
		t.Errorf("a new object is told %d times", told.of(fresh))
	}
	admin.Kubectl(t, "-n", "mirrored", "delete", "configmap", "fresh")
	if !testenv.Poll(within, func() bool { return told.of(fresh) == 2 }) {
		t.Errorf("an object that came and went is told %d times", told.of(fresh))
	}
	if answer := view.Read(t.Context(), []object.ID{fresh})[fresh]; !errors.Is(answer.Err, cluster.ErrNotFound) {
		t.Errorf("what has gone is %v", answer)
	}
}

// TestDown wants what is not known to be an error, and to be told of once it is known.
func TestDown(t *testing.T) {
	admin := env.User(t, "admin", "system:masters")
	f := newFront(t, admin)
	var told seen
	view := newView(t, f.config(), told.add)
	if err := view.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "extension-apiserver-authentication"}
	if answer := view.Read(t.Context(), []object.ID{id})[id]; answer.Err != nil {
		t.Fatal(answer.Err)
	}
	f.down.Store(true)
	f.CloseClientConnections()
	var err error
	if !testenv.Poll(within, func() bool { err = view.Read(t.Context(), []object.ID{id})[id].Err; return err != nil }) {
		t.Fatal("the API server is down, and the mirror still answers")
	}
	if !strings.Contains(err.Error(), "not known since") || !strings.Contains(err.Error(), "configmaps of namespace kube-system") {
		t.Errorf("the error is %v", err)
	}
	before := told.anew()
	f.down.Store(false)
	if !testenv.Poll(within, func() bool { return told.anew() > before }) {
		t.Error("nobody is told that the API server is back")
	}
	if answer := view.Read(t.Context(), []object.ID{id})[id]; answer.Err != nil {
		t.Error(answer.Err)
	}
}

// TestKinds wants kinds to come and go without a restart.
func TestKinds(t *testing.T) {
	admin := env.User(t, "admin", "system:masters")
	f := newFront(t, admin)
	var told seen
	view := newView(t, f.config(), told.add)
	served := func() bool {
		if err := view.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer view.End()
		_, err := view.Resource("example.com", "v1", "Widget")
		return err == nil
	}
	if served() {
		t.Fatal("Widgets are served before they are defined")
	}
	admin.KubectlIn(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.example.com}, spec: {group: example.com, scope: Namespaced,
 names: {kind: Widget, plural: widgets}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}}`, "apply", "-f", "-")
	if !testenv.Poll(within, func() bool { return told.anew() > 0 && served() }) {
		t.Error("a new kind is not served")
	}
	admin.Kubectl(t, "delete", "crd", "widgets.example.com")
	if !testenv.Poll(within, func() bool { return !served() }) {
		t.Error("a kind that has gone is still served")
	}
}

// TestForbidden wants who may not watch to be told so, and to get by name what he may.
func TestForbidden(t *testing.T) {
	admin := env.User(t, "admin", "system:masters")
	admin.KubectlIn(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: narrow, namespace: kube-system}
rules: [{apiGroups: [""], resources: [configmaps], resourceNames: [extension-apiserver-authentication], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: narrow, namespace: kube-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: narrow}
subjects: [{kind: User, name: narrow, apiGroup: rbac.authorization.k8s.io}]
`, "apply", "-f", "-")
	config, err := env.Config("narrow", "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	view := newView(t, config, func(...object.ID) {})
	if err := view.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "extension-apiserver-authentication"}
	other := id
	other.Name = "kube-root-ca.crt"
	answers := view.Read(t.Context(), []object.ID{id, other})
	if answers[id].Err != nil || !errors.Is(answers[other].Err, cluster.ErrForbidden) {
		t.Errorf("what may be read is %v, what not %v", answers[id].Err, answers[other].Err)
	}
	r, err := view.Resource("", "v1", "ConfigMap")
	if err != nil {
		t.Fatal(err)
	}
	if listed := view.List(t.Context(), []cluster.Listing{{Resource: r, Namespace: "kube-system"}}); !errors.Is(listed[0].Err, cluster.ErrForbidden) {
		t.Errorf("what may not be listed is %v", listed[0].Err)
	}
}
