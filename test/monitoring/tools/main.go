// Promcheck holds alert rules and dashboards against Prometheus' own parser and engine.
//
//	promcheck rules RULES.yaml TESTS.yaml    parses rules, and tests them as promtool does
//	promcheck evaluate < input.json          evaluates expressions on what was scraped
//
// It is a module of its own, so that Prometheus is no dependency of anything else.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"

	_ "github.com/prometheus-operator/prometheus-operator/pkg/versionutil" // whose module has the definitions of the custom resources
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	c := checker{parser: parser.NewParser(parser.Options{})}
	c.engine = promql.NewEngine(promql.EngineOpts{MaxSamples: 1e7, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true, Parser: c.parser})
	switch {
	case len(args) == 3 && args[0] == "rules":
		return c.rules(ctx, args[1], args[2])
	case len(args) == 1 && args[0] == "evaluate":
		var in input
		if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
			return fmt.Errorf("reading standard input: %w", err)
		}
		results, err := c.evaluate(ctx, in)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(results)
	default:
		return errors.New("usage: promcheck rules RULES TESTS, or promcheck evaluate < INPUT")
	}
}

// checker parses and evaluates.
type checker struct {
	parser parser.Parser
	engine *promql.Engine
}

// instant is what an expression has at a time.
func (c checker) instant(ctx context.Context, of storage.Queryable, expr string, at time.Time) (promql.Vector, error) {
	query, err := c.engine.NewInstantQuery(ctx, of, nil, expr, at)
	if err != nil {
		return nil, err
	}
	return query.Exec(ctx).Vector()
}
