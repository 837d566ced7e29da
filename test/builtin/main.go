// Builtin writes differ/builtin.json.gz: the schemas of Kubernetes' own kinds as
// the test control plane's API server publishes them. "make generate" runs it.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/test/testenv"
)

func main() {
	if err := generate(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "builtin:", err)
		os.Exit(1)
	}
}

func generate(ctx context.Context) error {
	root, err := testenv.Root()
	if err != nil {
		return err
	}
	env, err := testenv.Start(0)
	if err != nil {
		return err
	}
	defer env.Stop() //nolint:errcheck // the schemas are written by then
	config, err := env.Config("generate", "system:masters")
	if err != nil {
		return err
	}
	c, err := cluster.Connect(ctx, config, cluster.Options{})
	if err != nil {
		return err
	}
	documents, err := c.Schemas(ctx, c.GroupVersions())
	if err != nil {
		return err
	}
	all := cluster.Components{}
	for _, d := range documents {
		for name, schema := range d {
			all[name] = schema
		}
	}
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(w).Encode(all); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	file := filepath.Join(root, "differ", "builtin.json.gz")
	fmt.Printf("%s: %d schemas, %d bytes\n", "differ/builtin.json.gz", len(all), zipped.Len())
	return os.WriteFile(file, zipped.Bytes(), 0o644)
}
