package v1alpha1_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"plumbline.dev/plumbline/api/v1alpha1"
)

const whole = `apiVersion: plumbline.dev/v1alpha1
kind: Baseline
metadata: {name: shop, namespace: plumbline-system}
spec:
  git: {url: https://git.example.com/platform/config.git, ref: main, path: shop/prod}
  scope: {namespaces: [shop]}
  deployer: {managers: [ci-deploy]}
  controllers: [cert-manager-cainjector]
  confirm: DryRun
  ignore:
  - {kind: Deployment, name: web, paths: [/spec/replicas], reason: autoscaled, until: 2027-01-31}
`

func TestParse(t *testing.T) {
	got, err := v1alpha1.Parse("baseline.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := v1alpha1.Baseline{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.APIVersion, Kind: v1alpha1.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "plumbline-system"},
		Spec: v1alpha1.BaselineSpec{
			Git:         v1alpha1.Git{URL: "https://git.example.com/platform/config.git", Ref: "main", Path: "shop/prod"},
			Scope:       v1alpha1.Scope{Namespaces: []string{"shop"}},
			Deployer:    v1alpha1.Deployer{Managers: []string{"ci-deploy"}},
			Controllers: []string{"cert-manager-cainjector"},
			Confirm:     v1alpha1.ConfirmDryRun,
			Ignore:      []v1alpha1.Ignore{{Kind: "Deployment", Name: "web", Paths: []string{"/spec/replicas"}, Reason: "autoscaled", Until: "2027-01-31", Line: 11}},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestParseIgnore reads a rule that says all it can say.
func TestParseIgnore(t *testing.T) {
	got, err := v1alpha1.Parse("baseline.yaml", []byte(`apiVersion: plumbline.dev/v1alpha1
kind: Baseline
spec:
  ignore: &rules
  - group: apps
    kind: Deployment
    namespace: shop-*
    name: web-?
    selector:
      matchLabels: {app: web}
      matchExpressions:
      - {key: tier, operator: In, values: [front, back]}
    paths: ["/spec/replicas", "$.spec.template"]
    managers: [kubectl-scale/Update]
    when: change.live > 3
    reason: scaled by hand
    until: 2027-01-31
  - {group: "", managers: [x], reason: the core group only}
`))
	if err != nil {
		t.Fatal(err)
	}
	apps, core := "apps", ""
	want := []v1alpha1.Ignore{{
		Group: &apps, Kind: "Deployment", Namespace: "shop-*", Name: "web-?",
		Selector: &v1alpha1.Selector{
			MatchLabels:      map[string]string{"app": "web"},
			MatchExpressions: []v1alpha1.Requirement{{Key: "tier", Operator: "In", Values: []string{"front", "back"}}},
		},
		Paths: []string{"/spec/replicas", "$.spec.template"}, Managers: []string{"kubectl-scale/Update"}, When: "change.live > 3",
		Reason: "scaled by hand", Until: "2027-01-31", Line: 5,
	}, {Group: &core, Managers: []string{"x"}, Reason: "the core group only", Line: 18}}
	if d := cmp.Diff(want, got.Spec.Ignore); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestEndedAt(t *testing.T) {
	for _, c := range []struct {
		until, now string
		want       bool
	}{
		{"", "2027-01-31T00:00:00Z", false},
		{"2027-01-31", "2027-01-30T23:59:59Z", false},
		{"2027-01-31", "2027-01-31T23:59:59Z", false},
		{"2027-01-31", "2027-02-01T00:00:00Z", true},
		{"2027-01-31", "2027-02-01T01:00:00+02:00", false}, // still January in UTC
		{"junk", "2027-02-01T00:00:00Z", false},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := (v1alpha1.Ignore{Until: c.until}).EndedAt(now); got != c.want {
			t.Errorf("until %q at %s: %v, want %v", c.until, c.now, got, c.want)
		}
	}
}

// FuzzParse reads any text: it is refused, or it is a valid Baseline.
func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("spec: {ignore: [null]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := v1alpha1.Parse("f", data)
		if err == nil && b.Validate() != nil {
			t.Errorf("accepted and not valid: %v", b.Validate())
		}
	})
}
