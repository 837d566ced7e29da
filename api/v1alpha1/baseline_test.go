package v1alpha1_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
		APIVersion: v1alpha1.APIVersion, Kind: v1alpha1.Kind,
		Metadata: v1alpha1.Metadata{Name: "shop", Namespace: "plumbline-system"},
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

// TestParseErrors wants each error to say where it is, as far as there is a
// line, and what to write instead.
func TestParseErrors(t *testing.T) {
	edit := func(old, text string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("the example has no %q", old)
		}
		return strings.Replace(whole, old, text, 1)
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"empty":           {"", []string{"the file is empty"}},
		"only comments":   {"# nothing\n", []string{"the file is empty"}},
		"unknown field":   {edit("  scope:", "  scopes:"), []string{"line 6", "field scopes not found in a Baseline's"}},
		"unknown, nested": {edit("ref: main", "branch: main"), []string{"line 5", "field branch not found in a Baseline's Git"}},
		"duplicate key":   {edit("  controllers:", "  deployer: {}\n  controllers:"), []string{"line 8", "already"}},
		"wrong type":      {edit("[cert-manager-cainjector]", "{a: b}"), []string{"line 8"}},
		"syntax":          {edit("[shop]", "[shop"), []string{"line"}},
		"two documents":   {whole + "---\n" + whole, []string{"more than one document"}},
		"apiVersion":      {edit("plumbline.dev/v1alpha1", "plumbline.dev/v1"), []string{`apiVersion is "plumbline.dev/v1": write plumbline.dev/v1alpha1`}},
		"kind":            {edit("kind: Baseline", "kind: Deployment"), []string{`kind is "Deployment": write Baseline`}},
		"no url":          {edit("url: https://git.example.com/platform/config.git, ", ""), []string{"spec.git.url is missing: name the repository"}},
		"password in url": {edit("https://git", "https://ci:hunter2@git"), []string{"spec.git.url holds a password: take it out"}},
		"confirm":         {edit("DryRun", "Yes"), []string{`spec.confirm is "Yes": write None or DryRun`}},
		"ignore all":      {edit("paths: [/spec/replicas], ", ""), []string{"line 11: spec.ignore[0] has neither paths, managers nor when: name at least one field"}},
		"no reason":       {edit("reason: autoscaled, ", ""), []string{"line 11: spec.ignore[0] has no reason: say why"}},
		"blank reason":    {edit("autoscaled", `"  "`), []string{"spec.ignore[0] has no reason: say why"}},
		"proposed reason": {edit("autoscaled", `"TODO: why?"`), []string{"spec.ignore[0].reason is still to be written: say why"}},
		"until":           {edit("2027-01-31", "31.1.2027"), []string{`spec.ignore[0].until is "31.1.2027": write a day as 2027-01-31`}},
		"second rule":     {whole + "  - {paths: [/spec]}\n", []string{"line 12: spec.ignore[1] has no reason"}},
		"unknown in rule": {edit("kind: Deployment, name", "kinds: Deployment, name"), []string{"line 11", "field kinds not found in a Baseline's Ignore"}},
		"in a selector":   {edit("name: web", "selector: {matchLabel: {a: b}}"), []string{"line 11", "field matchLabel not found in a Baseline's Selector"}},
		"all at once":     {"apiVersion: v1\nkind: X\nspec: {git: {ref: main}, ignore: [{}]}", []string{"apiVersion is", "kind is", "url is missing", "neither paths", "no reason"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v1alpha1.Parse("dir/baseline.yaml", []byte(c.text))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(c.want, "reading the Baseline dir/baseline.yaml: ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "v1alpha1.") {
				t.Errorf("says too much: %v", err)
			}
		})
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
