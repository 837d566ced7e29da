// Defaults prints, as JSON, the values that Kubernetes' own kinds take where a
// field is absent, and that its schemas do not tell: by the schema's name and the
// field's, as the API server's own functions fill them in. "make generate" runs it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	"k8s.io/apimachinery/pkg/runtime"
	features "k8s.io/apiserver/pkg/util/feature"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/install"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/admissionregistration/install"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/certificates/install"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/events/install"
	_ "k8s.io/kubernetes/pkg/apis/flowcontrol/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/node/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	_ "k8s.io/kubernetes/pkg/apis/resource/install"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
)

// schemes hold the kinds, with their defaults.
func schemes() []*runtime.Scheme {
	extensions, aggregation := runtime.NewScheme(), runtime.NewScheme()
	apiextensions.Install(extensions)
	apiregistration.Install(aggregation)
	return []*runtime.Scheme{legacyscheme.Scheme, extensions, aggregation}
}

// unwanted are fields, or all of a schema's, whose default is no fixed value: it
// follows from what stands around it, and the differ knows how.
var unwanted = []string{
	"io.k8s.api.apps.v1.StatefulSetUpdateStrategy.rollingUpdate", // its fields have defaults
	"io.k8s.api.apps.v1beta2.StatefulSetUpdateStrategy.rollingUpdate",
	"io.k8s.api.autoscaling.v2.HPAScalingRules", // others to scale up than down
	"io.k8s.api.batch.v1.JobSpec.backoffLimit",
	"io.k8s.api.batch.v1.JobSpec.podReplacementPolicy",
	"io.k8s.api.core.v1.Container.imagePullPolicy",
	"io.k8s.api.core.v1.EphemeralContainer.imagePullPolicy",
	"io.k8s.api.core.v1.ImageVolumeSource.pullPolicy",
	"io.k8s.api.core.v1.ServicePort.targetPort",
	"io.k8s.api.networking.v1.NetworkPolicySpec.policyTypes",
	"io.k8s.api.resource.v1.DeviceTaint.timeAdded",
	"io.k8s.api.resource.v1alpha3.DeviceTaint.timeAdded",
	"io.k8s.api.resource.v1beta1.DeviceTaint.timeAdded",
	"io.k8s.api.resource.v1beta2.DeviceTaint.timeAdded",
}

func main() {
	t := table{uses: map[field]map[string]bool{}, values: map[field]map[string]map[string]any{}}
	t.gather()
	// Some defaults hang on features that a cluster may have switched on.
	err := features.DefaultMutableFeatureGate.Set("AllAlpha=true,AllBeta=true")
	t.gather()
	result, failed := t.result()
	if err = errors.Join(err, failed); err == nil {
		err = write(os.Stdout, result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "defaults:", err)
		os.Exit(1)
	}
}

// gather looks at every kind.
func (t *table) gather() {
	for _, scheme := range schemes() {
		for gvk, goType := range scheme.AllKnownTypes() {
			if gvk.Version != runtime.APIVersionInternal && !strings.HasSuffix(gvk.Kind, "List") && goType.PkgPath() != metaPackage {
				t.look(scheme, gvk.Kind, goType)
			}
		}
	}
}

const metaPackage = "k8s.io/apimachinery/pkg/apis/meta/v1"

// look has a kind's defaults filled in: where all structures are there, where none
// are, and where all are but those of one type, for each type.
func (t *table) look(scheme *runtime.Scheme, kind string, goType reflect.Type) {
	present := map[reflect.Type]bool{}
	t.compare(scheme, kind, goType, func(of reflect.Type) bool { present[of] = true; return true })
	t.compare(scheme, kind, goType, func(reflect.Type) bool { return false })
	for absent := range present {
		t.compare(scheme, kind, goType, func(of reflect.Type) bool { return of != absent })
	}
}

// compare has the defaults filled into an object in which the wanted optional
// structures are there.
func (t *table) compare(scheme *runtime.Scheme, kind string, goType reflect.Type, wanted func(reflect.Type) bool) {
	before := reflect.New(goType)
	object, ok := before.Interface().(runtime.Object)
	if !ok {
		return
	}
	fill(before.Elem(), wanted, nil)
	after := object.DeepCopyObject()
	scheme.Default(after)
	t.read(kind, schemaName(goType), before.Elem(), reflect.ValueOf(after).Elem())
}

func write(w io.Writer, result any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	return e.Encode(result)
}

// fill gives every list one item and every pointer to a wanted structure one.
// Types that contain themselves are entered once.
func fill(v reflect.Value, wanted func(reflect.Type) bool, within []reflect.Type) {
	switch v.Kind() {
	case reflect.Struct:
		if slices.Contains(within, v.Type()) || isScalar(v.Type()) {
			return
		}
		within = append(slices.Clip(within), v.Type())
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !isMeta(f) {
				fill(v.Field(i), wanted, within)
			}
		}
	case reflect.Pointer:
		if e := v.Type().Elem(); e.Kind() == reflect.Struct && !isScalar(e) && !slices.Contains(within, e) && wanted(e) {
			v.Set(reflect.New(e))
			fill(v.Elem(), wanted, within)
		}
	case reflect.Slice:
		if e := v.Type().Elem(); e.Kind() == reflect.Struct && !slices.Contains(within, e) {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), wanted, within)
		}
	}
}

// isScalar tells whether a structure is written as one value, as a time is.
func isScalar(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]())
}

func isMeta(f reflect.StructField) bool {
	return f.Type.PkgPath() == metaPackage && f.Anonymous || f.Name == "Status"
}

// field is one named field of a schema.
type field struct{ schema, name string }

// table gathers which kinds use a field and which values they give to it.
type table struct {
	uses   map[field]map[string]bool
	values map[field]map[string]map[string]any // by value's text, by kind
}

// read compares a structure before and after it was given defaults.
func (t *table) read(kind, schema string, before, after reflect.Value) {
	for i := range before.NumField() {
		f := before.Type().Field(i)
		if !f.IsExported() || isMeta(f) {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		b, a := before.Field(i), after.Field(i)
		if name == "" { // inlined
			t.read(kind, schema, b, a)
			continue
		}
		if b.Kind() == reflect.Struct && !isScalar(b.Type()) || !b.IsZero() {
			t.enter(kind, b, a)
			continue
		}
		t.use(field{schema, name}, kind)
		if !a.IsZero() {
			t.give(field{schema, name}, kind, a)
		}
	}
}

func (t *table) enter(kind string, b, a reflect.Value) {
	switch b.Kind() {
	case reflect.Pointer:
		if !b.IsNil() && !a.IsNil() {
			t.enter(kind, b.Elem(), a.Elem())
		}
	case reflect.Slice:
		if b.Len() == 1 && a.Len() == 1 {
			t.enter(kind, b.Index(0), a.Index(0))
		}
	case reflect.Struct:
		if !isScalar(b.Type()) {
			t.read(kind, schemaName(b.Type()), b, a)
		}
	}
}

func (t *table) use(f field, kind string) {
	if t.uses[f] == nil {
		t.uses[f] = map[string]bool{}
	}
	t.uses[f][kind] = true
}

func (t *table) give(f field, kind string, v reflect.Value) {
	text, err := json.Marshal(v.Interface())
	if err != nil || slices.Contains(unwanted, f.schema) || slices.Contains(unwanted, f.schema+"."+f.name) {
		return
	}
	if t.values[f] == nil {
		t.values[f] = map[string]map[string]any{}
	}
	if t.values[f][string(text)] == nil {
		t.values[f][string(text)] = map[string]any{}
	}
	t.values[f][string(text)][kind] = json.RawMessage(text)
}

// result is the table as it is printed: by schema and field, or by kind/schema
// for what only some of the kinds that have a schema do.
func (t *table) result() (map[string]map[string]any, error) {
	result := map[string]map[string]any{}
	add := func(schema, name string, v any) {
		if result[schema] == nil {
			result[schema] = map[string]any{}
		}
		result[schema][name] = v
	}
	for f, values := range t.values {
		if len(values) > 1 {
			return nil, fmt.Errorf("%s.%s has several defaults: %v", f.schema, f.name, values)
		}
		for text, kinds := range values {
			if len(kinds) == len(t.uses[f]) {
				add(f.schema, f.name, json.RawMessage(text))
				continue
			}
			for kind := range kinds {
				add(kind+"/"+f.schema, f.name, json.RawMessage(text))
			}
		}
	}
	return result, nil
}

// schemaName is the name of a Go type's schema in the API server's OpenAPI.
func schemaName(t reflect.Type) string {
	path := strings.Replace(t.PkgPath(), "k8s.io/", "io.k8s.", 1)
	return strings.ReplaceAll(path, "/", ".") + "." + t.Name()
}
