package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/openapi"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Components are the schemas of one OpenAPI document, by name.
type Components map[string]*spec.Schema

// Schemas returns the OpenAPI v3 schemas of the given group versions ("v1",
// "apps/v1"). A version that publishes none is
// left out, which is no error: its types are deduced. It costs one request for
// the index and one for each document that the cache does not hold. What could
// be read is returned together with the errors of what could not.
func (c *Cluster) Schemas(ctx context.Context, groupVersions []string) ([]Components, error) {
	index, err := c.client.OpenAPIV3WithContext(ctx).PathsWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's OpenAPI index: %w", withoutURL(err))
	}
	c.remember(index)
	var mu sync.Mutex
	var result []Components
	var errs []error
	var work errgroup.Group
	work.SetLimit(c.parallel)
	for _, gv := range groupVersions {
		document, ok := index[openapiPath(gv)]
		if !ok {
			continue
		}
		work.Go(func() error {
			components, err := c.components(ctx, document)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("reading the OpenAPI schemas of %s: %w", gv, err))
				return nil
			}
			result = append(result, components)
			return nil
		})
	}
	_ = work.Wait() // failures are in errs
	return result, errors.Join(errs...)
}

// remember keeps which documents there are: their URLs change with their content.
func (c *Cluster) remember(index map[string]openapi.GroupVersionWithContext) {
	urls := make(map[string]string, len(index))
	for path, document := range index {
		urls[path] = document.ServerRelativeURL()
	}
	c.documents.Store(&urls)
}

// document names the document of a group version in its current content; "" where
// that is not known.
func (c *Cluster) document(groupVersion string) string {
	if urls := c.documents.Load(); urls != nil {
		return (*urls)[openapiPath(groupVersion)]
	}
	return ""
}

func openapiPath(groupVersion string) string {
	if groupVersion == "v1" {
		return "api/v1"
	}
	return "apis/" + groupVersion
}

// components returns a document's schemas from the cache, where its URL, which
// holds a hash of the content, was seen before.
func (c *Cluster) components(ctx context.Context, document openapi.GroupVersionWithContext) (Components, error) {
	file := c.cacheFile(document.ServerRelativeURL())
	if data, err := os.ReadFile(file); err == nil {
		var cached Components
		if json.Unmarshal(data, &cached) == nil {
			return cached, nil
		}
	}
	data, err := document.SchemaWithContext(ctx, "application/json")
	if err != nil {
		return nil, withoutURL(err)
	}
	components, err := readComponents(data)
	if err != nil {
		return nil, err
	}
	keep(file, components)
	return components, nil
}

// readComponents reads the schemas of a document, without those that say nothing.
func readComponents(data []byte) (Components, error) {
	var parsed struct {
		Components struct {
			Schemas Components `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(data, &parsed); err != nil {
		return nil, err
	}
	maps.DeleteFunc(parsed.Components.Schemas, func(_ string, s *spec.Schema) bool { return s == nil })
	for _, s := range parsed.Components.Schemas {
		forgetProse(s)
	}
	return parsed.Components.Schemas, nil
}

func (c *Cluster) cacheFile(url string) string {
	if c.cacheDir == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(c.host + url))
	return filepath.Join(c.cacheDir, "openapi", hex.EncodeToString(sum[:16])+".json")
}

// keep writes a value to the cache, whole or not at all. It is a copy of what
// the server has, so a cache that cannot be written is no error.
func keep(file string, value any) {
	if file == "" || os.MkdirAll(filepath.Dir(file), 0o700) != nil {
		return
	}
	data, err := json.Marshal(value)
	if err != nil {
		return
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), "new-")
	if err != nil {
		return
	}
	_, err = temporary.Write(data)
	if closed := temporary.Close(); err != nil || closed != nil || os.Rename(temporary.Name(), file) != nil {
		_ = os.Remove(temporary.Name())
	}
}

// forgetProse drops the descriptions, which are most of a document and of no use
// to a comparison.
func forgetProse(s *spec.Schema) {
	s.Description = ""
	for name, property := range s.Properties {
		forgetProse(&property)
		s.Properties[name] = property
	}
	if s.Items != nil && s.Items.Schema != nil {
		forgetProse(s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		forgetProse(s.AdditionalProperties.Schema)
	}
}
