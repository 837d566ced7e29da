package controller

import (
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/finding"
)

// meters are the metrics. None has a label for single objects. How Baselines stand is kept
// as a whole and told when somebody asks, so that nobody sees half of it.
type meters struct {
	latency  *prometheus.HistogramVec
	compared *prometheus.CounterVec
	passes   *prometheus.HistogramVec
	failures *prometheus.CounterVec
	reverts  *prometheus.CounterVec
	build    prometheus.Gauge

	mu       sync.Mutex
	standing map[types.NamespacedName]standing
}

// standing is how a Baseline stood at the last look.
type standing struct {
	looked, fetched time.Time
	interval        time.Duration
	suspended       bool
	ready           bool
	known           bool // what follows
	findings        map[kind]int
	oldest          map[string]time.Time // by severity
	verdicts        map[finding.Verdict]int
	notCompared     int
}

// kind is what findings are counted by.
type kind struct {
	rule     finding.Rule
	severity finding.Severity
}

var ofBaseline = []string{"namespace", "baseline"}

// Each is a gauge of one Baseline.
var (
	gaugeReady     = gauge("ready", "Whether what is declared is compared with what is live: 1, or 0 and the condition Ready says why not.")
	gaugeSuspended = gauge("suspended", "Whether nobody looks, by spec.suspend: 1 or 0.")
	gaugeLooked    = gauge("looked_timestamp_seconds", "When the controller last looked.")
	gaugeFetched   = gauge("git_fetched_timestamp_seconds", "When the repository last answered.")
	gaugeInterval  = gauge("git_interval_seconds", "How often the repository is asked.")
	gaugeFindings  = gauge("findings", "Findings that are open.", "rule", "severity")
	gaugeOldest    = gauge("oldest_finding_timestamp_seconds", "Since when the oldest of the open findings is open.", "severity")
	gaugeObjects   = gauge("objects", "Objects by how they stand.", "verdict")
	gaugeUnknown   = gauge("not_compared", "Of how much nothing is known: objects, rules, files.")
	gauges         = []*prometheus.Desc{gaugeReady, gaugeSuspended, gaugeLooked, gaugeFetched, gaugeInterval, gaugeFindings, gaugeOldest, gaugeObjects, gaugeUnknown}
)

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("plumbline_"+name, help, append(ofBaseline[:len(ofBaseline):len(ofBaseline)], labels...), nil)
}

// reasons are why a look can fail.
var reasons = []string{v1alpha1.ReasonInvalid, v1alpha1.ReasonGit, v1alpha1.ReasonRender, v1alpha1.ReasonCluster}

// actions are what is done to objects to undo what was found.
var actions = []string{"created", "restored", "deleted", "evicted", quarantined, "failed"}

// newMeters returns those of a program of this version and commit.
func newMeters(version, commit string) *meters {
	m := &meters{
		passes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "plumbline_pass_duration_seconds", Help: "What a whole look at a Baseline takes.", Buckets: prometheus.ExponentialBuckets(0.05, 2, 12),
		}, ofBaseline),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "plumbline_event_to_finding_seconds", Help: "From an event in the cluster to what it means for the findings.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 18),
		}, ofBaseline),
		compared: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plumbline_comparisons_total", Help: "Declared objects that were compared with what is live.",
		}, ofBaseline),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plumbline_failures_total", Help: "Looks at which something could not be done, by the reason.",
		}, append(ofBaseline[:len(ofBaseline):len(ofBaseline)], "reason")),
		reverts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plumbline_reverts_total", Help: "Objects that were written to, to undo what was found, by what was done.",
		}, append(ofBaseline[:len(ofBaseline):len(ofBaseline)], "action")),
		build: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "plumbline_build_info", Help: "1, with the version and the commit of the program.", ConstLabels: prometheus.Labels{"version": version, "commit": commit},
		}),
		standing: map[types.NamespacedName]standing{},
	}
	m.build.Set(1)
	return m
}

func (m *meters) register(registry prometheus.Registerer) error {
	var errs []error
	for _, c := range []prometheus.Collector{m, m.passes, m.latency, m.compared, m.failures, m.reverts, m.build} {
		errs = append(errs, registry.Register(c))
	}
	return errors.Join(errs...)
}

// looked takes in a look.
func (m *meters) looked(key types.NamespacedName, o outcome, took time.Duration) {
	if o.suspended {
		m.forget(key)
	} else {
		m.count(key, o, took)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.standing[key] = o.standing()
}

// count takes in what is not how it stands.
func (m *meters) count(key types.NamespacedName, o outcome, took time.Duration) {
	of := prometheus.Labels{"namespace": key.Namespace, "baseline": key.Name}
	if !o.since.IsZero() {
		m.latency.With(of).Observe(time.Since(o.since).Seconds())
	}
	if o.whole {
		m.passes.With(of).Observe(took.Seconds())
	}
	m.compared.With(of).Add(float64(o.compared))
	failures := m.failures.MustCurryWith(of)
	for _, reason := range reasons {
		failures.WithLabelValues(reason) // there from the beginning, so that the first one is an increase
	}
	if mode := o.reverting.mode; mode != "" && mode != v1alpha1.ModeReport {
		for _, action := range actions {
			m.reverts.MustCurryWith(of).WithLabelValues(action)
		}
	}
	if o.whole && o.failure != nil {
		failures.WithLabelValues(o.reason).Inc()
	}
}

// reverted takes in what was done to an object, or that it failed.
func (m *meters) reverted(b *v1alpha1.Baseline, action string) {
	m.reverts.WithLabelValues(b.Namespace, b.Name, action).Inc()
}

// standing is what an outcome leaves to be told. What is not known has no number.
func (o outcome) standing() standing {
	s := standing{looked: time.Now(), fetched: o.fetched, interval: o.interval, suspended: o.suspended, ready: o.failure == nil}
	if o.report == nil {
		return s
	}
	s.known, s.findings, s.oldest = true, map[kind]int{}, o.oldest
	for _, f := range o.report.Findings {
		s.findings[kind{f.Rule, f.Severity}]++
	}
	s.verdicts = maps.Clone(o.report.Verdicts)
	s.notCompared = len(o.report.Unknown) + len(o.report.Errors)
	return s
}

// forget drops what a Baseline has left that nobody looks at.
func (m *meters) forget(key types.NamespacedName) {
	of := prometheus.Labels{"namespace": key.Namespace, "baseline": key.Name}
	m.passes.Delete(of)
	m.latency.Delete(of)
	m.compared.Delete(of)
	m.failures.DeletePartialMatch(of)
	m.reverts.DeletePartialMatch(of)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.standing, key)
}

// Describe says which gauges there are.
func (m *meters) Describe(to chan<- *prometheus.Desc) {
	for _, g := range gauges {
		to <- g
	}
}

// Collect tells how all Baselines stand.
func (m *meters) Collect(to chan<- prometheus.Metric) {
	m.mu.Lock()
	all := maps.Clone(m.standing)
	m.mu.Unlock()
	for key, s := range all {
		s.collect(func(g *prometheus.Desc, value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(g, prometheus.GaugeValue, value, append([]string{key.Namespace, key.Name}, labels...)...)
		})
	}
}

func (s standing) collect(tell func(g *prometheus.Desc, value float64, labels ...string)) {
	tell(gaugeSuspended, number(s.suspended))
	if s.suspended {
		return
	}
	tell(gaugeReady, number(s.ready))
	tell(gaugeLooked, seconds(s.looked))
	if !s.fetched.IsZero() {
		tell(gaugeFetched, seconds(s.fetched))
		tell(gaugeInterval, s.interval.Seconds())
	}
	if !s.known {
		return
	}
	for k, n := range s.findings {
		tell(gaugeFindings, float64(n), string(k.rule), k.severity.String())
	}
	for severity, since := range s.oldest {
		tell(gaugeOldest, seconds(since), severity)
	}
	for verdict, n := range s.verdicts {
		tell(gaugeObjects, float64(n), string(verdict))
	}
	tell(gaugeUnknown, float64(s.notCompared))
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// seconds is a time as Prometheus wants it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// oldest is since when the oldest finding of each severity is open.
func (b *board) oldest() map[string]time.Time {
	all := map[string]time.Time{}
	for _, f := range *b.open.Load() {
		if since, ok := all[f.Severity]; !ok || f.Since.Time.Before(since) {
			all[f.Severity] = f.Since.Time
		}
	}
	return all
}
