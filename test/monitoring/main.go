// Command monitoring writes the PrometheusRule of manifests/components/monitoring from
// the plain rule file beside it. It is run by "go generate" in controller.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"plumbline.dev/plumbline/test/testenv"
)

const header = `# rules.yaml for the Prometheus Operator; "go generate ./..." writes it.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: plumbline}
spec:
`

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := testenv.Root()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, "manifests/components/monitoring")
	rules, err := os.ReadFile(filepath.Join(dir, "rules.yaml"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "prometheusrule.yaml"), []byte(resource(string(rules))), 0o644)
}

// resource returns rules as a custom resource.
func resource(rules string) string {
	var b strings.Builder
	b.WriteString(header)
	for line := range strings.Lines(rules) {
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			b.WriteString("  " + line)
		}
	}
	return b.String()
}
