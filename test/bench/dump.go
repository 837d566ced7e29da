package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	sigsyaml "sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/test/testenv"
)

// dumpFormats are those of "kubectl get -o", by the endings of their files.
var dumpFormats = []string{"json", "yaml"}

// pair is an object as git declares it and as an API server had it when it was
// deployed and left alone.
type pair struct {
	kind           string
	declared, live []byte // YAML
}

// templateName is what the objects of the pairs are called.
const templateName = "app-0000"

func (p pair) text(of []byte, i int) []byte {
	return bytes.ReplaceAll(of, []byte(templateName), fmt.Appendf(nil, "app-%04d", i))
}

// readPairs reads the objects of the differ's benchmark.
func readPairs() ([]pair, error) {
	root, err := testenv.Root()
	if err != nil {
		return nil, err
	}
	var pairs []pair
	for _, kind := range []string{"Deployment", "ConfigMap"} {
		p := pair{kind: kind}
		for name, into := range map[string]*[]byte{"declared.yaml": &p.declared, "live.yaml": &p.live} {
			if *into, err = os.ReadFile(filepath.Join(root, "differ", "testdata", "bench", kind, name)); err != nil {
				return nil, err
			}
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// writeDumps writes n declared objects into dir/config, one per file and with no
// kustomization, and beside it what "kubectl get --show-managed-fields" would
// print of a cluster that has them: dir/live.json and dir/live.yaml.
func writeDumps(dir string, n int) error {
	pairs, err := readPairs()
	if err != nil {
		return err
	}
	config := filepath.Join(dir, "config")
	if err := os.MkdirAll(config, 0o755); err != nil {
		return err
	}
	for i := range n {
		p := pairs[i%len(pairs)]
		name := fmt.Sprintf("app-%04d-%s.yaml", i/len(pairs), strings.ToLower(p.kind))
		if err := os.WriteFile(filepath.Join(config, name), p.text(p.declared, i/len(pairs)), 0o644); err != nil {
			return err
		}
	}
	for _, format := range dumpFormats {
		if err := writeDump(filepath.Join(dir, "live."+format), format, pairs, n); err != nil {
			return err
		}
	}
	return nil
}

func writeDump(file, format string, pairs []pair, n int) error {
	var list bytes.Buffer
	before, between, after := "apiVersion: v1\nitems:\n", "", "kind: List\nmetadata:\n  resourceVersion: \"\"\n"
	if format == "json" {
		before, between, after = "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n", ",\n", "\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": \"\"\n    }\n}\n"
	}
	list.WriteString(before)
	for k, p := range pairs {
		item, err := dumped(p.live, format)
		if err != nil {
			return fmt.Errorf("dumping the %s: %w", p.kind, err)
		}
		for i := range n / len(pairs) {
			if k+i > 0 {
				list.WriteString(between)
			}
			list.Write(p.text(item, i))
		}
	}
	list.WriteString(after)
	return os.WriteFile(file, list.Bytes(), 0o644)
}

// dumped spells an object as an item of a list in the format.
func dumped(live []byte, format string) ([]byte, error) {
	var content map[string]any
	if err := sigsyaml.Unmarshal(live, &content); err != nil {
		return nil, err
	}
	if format == "json" {
		const indent = "        "
		text, err := json.MarshalIndent(content, indent, "    ")
		return append([]byte(indent), text...), err
	}
	text, err := sigsyaml.Marshal(content)
	indented := strings.ReplaceAll("  "+strings.TrimSuffix(string(text), "\n"), "\n", "\n  ")
	return []byte("- " + strings.TrimPrefix(indented, "  ") + "\n"), err
}

// dumpObjects are compared with a dump of them: as many as a large team has.
const dumpObjects = 10_000

// measureDumps runs plumbline on dumps of each format. It returns what each took.
func measureDumps(ctx context.Context, plumbline, dir string) (map[string]cost, error) {
	if err := writeDumps(dir, dumpObjects); err != nil {
		return nil, err
	}
	costs := map[string]cost{}
	for _, format := range dumpFormats {
		c, err := measure(ctx, []string{"HOME=" + dir, "TMPDIR=" + os.TempDir()},
			plumbline, "diff", filepath.Join(dir, "config"), "--live", filepath.Join(dir, "live."+format))
		if err == nil && c.ExitCode != 0 {
			err = fmt.Errorf("plumbline diff --live ended with code %d, although nothing was changed:\n%.2000s", c.ExitCode, c.Output)
		}
		if err != nil {
			return nil, err
		}
		costs[format] = c
	}
	return costs, nil
}

func printDumps(w io.Writer, costs map[string]cost) {
	fmt.Fprintf(w, "  %-17s %12s %12s %16s\n", "", "wall time, s", "CPU time, s", "peak memory, MB")
	for _, format := range dumpFormats {
		c := costs[format]
		fmt.Fprintf(w, "  kubectl -o %-6s %12.2f %12.2f %16.0f\n", format, c.Wall.Seconds(), c.CPU.Seconds(), mega(c.Memory))
	}
}
