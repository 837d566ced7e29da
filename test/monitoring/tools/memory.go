package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// memory holds series, in the order of their labels once they are sorted.
type memory struct {
	byLabels map[string]*series
	all      []*series
}

// series is what was sampled of one, in the order of time.
type series struct {
	labels  labels.Labels
	samples []chunks.Sample
}

func newMemory() *memory { return &memory{byLabels: map[string]*series{}} }

// add takes in a sample, which is later than the last.
func (m *memory) add(of labels.Labels, at int64, value float64) {
	key := of.String()
	s, ok := m.byLabels[key]
	if !ok {
		s = &series{labels: of}
		m.byLabels[key] = s
		m.all = append(m.all, s)
		slices.SortFunc(m.all, func(a, b *series) int { return labels.Compare(a.labels, b.labels) })
	}
	s.samples = append(s.samples, sample{at, value})
}

// scrape takes in what a target has told, as Prometheus does: with the labels of the
// target, where the target has no such label itself.
func (m *memory) scrape(text string, at int64, target map[string]string) error {
	p, err := textparse.New([]byte(text), "text/plain; version=0.0.4", labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		return err
	}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading what was scraped: %w", err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		var of labels.Labels
		p.Labels(&of)
		b := labels.NewBuilder(of)
		for name, value := range target {
			if !of.Has(name) {
				b.Set(name, value)
			}
		}
		_, _, value := p.Series()
		m.add(b.Labels(), at, value)
	}
}

// matching returns the series that all matchers fit.
func (m *memory) matching(matchers []*labels.Matcher) []*series {
	return slices.DeleteFunc(slices.Clone(m.all), func(s *series) bool {
		return slices.ContainsFunc(matchers, func(by *labels.Matcher) bool { return !by.Matches(s.labels.Get(by.Name)) })
	})
}

// Querier, Select, LabelValues, LabelNames and Close make it a storage.Queryable.
func (m *memory) Querier(int64, int64) (storage.Querier, error) { return m, nil }

// Select returns the series that all matchers fit.
func (m *memory) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	return &set{found: m.matching(matchers)}
}

// LabelValues are the values that a label has.
func (m *memory) LabelValues(_ context.Context, name string, _ *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	var values []string
	for _, s := range m.matching(matchers) {
		if v := s.labels.Get(name); v != "" && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values, nil, nil
}

// LabelNames is not asked for.
func (*memory) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errors.New("not asked for")
}

// Close closes nothing.
func (*memory) Close() error { return nil }

// set is what a selection has found.
type set struct {
	found []*series
	next  int
}

func (s *set) Next() bool { s.next++; return s.next <= len(s.found) }

func (s *set) At() storage.Series {
	of := s.found[s.next-1]
	return storage.NewListSeries(of.labels, of.samples)
}

func (*set) Err() error                        { return nil }
func (*set) Warnings() annotations.Annotations { return nil }

// sample is a value at a time in milliseconds.
type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                    { return s.at }
func (sample) ST() int64                     { return 0 }
func (s sample) F() float64                  { return s.value }
func (sample) H() *histogram.Histogram       { return nil }
func (sample) FH() *histogram.FloatHistogram { return nil }
func (sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample         { return s }

// names are a selector's matchers as one writes them.
func names(matchers []*labels.Matcher) string {
	var all []string
	for _, m := range matchers {
		all = append(all, m.String())
	}
	return "{" + strings.Join(all, ",") + "}"
}
