package cluster

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/rest"
)

// TestPageOwn wants the objects of a page to be filled in each for itself, even where
// the server spells them alike and they are decoded once.
func TestPageOwn(t *testing.T) {
	t.Parallel()
	maps := group{resource: Resource{Version: "v1", Kind: "ConfigMap", Plural: "configmaps", Namespaced: true}}
	p, err := readPage(strings.NewReader(`{"apiVersion":"v1","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"a"}}]}`), maps)
	if err != nil || len(p.objects) != 2 {
		t.Fatalf("%d objects, error %v", len(p.objects), err)
	}
	p.objects[0].Content["kind"] = "changed"
	if kind := p.objects[1].Content["kind"]; kind != "ConfigMap" {
		t.Errorf("the second is a %s", kind)
	}
}

// TestStream wants a connection that breaks before there is an answer to be made anew, and
// one that breaks within the answer to be an error.
func TestStream(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			panic(http.ErrAbortHandler) // as net/http wants it said: nothing is answered
		}
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"apiVersion":"v1","items":[`)
	}))
	t.Cleanup(server.Close)
	client, err := rest.UnversionedRESTClientFor(&rest.Config{Host: server.URL, ContentConfig: resource.UnstructuredPlusDefaultContentConfig()})
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{rest: client}
	p, err := c.page(t.Context(), group{resource: Resource{Version: "v1", Kind: "ConfigMap", Plural: "configmaps"}}, "")
	if err == nil || !strings.Contains(err.Error(), "broken off") || p.objects != nil {
		t.Errorf("%d objects, error %v", len(p.objects), err)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}
