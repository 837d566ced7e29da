package assess_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/ignore"
	"plumbline.dev/plumbline/lag"
	"plumbline.dev/plumbline/object"
)

const ignoreDeclared = `
{apiVersion: v1, kind: ConfigMap, metadata: {name: same, namespace: shop}, data: {k: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: changed, namespace: shop}, data: {k: "1", l: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: stripped, namespace: shop}, data: {k: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: gone, namespace: shop}, data: {k: "1"}}
---
{apiVersion: v1, kind: Secret, metadata: {name: unread, namespace: shop}, data: {k: "1"}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: done, namespace: shop}, spec: {ttlSecondsAfterFinished: 1}}
`

const ignoreOwned = `managedFields: [{manager: ci-deploy, operation: Apply, fieldsV1: {"f:data": {"f:k": {}, "f:l": {}}}}]`

const ignoreLive = `
{apiVersion: v1, kind: ConfigMap, metadata: {name: same, namespace: shop, ` + ignoreOwned + `}, data: {k: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: changed, namespace: shop, ` + ignoreOwned + `}, data: {k: "2", l: "2"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: stripped, namespace: shop}, data: {k: "1"}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: other, namespace: shop}}
`

// TestIgnore wants each object's verdict, what of it is ignored, and the word
// about rules that did nothing.
func TestIgnore(t *testing.T) {
	t.Parallel()
	before := map[string]string{"same": "InSync", "changed": "Drifted", "stripped": "Drifted", "gone": "Missing", "unread": "Unknown", "done": "Finished"}
	for name, c := range map[string]struct {
		rules   []v1alpha1.Ignore
		changed map[string]string // verdicts that are others than before
		ignored []string
		idle    []string
	}{
		"none":           {nil, nil, nil, nil},
		"all":            {[]v1alpha1.Ignore{{Paths: []string{"/"}}}, map[string]string{"changed": "Ignored", "stripped": "Ignored", "gone": "Ignored"}, []string{"changed drift/modified 2 [0]", "gone drift/missing 0 [0]", "stripped drift/unattributed 0 [0]"}, nil},
		"a part":         {[]v1alpha1.Ignore{{Paths: []string{"/data/k"}}}, nil, []string{"changed drift/modified 1 [0]"}, nil},
		"two parts":      {[]v1alpha1.Ignore{{Paths: []string{"/data/k"}}, {Paths: []string{"/data/l"}}}, map[string]string{"changed": "Ignored"}, []string{"changed drift/modified 1 [0]", "changed drift/modified 1 [1]"}, nil},
		"one part twice": {[]v1alpha1.Ignore{{Paths: []string{"/data/k"}}, {Paths: []string{"/data"}}}, map[string]string{"changed": "Ignored"}, []string{"changed drift/modified 1 [0 1]", "changed drift/modified 1 [1]"}, nil},
		"records":        {[]v1alpha1.Ignore{{Paths: []string{"/metadata/managedFields"}}}, map[string]string{"stripped": "Ignored"}, []string{"stripped drift/unattributed 0 [0]"}, nil},
		"missing":        {[]v1alpha1.Ignore{{When: "object == null"}}, map[string]string{"gone": "Ignored"}, []string{"gone drift/missing 0 [0]"}, nil},
		"idle":           {[]v1alpha1.Ignore{{Name: "changed", Paths: []string{"/data/m"}}}, nil, nil, []string{"spec.ignore[0] of the Baseline matched nothing: no object that it is about differs so (compared: 1;"}},
		"about nothing":  {[]v1alpha1.Ignore{{Name: "chang", Paths: []string{"/data/k"}}}, nil, nil, []string{"spec.ignore[0] of the Baseline is about none"}},
		// Of these it cannot be told.
		"idle, not compared":    {[]v1alpha1.Ignore{{Kind: "Secret", Paths: []string{"/data"}}}, nil, nil, nil},
		"idle, one of several":  {[]v1alpha1.Ignore{{Paths: []string{"/spec"}}}, nil, nil, nil},
		"idle, gone by itself":  {[]v1alpha1.Ignore{{Kind: "Job", Paths: []string{"/spec"}}}, nil, nil, nil},
		"ended before, another": {[]v1alpha1.Ignore{{Paths: []string{"/"}, Until: "2000-01-01"}, {Name: "changed", Paths: []string{"/data"}}}, map[string]string{"changed": "Ignored"}, []string{"changed drift/modified 2 [1]"}, nil},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			for i := range c.rules {
				c.rules[i].Reason = "a test"
			}
			rules, err := ignore.Rules(c.rules, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
			if err != nil {
				t.Fatal(err)
			}
			got, err := assess.All(t.Context(), object.PackAll(decode(t, ignoreDeclared)), assess.NewDump(raw(decode(t, ignoreLive))), assess.Options{Ignore: rules})
			if err != nil {
				t.Fatal(err)
			}
			var ignored []string
			for _, a := range got {
				name := a.Declared.ID.Name
				want, ok := c.changed[name]
				if !ok {
					want = before[name]
				}
				if string(a.Verdict) != want {
					t.Errorf("%s is %s, want %s", name, a.Verdict, want)
				}
				if (len(a.Findings) > 0) != (a.Verdict == finding.Drifted || a.Verdict == finding.Missing) || len(a.Failures) > 0 {
					t.Errorf("%s is %s with %d findings and failures %v", name, a.Verdict, len(a.Findings), a.Failures)
				}
				for _, f := range a.Ignored {
					ignored = append(ignored, fmt.Sprintf("%s %s %d %v", name, f.Rule, len(f.Changes), f.Rules))
					if f.Reason != "a test" {
						t.Errorf("the reason is %q", f.Reason)
					}
				}
			}
			slices.Sort(ignored)
			if d := cmp.Diff(c.ignored, ignored); d != "" {
				t.Errorf("ignored, -want +got:\n%s", d)
			}
			idle := assess.Idle(rules, got)
			if len(idle) != len(c.idle) {
				t.Fatalf("idle are %q, want %q", idle, c.idle)
			}
			for i, want := range c.idle {
				if !strings.Contains(idle[i], want) {
					t.Errorf("%q does not say %q", idle[i], want)
				}
			}
		})
	}
}

// TestIgnoreUnrecorded wants an object of which additions cannot be seen to stay
// unknown, whatever rules ignore of what can be seen.
func TestIgnoreUnrecorded(t *testing.T) {
	t.Parallel()
	rules, err := ignore.Rules([]v1alpha1.Ignore{{Paths: []string{"/"}, Reason: "a test"}}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	declared := decode(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {k: "1"}}`)
	live := decode(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {k: "2"}}`)
	got, err := assess.All(t.Context(), object.PackAll(declared), assess.NewDump(raw(live)), assess.Options{Ignore: rules, Compare: differ.Options{Unrecorded: true}})
	if err != nil || len(got) != 1 || got[0].Verdict != finding.Unknown || got[0].Err == nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestIgnorePast wants a condition to be asked about what git declares now alone,
// and what lags behind to be pending all the same.
func TestIgnorePast(t *testing.T) {
	t.Parallel()
	rules, err := ignore.Rules([]v1alpha1.Ignore{{When: "int(change.live) > 5", Reason: "a test"}}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	declared := decode(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {k: "2"}}`)
	past := decode(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {k: "1", m: gone}}`)
	live := decode(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop, managedFields: [{manager: ci-deploy, operation: Apply, time: "2026-01-02T00:00:00Z", fieldsV1: {"f:data": {"f:k": {}}}}]}, data: {k: "1"}}`)
	commits := slices.Values([]lag.Commit{{Hash: "abc", Behind: 1, Declares: lag.Declaring(object.PackAll(past))}})
	got, err := assess.All(t.Context(), object.PackAll(declared), assess.NewDump(raw(live)), assess.Options{Ignore: rules, Past: commits})
	if err != nil || len(got) != 1 || got[0].Verdict != finding.Pending || len(got[0].Failures) > 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}
