package differ

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"

	"k8s.io/kube-openapi/pkg/validation/spec"
)

//go:embed builtin.json.gz
var builtin []byte

// Builtin returns the schemas of Kubernetes' own kinds, as the API server of the
// version that the tests run on publishes them, for comparisons without a
// server. "make generate" writes them.
func Builtin() (map[string]*spec.Schema, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(builtin))
	if err != nil {
		return nil, fmt.Errorf("reading the built-in schemas: %w", err)
	}
	var components map[string]*spec.Schema
	if err := json.NewDecoder(unzipped).Decode(&components); err != nil {
		return nil, fmt.Errorf("reading the built-in schemas: %w", err)
	}
	return components, nil
}
