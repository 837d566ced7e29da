package controller

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// meters are the metrics. None has a label for single objects.
type meters struct {
	findings, objects, notCompared, fetched *prometheus.GaugeVec
	passes, latency                         *prometheus.HistogramVec
	failures                                *prometheus.CounterVec
}

var ofBaseline = []string{"namespace", "baseline"}

func newMeters() *meters {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "plumbline", Name: name, Help: help}, append(ofBaseline, labels...))
	}
	return &meters{
		findings:    gauge("findings", "Findings that are open.", "rule", "severity"),
		objects:     gauge("objects", "Objects by how they stand.", "verdict"),
		notCompared: gauge("not_compared", "Of how much nothing is known: objects, rules, files."),
		fetched:     gauge("git_fetched_timestamp_seconds", "When the repository last answered."),
		passes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "plumbline", Name: "pass_duration_seconds", Help: "What a whole look at a Baseline takes.", Buckets: prometheus.ExponentialBuckets(0.05, 2, 12),
		}, ofBaseline),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "plumbline", Name: "event_to_finding_seconds", Help: "From an event in the cluster to what it means for the findings.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, ofBaseline),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "plumbline", Name: "failures_total", Help: "Looks at which something could not be done, by the reason.",
		}, append(ofBaseline, "reason")),
	}
}

func (m *meters) register(registry prometheus.Registerer) error {
	var errs []error
	for _, c := range []prometheus.Collector{m.findings, m.objects, m.notCompared, m.fetched, m.passes, m.latency, m.failures} {
		errs = append(errs, registry.Register(c))
	}
	return errors.Join(errs...)
}

// looked takes in a look.
func (m *meters) looked(key types.NamespacedName, o outcome, took time.Duration) {
	of := prometheus.Labels{"namespace": key.Namespace, "baseline": key.Name}
	if o.suspended {
		m.forget(key)
		return
	}
	if !o.since.IsZero() {
		m.latency.With(of).Observe(time.Since(o.since).Seconds())
	}
	if o.whole {
		m.passes.With(of).Observe(took.Seconds())
	}
	if o.whole && o.failure != nil {
		m.failures.With(with(of, "reason", o.reason)).Inc()
	}
	if !o.fetched.IsZero() {
		m.fetched.With(of).Set(float64(o.fetched.Unix()))
	}
	m.findings.DeletePartialMatch(of)
	m.objects.DeletePartialMatch(of)
	m.notCompared.DeletePartialMatch(of)
	if o.report == nil {
		return // what is not known has no number
	}
	for _, f := range o.report.Findings {
		m.findings.With(with(of, "rule", string(f.Rule), "severity", f.Severity.String())).Inc()
	}
	for verdict, n := range o.report.Verdicts {
		m.objects.With(with(of, "verdict", string(verdict))).Set(float64(n))
	}
	m.notCompared.With(of).Set(float64(len(o.report.Unknown) + len(o.report.Errors)))
}

// forget drops what a Baseline has left that nobody looks at.
func (m *meters) forget(key types.NamespacedName) {
	of := prometheus.Labels{"namespace": key.Namespace, "baseline": key.Name}
	for _, g := range []*prometheus.GaugeVec{m.findings, m.objects, m.notCompared, m.fetched} {
		g.DeletePartialMatch(of)
	}
	m.passes.DeletePartialMatch(of)
	m.latency.DeletePartialMatch(of)
	m.failures.DeletePartialMatch(of)
}

func with(labels prometheus.Labels, pairs ...string) prometheus.Labels {
	all := prometheus.Labels{}
	for name, value := range labels {
		all[name] = value
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}
