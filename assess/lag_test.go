package assess_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/assess"
	"plumbline.dev/plumbline/ignore"
	"plumbline.dev/plumbline/lag"
	"plumbline.dev/plumbline/object"
)

// autoscaler is declared in one of the API's versions.
func autoscaler(version, max string) string {
	return "{apiVersion: autoscaling/" + version + ", kind: HorizontalPodAutoscaler, metadata: {name: a, namespace: shop}, spec: {maxReplicas: " + max + "}}\n---\n"
}

func settingsOf(namespace, data string) string {
	return "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings" + namespace + "}, data: {" + data + "}}\n---\n"
}

// pastOf is a history of these declarations, "" for one that is not known. It
// counts how many of them are asked for.
func pastOf(t *testing.T, declared []string) (past iter.Seq[lag.Commit], asked *int) {
	t.Helper()
	asked = new(int)
	return func(yield func(lag.Commit) bool) {
		for i, text := range declared {
			*asked++
			c := lag.Commit{Hash: fmt.Sprint("commit ", i), Behind: i, Time: time.Date(2026, 3, 4, 12-i, 0, 0, 0, time.UTC)}
			if text == "" {
				c.Err = errors.New("it is broken")
			} else {
				c.Declares = lag.Declaring(object.PackAll(decode(t, text)))
			}
			if !yield(c) {
				return
			}
		}
	}, asked
}

// TestPast wants earlier commits to be asked only where something differs or is
// missing, no further than it takes, and of each only the object that it is about.
func TestPast(t *testing.T) {
	t.Parallel()
	const records = `, managedFields: [{manager: ci-deploy, operation: Apply, time: "2026-03-04T10:30:00Z", fieldsV1: {"f:data": {"f:k": {}}, "f:spec": {"f:maxReplicas": {}}}}]`
	dumped := settingsOf(", namespace: shop"+records, "k: '1'") +
		strings.Replace(autoscaler("v2", "1"), "namespace: shop", "namespace: shop"+records, 1) +
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: shop" + records + "}, data: {k: '1'}}"
	settings := settingsOf(", namespace: shop", "k: '2'")
	for name, c := range map[string]struct {
		declared []string
		ignore   v1alpha1.Ignore
		want     []string
		asked    int
	}{
		"in sync": {
			[]string{settingsOf("", "k: '1'"), settings},
			v1alpha1.Ignore{}, []string{"settings InSync"}, 0,
		},
		"lags": {
			[]string{settings, settings, settingsOf(", namespace: shop", "k: '1'"), settings},
			v1alpha1.Ignore{}, []string{"settings Pending", "drift/pending 1 2"}, 3,
		},
		"lags, with a namespace that git leaves to the context": {
			[]string{settings, settingsOf(", namespace: elsewhere", "k: '1'"), settingsOf("", "k: '1'")},
			v1alpha1.Ignore{}, []string{"settings Pending", "drift/pending 1 2"}, 3,
		},
		"declared twice, and not known": {
			[]string{settings, settingsOf("", "k: '1'") + settingsOf(", namespace: shop", "k: '1'"), "", settings},
			v1alpha1.Ignore{}, []string{"settings Drifted", "drift/modified 1 0"}, 4,
		},
		"in another version": {
			[]string{autoscaler("v2", "2"), autoscaler("v1", "1"), autoscaler("v2", "1")},
			v1alpha1.Ignore{}, []string{"a Pending", "drift/pending 1 2"}, 3,
		},
		"ignored": {
			[]string{settings, settingsOf("", "k: '1'")},
			v1alpha1.Ignore{Paths: []string{"/data/k"}}, []string{"settings Ignored"}, 0,
		},
		"missing": {
			[]string{settings + settingsOf("-new", "k: '1'"), settings + settingsOf("-new", "k: '2'"), settingsOf("", "k: '1'"), settings},
			v1alpha1.Ignore{}, []string{"settings Pending", "drift/pending 1 2", "settings-new Missing", "declared since commit 1, 1 commit ago"}, 3,
		},
		"missing, and ignored": {
			[]string{settingsOf("", "k: '1'") + settingsOf("-new", "k: '1'"), settings},
			v1alpha1.Ignore{When: `change.op == "missing"`}, []string{"settings InSync", "settings-new Ignored"}, 0,
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			options := assess.Options{Namespace: "shop"}
			var asked *int
			options.Past, asked = pastOf(t, c.declared)
			if c.ignore.Paths != nil || c.ignore.When != "" {
				c.ignore.Reason = "a test"
				rules, err := ignore.Rules([]v1alpha1.Ignore{c.ignore}, time.Time{})
				if err != nil {
					t.Fatal(err)
				}
				options.Ignore = rules
			}
			assessments, err := assess.All(t.Context(), object.PackAll(decode(t, c.declared[0])), assess.NewDump(raw(decode(t, dumped))), options)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range assessments {
				got = append(got, fmt.Sprint(a.Declared.ID.Name, " ", a.Verdict))
				for _, f := range a.Findings {
					if len(f.Changes) == 0 {
						_, reason, _ := strings.Cut(f.Message, ": ")
						got = append(got, reason)
					}
					for _, change := range f.Changes {
						got = append(got, fmt.Sprint(f.Rule, " ", len(f.Changes), " ", change.Pending.Behind))
					}
				}
			}
			if !slices.Equal(c.want, got) || *asked != c.asked {
				t.Errorf("asked for %d commits, want %d (-want +got):\n%s", *asked, c.asked, cmp.Diff(c.want, got))
			}
		})
	}
}
