package helm

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/object"
)

// Chart is what tells one chart from another.
type Chart struct {
	Name, Version string
	// Hints are what the chart says about where it is from: its home, its sources, and
	// the repositories of what it depends on. Anyone can write them.
	Hints []string
	// From is the directory or archive of a chart in a repository.
	From string

	dependencies []dependency
	templates    map[string][sha256.Size]byte
}

// String returns "name version".
func (c Chart) String() string { return c.Name + " " + c.Version }

type metadata struct {
	Name         string       `json:"name" yaml:"name"`
	Version      string       `json:"version" yaml:"version"`
	Home         string       `json:"home" yaml:"home"`
	Sources      []string     `json:"sources" yaml:"sources"`
	Dependencies []dependency `json:"dependencies" yaml:"dependencies"`
}

type dependency struct {
	Name       string `json:"name" yaml:"name"`
	Version    string `json:"version" yaml:"version"`
	Alias      string `json:"alias" yaml:"alias"`
	Repository string `json:"repository" yaml:"repository"`
}

// same says whether a dependency in a release is that of a chart. Helm puts the alias
// in the name's place.
func (d dependency) same(of dependency) bool {
	named := d.Name == of.Name || of.Alias != "" && d.Name == of.Alias
	return named && d.Version == of.Version && d.Repository == of.Repository
}

func newChart(m metadata) Chart {
	c := Chart{Name: m.Name, Version: m.Version, dependencies: m.Dependencies, templates: map[string][sha256.Size]byte{}}
	for _, d := range m.Dependencies {
		c.hint(d.Repository)
	}
	c.hint(m.Home)
	for _, source := range m.Sources {
		c.hint(source)
	}
	return c
}

func (c *Chart) hint(text string) {
	if text != "" && !slices.Contains(c.Hints, text) {
		c.Hints = append(c.Hints, text)
	}
}

func (c *Chart) addTemplate(name string, data []byte) {
	// Helm drops a byte order mark when it loads a chart.
	c.templates[path.Clean(name)] = sha256.Sum256(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
}

// Made says whether a release's chart was made of the given one: the same name and
// version, and no dependency and no template that is not the other's, byte for byte.
// Helm leaves out dependencies that are switched off, and templates that .helmignore
// names. A chart without templates has nothing to compare, and is made of nothing. The
// templates of subcharts are not in a release's record.
func (c Chart) Made(of Chart) bool {
	if c.Name != of.Name || c.Version != of.Version || len(c.templates) == 0 {
		return false
	}
	for _, d := range c.dependencies {
		if !slices.ContainsFunc(of.dependencies, d.same) {
			return false
		}
	}
	for name, sum := range c.templates {
		if other, ok := of.templates[name]; !ok || other != sum {
			return false
		}
	}
	return true
}

// Charts returns the charts in a repository: directories with a Chart.yaml, and
// archives (.tgz). What has to do with no chart is passed over; errors, joined, tell
// of what begins as one and cannot be read.
func Charts(fsys fs.FS) ([]Chart, error) {
	var charts []Chart
	var errs []error
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			errs = append(errs, object.At(name, 0, err))
			return nil
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		var chart Chart
		switch {
		case d.Name() == "Chart.yaml":
			chart, err = chartDir(fsys, path.Dir(name))
		case strings.HasSuffix(name, ".tgz"):
			chart, err = chartFile(fsys, name)
		default:
			return nil
		}
		if err != nil && !errors.Is(err, errNoChart) {
			errs = append(errs, object.At(name, 0, fmt.Errorf("reading the chart: %w", err)))
		} else if err == nil {
			charts = append(charts, chart)
		}
		return nil
	})
	return charts, errors.Join(append(errs, err)...)
}

var errNoChart = errors.New("not a chart")

func parse(data []byte, from string) (Chart, error) {
	var m metadata
	if err := yaml.Unmarshal(data, &m); err != nil {
		return Chart{}, errors.New("its Chart.yaml is no YAML of a chart's form")
	}
	if m.Name == "" {
		return Chart{}, errors.New("its Chart.yaml has no name")
	}
	c := newChart(m)
	c.From = from
	return c, nil
}

func chartDir(fsys fs.FS, dir string) (Chart, error) {
	data, err := fs.ReadFile(fsys, path.Join(dir, "Chart.yaml"))
	if err != nil {
		return Chart{}, err
	}
	c, err := parse(data, dir)
	if err != nil {
		return Chart{}, err
	}
	root := path.Join(dir, "templates")
	if _, err := fs.Stat(fsys, root); errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	return c, fs.WalkDir(fsys, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		c.addTemplate(strings.TrimPrefix(name, strings.TrimPrefix(dir+"/", "./")), data)
		return nil
	})
}

func chartFile(fsys fs.FS, name string) (Chart, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return Chart{}, err
	}
	defer f.Close()
	return archive(f, name)
}

// Embedded reads a chart's archive in base64, as a k3s HelmChart holds one.
func Embedded(text string) (Chart, error) {
	data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return Chart{}, errors.New("it is no base64")
	}
	return archive(bytes.NewReader(data), "")
}

// archive reads a chart's archive. Its files are below one directory.
func archive(r io.Reader, from string) (Chart, error) {
	data, err := unpack(r)
	if errors.Is(err, errNoGzip) {
		return Chart{}, errNoChart
	}
	if err != nil {
		return Chart{}, err
	}
	files := map[string][]byte{}
	for tr := tar.NewReader(bytes.NewReader(data)); ; {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Chart{}, fmt.Errorf("unpacking: %w", err)
		}
		_, name, ok := strings.Cut(path.Clean(header.Name), "/")
		if !ok || header.Typeflag != tar.TypeReg || name != "Chart.yaml" && !strings.HasPrefix(name, "templates/") {
			continue
		}
		if files[name], err = io.ReadAll(tr); err != nil {
			return Chart{}, fmt.Errorf("unpacking: %w", err)
		}
	}
	if files["Chart.yaml"] == nil {
		return Chart{}, errNoChart
	}
	c, err := parse(files["Chart.yaml"], from)
	if err != nil {
		return Chart{}, err
	}
	for name, data := range files {
		if name != "Chart.yaml" {
			c.addTemplate(name, data)
		}
	}
	return c, nil
}
