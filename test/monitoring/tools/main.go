// Promcheck holds alert rules and dashboards against Prometheus' own parser and engine.
//
//	promcheck rules RULES.yaml TESTS.yaml    parses rules, and tests them as promtool does
//	promcheck evaluate < input.json          evaluates expressions on what was scraped
//
// It is a module of its own, so that Prometheus is no dependency of anything else.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	_ "github.com/prometheus-operator/prometheus-operator/pkg/versionutil" // whose module has the definitions of the custom resources
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	c := checker{parser: parser.NewParser(parser.Options{})}
	c.engine = promql.NewEngine(promql.EngineOpts{MaxSamples: 1e7, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true, Parser: c.parser})
	switch {
	case len(args) == 3 && args[0] == "rules":
		return c.rules(args[1], args[2])
	case len(args) == 1 && args[0] == "evaluate":
		var in input
		if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
			return fmt.Errorf("reading standard input: %w", err)
		}
		results, err := c.evaluate(in)
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
