package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"k8s.io/apimachinery/pkg/types"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

var shop = types.NamespacedName{Namespace: "a", Name: "shop"}

// drifted is an outcome with all there can be in one.
func drifted() outcome {
	since := time.Unix(1000, 0)
	about := object.ID{Kind: "ConfigMap", Name: "secret-of-somebody"}
	return outcome{
		whole: true, compared: 3, since: time.Now(), fetched: since, interval: time.Minute, oldest: map[string]time.Time{"warning": since},
		report: &report.Report{
			Findings: []finding.Finding{{Rule: finding.DriftAdded, Severity: finding.Warning, Object: about}, {Rule: finding.DriftAdded, Severity: finding.Warning}, {Rule: finding.RogueObject, Severity: finding.Critical}},
			Verdicts: map[finding.Verdict]int{finding.InSync: 3, finding.Drifted: 2},
			Unknown:  []report.Unknown{{Object: about, Reason: "nobody answers"}}, Errors: []string{"a rule"},
		},
	}
}

// gather returns each series as NAME{LABEL=VALUE …}, with the value of a gauge or counter
// and the count of a histogram.
func gather(t *testing.T, m *meters) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := m.register(registry); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, l := range metric.GetLabel() {
				if !slices.Contains([]string{"namespace", "baseline", "rule", "severity", "verdict", "reason", "version", "commit"}, l.GetName()) {
					t.Errorf("%s has the label %s, of which nobody knows how many values it has", family.GetName(), l.GetName())
				}
				labels = append(labels, l.GetValue())
			}
			all[family.GetName()+" "+strings.Join(labels, " ")] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func TestMetersTellHowABaselineStands(t *testing.T) {
	m := newMeters("v1", "abc")
	m.looked(shop, drifted(), time.Second)
	got := gather(t, m)
	if looked := got["plumbline_looked_timestamp_seconds shop a"]; time.Since(time.UnixMilli(int64(looked*1000))) > time.Minute {
		t.Errorf("the last look was at %f", looked)
	}
	delete(got, "plumbline_looked_timestamp_seconds shop a")
	want := map[string]float64{
		"plumbline_build_info abc v1":                               1,
		"plumbline_ready shop a":                                    1,
		"plumbline_suspended shop a":                                0,
		"plumbline_git_fetched_timestamp_seconds shop a":            1000,
		"plumbline_git_interval_seconds shop a":                     60,
		"plumbline_findings shop a drift/added warning":             2,
		"plumbline_findings shop a rogue/object critical":           1,
		"plumbline_oldest_finding_timestamp_seconds shop a warning": 1000,
		"plumbline_objects shop a InSync":                           3,
		"plumbline_objects shop a Drifted":                          2,
		"plumbline_not_compared shop a":                             2,
		"plumbline_pass_duration_seconds shop a":                    1,
		"plumbline_event_to_finding_seconds shop a":                 1,
		"plumbline_comparisons_total shop a":                        3,
		"plumbline_failures_total shop a " + v1alpha1.ReasonInvalid: 0,
		"plumbline_failures_total shop a " + v1alpha1.ReasonGit:     0,
		"plumbline_failures_total shop a " + v1alpha1.ReasonRender:  0,
		"plumbline_failures_total shop a " + v1alpha1.ReasonCluster: 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

// TestMetersClaimNothing wants no number of what is not known, and nothing of a Baseline
// that nobody looks at but that it is so.
func TestMetersClaimNothing(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(m *meters)
		want []string // of this Baseline's
	}{
		"nothing could be compared": {
			func(m *meters) {
				m.looked(shop, outcome{whole: true, failure: errors.New("gone"), reason: v1alpha1.ReasonGit}, 0)
			},
			[]string{
				"plumbline_comparisons_total shop a=3", "plumbline_event_to_finding_seconds shop a=1", "plumbline_failures_total shop a ClusterFailed=0", "plumbline_failures_total shop a GitFailed=1",
				"plumbline_failures_total shop a InvalidSpec=0", "plumbline_failures_total shop a RenderFailed=0",
				"plumbline_pass_duration_seconds shop a=2", "plumbline_ready shop a=0", "plumbline_suspended shop a=0",
			},
		},
		"suspended": {func(m *meters) { m.looked(shop, outcome{suspended: true, whole: true}, 0) }, []string{"plumbline_suspended shop a=1"}},
		"gone":      {func(m *meters) { m.forget(shop) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMeters("v1", "abc")
			m.looked(shop, drifted(), time.Second)
			test.do(m)
			var got []string
			for series, value := range gather(t, m) {
				if strings.Contains(series, " shop ") && !strings.Contains(series, "looked") {
					got = append(got, fmt.Sprint(series, "=", value))
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}
