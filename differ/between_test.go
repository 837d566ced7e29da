package differ_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

const betweenDeployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "web:1", resources: {limits: {cpu: 500m}}, env: [{name: A, value: "1"}]}
      - {name: log, image: "log:1"}
`

func TestBetween(t *testing.T) {
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: shop}\n"
	for name, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"nothing":          {betweenDeployment, betweenDeployment, nil},
		"another value":    {betweenDeployment, strings.Replace(betweenDeployment, "replicas: 3", "replicas: 4", 1), []string{"modified spec.replicas 3 4"}},
		"a spelling":       {betweenDeployment, strings.Replace(betweenDeployment, "500m", `"0.5"`, 1), nil},
		"a field more":     {betweenDeployment, strings.Replace(betweenDeployment, "replicas: 3", "replicas: 3\n  paused: true", 1), []string{"added spec.paused <nil> true"}},
		"a field less":     {betweenDeployment, strings.Replace(betweenDeployment, "  replicas: 3\n", "", 1), []string{"removed spec.replicas 3 <nil>"}},
		"an item more":     {betweenDeployment, strings.Replace(betweenDeployment, "[{name: A", "[{name: B}, {name: A", 1), []string{"added spec.template.spec.containers[name=web].env[name=B] <nil> map[name:B]"}},
		"an item less":     {betweenDeployment, strings.Replace(betweenDeployment, `      - {name: log, image: "log:1"}`+"\n", "", 1), []string{"removed spec.template.spec.containers[name=log] map[image:log:1 name:log] <nil>"}},
		"a version":        {"apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: a}\n", "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\n", []string{"modified apiVersion batch/v1beta1 batch/v1"}},
		"a secret":         {secret + "stringData: {password: hunter2}\n", secret + "stringData: {password: hunter3, user: me}\n", []string{"modified data.password *** (before) *** (after)", "added data.user <nil> *** (after)"}},
		"a secret spelled": {secret + "stringData: {password: hunter2}\n", secret + "data: {password: aHVudGVyMg==}\n", nil},
		"an unknown kind": {"apiVersion: x.example/v1\nkind: X\nmetadata: {name: a}\nspec: {a: [1], b: {c: 1}}\n", "apiVersion: x.example/v1\nkind: X\nmetadata: {name: a}\nspec: {a: [1, 2], b: {d: 1}}\n", []string{
			"modified spec.a [1] [1 2]", "removed spec.b.c 1 <nil>", "added spec.b.d <nil> 1"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			before, after := decodedOne(t, c.before), decodedOne(t, c.after)
			var got []string
			for _, change := range differ.Between(before, after, typeOf(t, after.ID)) {
				got = append(got, fmt.Sprintf("%s %s %v %v", change.Op, change.Path, change.Declared, change.Live))
				if change.Writer != (differ.Writer{}) {
					t.Errorf("%s has a writer: %+v", change.Path, change.Writer)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			var back []string
			for _, change := range differ.Between(after, before, typeOf(t, before.ID)) {
				r := change.Reversed()
				back = append(back, fmt.Sprintf("%s %s %v %v", r.Op, r.Path, r.Declared, r.Live))
			}
			if d := cmp.Diff(c.want, back); d != "" {
				t.Errorf("the other way round and reversed, -want +got:\n%s", d)
			}
		})
	}
}

func decodedOne(t *testing.T, text string) object.Object {
	t.Helper()
	objects, err := object.Decode("a.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects[0]
}

func TestOverlaps(t *testing.T) {
	path := func(steps ...any) differ.Path { return steps }
	web, log := map[string]any{"name": "web"}, map[string]any{"name": "log"}
	for _, c := range []struct {
		a, b differ.Path
		want bool
	}{
		{path("spec"), path("spec"), true},
		{path("spec"), path("spec", "replicas"), true},
		{path("spec", "replicas"), path("spec", "paused"), false},
		{path("containers", web, "image"), path("containers", web), true},
		{path("containers", web, "image"), path("containers", log), false},
		{nil, path("spec"), true},
	} {
		if c.a.Overlaps(c.b) != c.want || c.b.Overlaps(c.a) != c.want {
			t.Errorf("%s and %s: want %v", c.a, c.b, c.want)
		}
	}
}

func TestDeploys(t *testing.T) {
	hand := differ.Writer{Manager: "kubectl-client-side-apply", Operation: "Update", Person: true}
	robot := differ.Writer{Manager: "argocd-controller", Operation: "Apply"}
	for _, c := range []struct {
		named []string
		w     differ.Writer
		want  bool
	}{
		{nil, robot, true}, {nil, hand, false}, {nil, differ.Writer{}, false}, {nil, differ.Writer{Manager: "kubelet"}, false},
		{[]string{"kubectl-client-side-apply"}, hand, true}, {[]string{"kubectl-client-side-apply"}, robot, false},
	} {
		if got := (differ.Options{Deployers: c.named}).Deploys(c.w); got != c.want {
			t.Errorf("%v with deployers %v: %v", c.w, c.named, got)
		}
	}
}
