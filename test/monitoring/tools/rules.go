package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"
	"go.yaml.in/yaml/v3"
)

// tests is the part of promtool's format for tests of rules that is used.
type tests struct {
	RuleFiles          []string       `yaml:"rule_files"`
	EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	Tests              []test         `yaml:"tests"`
}

type test struct {
	Name        string         `yaml:"name"`
	Interval    model.Duration `yaml:"interval"`
	InputSeries []struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	} `yaml:"input_series"`
	// Alerts are wanted with labels and annotations, as filled in.
	Alerts []struct {
		EvalTime  model.Duration `yaml:"eval_time"`
		Alertname string         `yaml:"alertname"`
		ExpAlerts []alert        `yaml:"exp_alerts"`
	} `yaml:"alert_rule_test"`
	// Expressions are evaluated on the series, those that alerts make of themselves
	// among them.
	Expressions []struct {
		Expr       string         `yaml:"expr"`
		EvalTime   model.Duration `yaml:"eval_time"`
		ExpSamples []struct {
			Labels string  `yaml:"labels"`
			Value  float64 `yaml:"value"`
		} `yaml:"exp_samples"`
	} `yaml:"promql_expr_test"`
}

// alert is one that fires.
type alert struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

func (a alert) String() string { return fmt.Sprintf("%v %v", a.Labels, a.Annotations) } // maps are printed in order

// rules parses rules as Prometheus does, and wants each test to hold, and each alert to fire
// at one of the times that are tested and not to at another.
func (c checker) rules(ctx context.Context, rulesFile, testsFile string) error {
	groups, errs := rulefmt.ParseFile(rulesFile, false, model.UTF8Validation, c.parser, slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	text, err := os.ReadFile(testsFile)
	if err != nil {
		return err
	}
	var all tests
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&all); err != nil {
		return fmt.Errorf("reading %s: %w", testsFile, err)
	}
	var alerts []rulefmt.Rule
	for _, group := range groups.Groups {
		alerts = append(alerts, group.Rules...)
	}
	fires, rests := map[string]bool{}, map[string]bool{}
	for _, t := range all.Tests {
		given, err := c.given(t)
		if err != nil {
			return fmt.Errorf("%s: test %q: %w", testsFile, t.Name, err)
		}
		r := replay{c, given, alerts, map[string]map[string]time.Duration{}}
		problems, err := r.test(ctx, t, time.Duration(all.EvaluationInterval), func(firing map[string][]alert) {
			for _, rule := range alerts {
				fires[rule.Alert] = fires[rule.Alert] || len(firing[rule.Alert]) > 0
				rests[rule.Alert] = rests[rule.Alert] || len(firing[rule.Alert]) == 0
			}
		})
		if err != nil {
			return fmt.Errorf("%s: test %q: %w", testsFile, t.Name, err)
		}
		errs = append(errs, problems...)
	}
	for _, rule := range alerts {
		if !fires[rule.Alert] || !rests[rule.Alert] {
			errs = append(errs, fmt.Errorf("%s: is tested to fire: %t, and not to: %t", rule.Alert, fires[rule.Alert], rests[rule.Alert]))
		}
	}
	return errors.Join(errs...)
}

// given are the series that a test begins with.
func (c checker) given(t test) (*memory, error) {
	given := newMemory()
	for _, in := range t.InputSeries {
		of, values, err := c.parser.ParseSeriesDesc(in.Series + " " + in.Values)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", in.Series, err)
		}
		for i, v := range values {
			if !v.Omitted {
				given.add(of, int64(i)*time.Duration(t.Interval).Milliseconds(), v.Value)
			}
		}
	}
	return given, nil
}

// replay evaluates alerts one time after another, as Prometheus does.
type replay struct {
	checker
	series *memory
	alerts []rulefmt.Rule
	active map[string]map[string]time.Duration // since when, by alert and labels
}

// test returns in what a test does not hold, and tells what fires at the times that it
// looks at.
func (r replay) test(ctx context.Context, t test, step time.Duration, fires func(map[string][]alert)) ([]error, error) {
	var last time.Duration
	looked := map[time.Duration]bool{}
	for _, want := range t.Alerts {
		looked[time.Duration(want.EvalTime)] = true
	}
	for _, want := range t.Expressions {
		looked[time.Duration(want.EvalTime)] = true
	}
	for at := range looked {
		last = max(last, at)
	}
	var problems []error
	for now := time.Duration(0); now <= last; now += step {
		firing, err := r.step(ctx, now)
		if err != nil {
			return nil, err
		}
		if !looked[now] {
			continue
		}
		delete(looked, now)
		fires(firing)
		found, err := r.compare(ctx, t, now, firing)
		if err != nil {
			return nil, err
		}
		problems = append(problems, found...)
	}
	if len(looked) > 0 {
		return nil, fmt.Errorf("it looks at times at which nothing is evaluated: %v", looked)
	}
	return problems, nil
}

// compare holds what fires at a time against what is wanted.
func (r replay) compare(ctx context.Context, t test, now time.Duration, firing map[string][]alert) ([]error, error) {
	var problems []error
	differs := func(what string, want, got []string) {
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			problems = append(problems, fmt.Errorf("test %q: %s at %s: want\n  %s\ngot\n  %s", t.Name, what, now, strings.Join(want, "\n  "), strings.Join(got, "\n  ")))
		}
	}
	for _, want := range t.Alerts {
		if time.Duration(want.EvalTime) == now {
			differs(want.Alertname, printed(want.ExpAlerts), printed(firing[want.Alertname]))
		}
	}
	for _, want := range t.Expressions {
		if time.Duration(want.EvalTime) != now {
			continue
		}
		vector, err := r.instant(ctx, r.series, want.Expr, time.UnixMilli(now.Milliseconds()))
		if err != nil {
			return nil, err
		}
		var wanted, got []string
		for _, s := range want.ExpSamples {
			of, err := r.parser.ParseMetric(s.Labels)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.Labels, err)
			}
			wanted = append(wanted, fmt.Sprint(of, " ", s.Value))
		}
		for _, s := range vector {
			got = append(got, fmt.Sprint(s.Metric, " ", s.F))
		}
		differs(want.Expr, wanted, got)
	}
	return problems, nil
}

func printed(alerts []alert) []string {
	var lines []string
	for _, a := range alerts {
		lines = append(lines, a.String())
	}
	return lines
}

// step evaluates all alerts once. One fires whose expression has had a value at each
// evaluation for as long as the rule says.
func (r replay) step(ctx context.Context, now time.Duration) (map[string][]alert, error) {
	firing, told := map[string][]alert{}, map[string]labels.Labels{}
	for _, rule := range r.alerts {
		found, err := r.instant(ctx, r.series, rule.Expr, time.UnixMilli(now.Milliseconds()))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", rule.Alert, err)
		}
		active := map[string]time.Duration{}
		for _, v := range found {
			key := v.Metric.String()
			active[key] = now
			if begun, ok := r.active[rule.Alert][key]; ok {
				active[key] = begun
			}
			a, err := expand(ctx, rule, v, now)
			if err != nil {
				return nil, err
			}
			state := "pending"
			if now-active[key] >= time.Duration(rule.For) {
				state = "firing"
				firing[rule.Alert] = append(firing[rule.Alert], a)
			}
			b := labels.NewBuilder(labels.FromMap(a.Labels)).Set(model.MetricNameLabel, "ALERTS").Set("alertname", rule.Alert).Set("alertstate", state)
			told[b.Labels().String()] = b.Labels()
		}
		r.active[rule.Alert] = active
	}
	r.tell(told, now)
	return firing, nil
}

// tell adds the series that alerts make of themselves, and ends those that do not any more.
func (r replay) tell(told map[string]labels.Labels, now time.Duration) {
	for _, s := range r.series.all {
		if _, still := told[s.labels.String()]; s.labels.Get(model.MetricNameLabel) == "ALERTS" && !still {
			r.series.add(s.labels, now.Milliseconds(), math.Float64frombits(value.StaleNaN))
		}
	}
	for _, of := range told {
		r.series.add(of, now.Milliseconds(), 1)
	}
}

// expand fills in a rule's texts.
func expand(ctx context.Context, rule rulefmt.Rule, of promql.Sample, at time.Duration) (alert, error) {
	plain := labels.NewBuilder(of.Metric).Del(model.MetricNameLabel).Labels().Map()
	data := template.AlertTemplateData(plain, nil, "", of)
	fill := func(texts map[string]string) (map[string]string, error) {
		filled := map[string]string{}
		for name, text := range texts {
			const variables = "{{$labels := .Labels}}{{$value := .Value}}"
			out, err := template.NewTemplateExpander(ctx, variables+text, rule.Alert, data, model.Time(at.Milliseconds()), nil, nil, []string{"missingkey=error"}).Expand()
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", rule.Alert, name, err)
			}
			filled[name] = out
		}
		return filled, nil
	}
	own, err := fill(rule.Labels)
	if err != nil {
		return alert{}, err
	}
	maps.Copy(plain, own)
	annotations, err := fill(rule.Annotations)
	return alert{plain, annotations}, err
}
