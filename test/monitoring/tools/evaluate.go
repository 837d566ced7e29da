package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// input is what was scraped, and what to make of it.
type input struct {
	Scrapes []struct {
		At     int64 // in seconds, rising for each target
		Target map[string]string
		Text   string
	}
	Expressions []expression
}

// expression is one of a rule, of a panel, or a series that a test makes up.
type expression struct {
	Name, Expr string
	// Shows says that it must have a value at some time.
	Shows bool
}

// result is what is wrong with an expression, and the labels of what it shows.
type result struct {
	Name     string   `json:"name"`
	Problems []string `json:"problems"`
	Labels   []string `json:"labels"`
}

// evaluate evaluates each expression at all times.
func (c checker) evaluate(ctx context.Context, in input) ([]result, error) {
	scraped := newMemory()
	var times []int64
	for _, s := range in.Scrapes {
		if err := scraped.scrape(s.Text, s.At*1000, s.Target); err != nil {
			return nil, err
		}
		if !slices.Contains(times, s.At) {
			times = append(times, s.At)
		}
	}
	var results []result
	for _, e := range in.Expressions {
		r := result{Name: e.Name}
		expr, err := c.parser.ParseExpr(e.Expr)
		if err != nil {
			r.Problems = append(r.Problems, err.Error())
			results = append(results, r)
			continue
		}
		r.Problems = unknown(scraped, expr)
		shown, err := c.shown(ctx, scraped, e.Expr, times)
		if err != nil {
			r.Problems = append(r.Problems, err.Error())
		}
		if e.Shows && shown == nil {
			r.Problems = append(r.Problems, "has no value at any time")
		}
		r.Labels = shown
		results = append(results, r)
	}
	return results, nil
}

// unknown are the selectors and labels of an expression that fit nothing that was scraped.
func unknown(scraped *memory, expr parser.Expr) []string {
	var problems []string
	want := func(of parser.Node, names []string) {
		for _, name := range names {
			if !slices.Contains(labelsOf(scraped, of), name) {
				problems = append(problems, fmt.Sprintf("%s: nothing that was scraped has the label %s", of, name))
			}
		}
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			if len(scraped.matching(n.LabelMatchers)) == 0 {
				problems = append(problems, "nothing was scraped that is "+names(n.LabelMatchers))
			}
			for _, m := range n.LabelMatchers {
				want(n, []string{m.Name})
			}
		case *parser.AggregateExpr:
			want(n.Expr, n.Grouping)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				want(n.LHS, n.VectorMatching.MatchingLabels)
				want(n.RHS, n.VectorMatching.MatchingLabels)
			}
		}
		return nil
	})
	return problems
}

// labelsOf are the labels of all series that a part of an expression selects.
func labelsOf(scraped *memory, of parser.Node) []string {
	var all []string
	parser.Inspect(of, func(node parser.Node, _ []parser.Node) error {
		if n, ok := node.(*parser.VectorSelector); ok {
			for _, s := range scraped.matching(n.LabelMatchers) {
				s.labels.Range(func(l labels.Label) { all = append(all, l.Name) })
			}
		}
		return nil
	})
	return all
}

// shown are the labels of what an expression has at any time; nil if it has nothing.
func (c checker) shown(ctx context.Context, scraped *memory, expr string, times []int64) ([]string, error) {
	var shown []string
	for _, at := range times {
		vector, err := c.instant(ctx, scraped, expr, time.Unix(at, 0))
		if err != nil {
			return nil, err
		}
		for _, value := range vector {
			if math.IsNaN(value.F) {
				continue
			}
			shown = append(shown, "") // there is a value, be it without labels
			value.Metric.Range(func(l labels.Label) { shown = append(shown, l.Name) })
		}
	}
	slices.Sort(shown)
	return slices.Compact(shown), nil
}
