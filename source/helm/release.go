// Package helm reads the records that Helm keeps of its releases, and the charts in a
// repository, so that the two can be compared. Nothing of a release's values and
// manifests ever leaves it.
//
// The records' format is that of Helm 3 and 4: helm.sh/helm/v4/pkg/storage/driver
// (Secrets, ConfigMaps, encodeRelease) and pkg/release/v1, pkg/chart/v2 for the JSON.
// Those packages bring hundreds of others along, and seven fields are needed.
package helm

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"plumbline.dev/plumbline/object"
)

// MaxBytes bounds what a record or a chart may unpack to.
const MaxBytes = 64 << 20

// Release is one revision of a release, without its values and manifests.
type Release struct {
	Namespace, Name string
	Revision        int
	// Status is deployed, failed, pending-install, superseded, uninstalled …
	Status string
	Chart  Chart
}

// Counts says whether the revision may be what is in the cluster.
func (r Release) Counts() bool {
	return r.Status != "superseded" && r.Status != "uninstalled"
}

const (
	prefix     = "sh.helm.release.v1."
	secretType = "helm.sh/release.v1"
)

// IsRecord says whether an object is a Secret or ConfigMap in which Helm keeps a
// release, as far as its name and labels tell.
func IsRecord(o object.Packed) bool {
	_, _, ok := revision(o)
	return ok
}

// revision reads the release's name and revision in the name of a record.
func revision(o object.Packed) (release string, revision int, ok bool) {
	if o.ID.Group != "" || o.ID.Kind != "Secret" && o.ID.Kind != "ConfigMap" {
		return "", 0, false
	}
	rest, ok := strings.CutPrefix(o.ID.Name, prefix)
	i := strings.LastIndex(rest, ".v")
	if !ok || i <= 0 {
		return "", 0, false
	}
	revision, err := strconv.Atoi(rest[i+2:])
	if err != nil || revision < 1 {
		return "", 0, false
	}
	if o.ID.Kind == "Secret" {
		if kind := o.Object().Content["type"]; kind != nil && kind != secretType {
			return "", 0, false
		}
	}
	return rest[:i], revision, true
}

// Newest returns, of all objects, the records of each release's newest revision, one
// for each namespace, kind and name, sorted.
func Newest(objects []object.Packed) []object.Packed {
	type key struct{ kind, namespace, name string }
	newest := map[key]object.Packed{}
	revisions := map[key]int{}
	for _, o := range objects {
		name, revision, ok := revision(o)
		k := key{o.ID.Kind, o.ID.Namespace, name}
		if ok && revision > revisions[k] {
			newest[k], revisions[k] = o, revision
		}
	}
	var all []object.Packed
	for _, o := range newest {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b object.Packed) int { return a.ID.Compare(b.ID) })
	return all
}

// record is what is read of a release's JSON.
type record struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Version   int    `json:"version"`
	Info      struct {
		Status string `json:"status"`
	} `json:"info"`
	Chart struct {
		Metadata  metadata `json:"metadata"`
		Templates []struct {
			Name string `json:"name"`
			Data []byte `json:"data"`
		} `json:"templates"`
	} `json:"chart"`
}

// Decode reads the record of a release. Errors name the object and hold nothing of
// what is in it.
func Decode(o object.Object) (Release, error) {
	var r record
	text, err := payload(o)
	if err == nil {
		err = decode(text, &r)
	}
	if err == nil {
		err = r.check(o)
	}
	if err != nil {
		return Release{}, fmt.Errorf("reading the Helm release in %s: %w", o.ID, err)
	}
	release := Release{Namespace: r.Namespace, Name: r.Name, Revision: r.Version, Status: r.Info.Status, Chart: newChart(r.Chart.Metadata)}
	if release.Namespace == "" {
		release.Namespace = o.ID.Namespace
	}
	for _, t := range r.Chart.Templates {
		release.Chart.addTemplate(t.Name, t.Data)
	}
	return release, nil
}

// check refuses a record that Helm has not written: whoever may write Secrets can
// write anything into one, and names are shown.
func (r record) check(o object.Object) error {
	if name, revision, ok := revision(object.Loose(o)); ok && (r.Name != name || r.Version != revision) {
		return errors.New("it is of another release, or of another revision, than its name says")
	}
	for _, text := range []string{r.Name, r.Chart.Metadata.Name} {
		if text == "" {
			return errors.New("it names no release or no chart")
		}
	}
	for _, text := range []string{r.Name, r.Namespace, r.Info.Status, r.Chart.Metadata.Name, r.Chart.Metadata.Version} {
		if len(text) > 253 || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return errors.New("one of its names is no name")
		}
	}
	return nil
}

// payload returns the text of a record: of a Secret it is encoded once more, as all
// of its data.
func payload(o object.Object) ([]byte, error) {
	data, _ := o.Content["data"].(map[string]any)
	text, ok := data["release"].(string)
	if !ok {
		return nil, errors.New("it has no data.release")
	}
	if o.ID.Kind != "Secret" {
		return []byte(text), nil
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("its data is no base64")
	}
	return decoded, nil
}

// decode reads base64 of JSON, compressed or, as Helm 3's first versions left it, not.
func decode(text []byte, into any) error {
	packed, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return errors.New("its release is no base64")
	}
	if bytes.HasPrefix(packed, []byte{0x1f, 0x8b, 0x08}) {
		if packed, err = unpack(bytes.NewReader(packed)); err != nil {
			return err
		}
	}
	if err := json.Unmarshal(packed, into); err != nil { // the library's error may repeat a value
		return errors.New("its release is no JSON of Helm's form")
	}
	return nil
}

var errNoGzip = errors.New("it is not compressed")

// unpack decompresses what is at most MaxBytes.
func unpack(r io.Reader) ([]byte, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, errNoGzip
	}
	data, err := io.ReadAll(io.LimitReader(z, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("it unpacks to more than %d MiB", MaxBytes>>20)
	}
	return slices.Clip(data), nil
}
