package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"plumbline.dev/plumbline/object"
)

const plain = `{"name":"web","version":3,"namespace":"shop","info":{"status":"deployed"},"config":{"password":"hunter2"},
"chart":{"metadata":{"name":"shop","version":"1.0.0","home":"https://example.com"},"templates":[{"name":"templates/a.yaml","data":"YQ=="}]}}`

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func configMap(release any) object.Object {
	return object.Object{ID: object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "sh.helm.release.v1.web.v3"}, Content: map[string]any{"data": map[string]any{"release": release}}}
}

func encoded(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

func TestDecode(t *testing.T) {
	secret := configMap(encoded([]byte(encoded(gzipped(t, []byte(plain))))))
	secret.ID.Kind = "Secret"
	for _, c := range []struct {
		name   string
		record object.Object
		want   string
	}{
		{"a ConfigMap", configMap(encoded(gzipped(t, []byte(plain)))), ""},
		{"a Secret", secret, ""},
		{"not compressed", configMap(encoded([]byte(plain))), ""},
		{"no data", configMap(nil), "has no data.release"},
		{"a number", configMap(int64(7)), "has no data.release"},
		{"no base64", configMap("hunter2!"), "no base64"},
		{"no JSON", configMap(encoded([]byte("hunter2"))), "no JSON"},
		{"another type", configMap(encoded([]byte(`{"name":["hunter2"]}`))), "no JSON"},
		{"cut", configMap(encoded(gzipped(t, []byte(plain))[:40])), "unpacking"},
		{"empty", configMap(encoded([]byte(`{}`))), "another release"},
		{"another name", configMap(encoded([]byte(strings.Replace(plain, `"web"`, `"api"`, 1)))), "another release"},
		{"another revision", configMap(encoded([]byte(strings.Replace(plain, `:3`, `:4`, 1)))), "another release"},
		{"no chart", configMap(encoded([]byte(`{"name":"web","version":3}`))), "names no release or no chart"},
		{"a chart of several lines", configMap(encoded([]byte(strings.Replace(plain, `"shop","version"`, `"shop\nhunter2","version"`, 1)))), "no name"},
		{"a bomb", configMap(encoded(gzipped(t, bytes.Repeat([]byte{' '}, MaxBytes+1)))), "more than 64 MiB"},
	} {
		r, err := Decode(c.record)
		if c.want == "" {
			if err != nil || r.Name != "web" || r.Namespace != "shop" || r.Revision != 3 || !r.Counts() || r.Chart.String() != "shop 1.0.0" || len(r.Chart.templates) != 1 {
				t.Errorf("%s: %+v, %v", c.name, r, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "shop/sh.helm.release.v1.web.v3") {
			t.Errorf("%s: %v, want …%s…", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: a secret is told: %v", c.name, err)
		}
		if strings.Contains(fmt.Sprintf("%+v", r), "hunter2") {
			t.Errorf("%s: a secret is kept", c.name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(plain))
	f.Add(gzipped(f, []byte(plain)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Decode(configMap(encoded(data)))
		if err == nil && (r.Name == "" || r.Chart.Name == "") {
			t.Errorf("%+v", r)
		}
		_, _ = Embedded(string(data))
		_, _ = Embedded(encoded(data))
	})
}

func TestNewest(t *testing.T) {
	var objects []object.Object
	for _, id := range []object.ID{
		{Kind: "Secret", Namespace: "a", Name: "sh.helm.release.v1.web.v9"},
		{Kind: "Secret", Namespace: "a", Name: "sh.helm.release.v1.web.v10"},
		{Kind: "Secret", Namespace: "a", Name: "sh.helm.release.v1.web.v1.v2"},
		{Kind: "Secret", Namespace: "b", Name: "sh.helm.release.v1.web.v1"},
		{Kind: "ConfigMap", Namespace: "b", Name: "sh.helm.release.v1.web.v2"},
		{Kind: "Secret", Namespace: "b", Name: "sh.helm.release.v1.web.v0"},
		{Kind: "Secret", Namespace: "b", Name: "sh.helm.release.v1..v1"},
		{Kind: "Secret", Namespace: "b", Name: "sh.helm.release.v1.x"},
		{Kind: "Secret", Namespace: "b", Name: "web"},
		{Kind: "Pod", Namespace: "b", Name: "sh.helm.release.v1.pod.v1"},
		{Group: "example.com", Kind: "Secret", Namespace: "b", Name: "sh.helm.release.v1.x.v1"},
	} {
		objects = append(objects, object.Object{ID: id})
	}
	other := object.Object{ID: object.ID{Kind: "Secret", Namespace: "b", Name: "sh.helm.release.v1.opaque.v1"}, Content: map[string]any{"type": "Opaque"}}
	var got []string
	for _, o := range Newest(object.PackAll(append(objects, other))) {
		got = append(got, o.ID.String())
	}
	want := "Secret a/sh.helm.release.v1.web.v1.v2, Secret a/sh.helm.release.v1.web.v10, ConfigMap b/sh.helm.release.v1.web.v2, Secret b/sh.helm.release.v1.web.v1"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, ", "), want)
	}
}

func tgz(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, data := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return gzipped(t, b.Bytes())
}

func TestCharts(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	repo := fstest.MapFS{
		"a/Chart.yaml":                file("name: a\nversion: 1.0.0\nhome: https://a.example.com\n"),
		"a/templates/x.yaml":          file("x"),
		"a/templates/sub/y.yaml":      file("\xef\xbb\xbfy"),
		"a/charts/b/Chart.yaml":       file("name: b\nversion: 1.0.0\n"),
		"dist/a-1.0.0.tgz":            {Data: tgz(t, map[string]string{"a/Chart.yaml": "name: a\nversion: 1.0.0\n", "a/templates/x.yaml": "x", "a/templates/sub/y.yaml": "y", "a/values.yaml": "v", "a/charts/b/Chart.yaml": "name: b"})},
		"dist/other.tgz":              {Data: tgz(t, map[string]string{"x/y": "z"})},
		"dist/plain.tgz":              file("x"),
		"broken/Chart.yaml":           file("name: {{ .Name }}\n"),
		"nameless/Chart.yaml":         file("version: 1\n"),
		".git/Chart.yaml":             file("name: {{"),
		"dist/cut.tgz":                {Data: tgz(t, map[string]string{"a/Chart.yaml": "name: a"})[:30]},
		"a/templates/NOTES.txt":       file("notes"),
		"unrelated/kustomization.yml": file("{{"),
	}
	charts, err := Charts(repo)
	var got []string
	for _, c := range charts {
		got = append(got, fmt.Sprintf("%s %s %d", c.From, c, len(c.templates)))
	}
	want := "a a 1.0.0 3, a/charts/b b 1.0.0 0, dist/a-1.0.0.tgz a 1.0.0 2"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, ", "), want)
	}
	for _, name := range []string{"broken/Chart.yaml", "nameless/Chart.yaml", "dist/cut.tgz"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not tell of %s", err, name)
		}
	}
	if err != nil && strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("more is told than is wrong: %v", err)
	}
	if !charts[2].Made(charts[0]) || charts[0].Made(charts[2]) || charts[1].Made(charts[1]) {
		t.Error("an archive with fewer templates is made of the chart, not the other way, and nothing is made of none")
	}
}
