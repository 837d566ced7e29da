package rogue_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/rogue"
)

var schemas = sync.OnceValues(func() (*differ.Schemas, error) {
	components, err := differ.Builtin()
	if err != nil {
		return nil, err
	}
	s := differ.NewSchemas()
	return s, s.Add(components)
})

const writersDeclared = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {a: "1", b: "2", c: "3", d: "4", e: "5"}
`

// TestWriters wants those named who last wrote declared fields, and nobody else.
func TestWriters(t *testing.T) {
	const (
		deployed  = `{manager: ci-deploy, operation: Apply, time: "2026-11-21T10:00:00Z", fieldsV1: {f:metadata: {f:labels: {f:app: {}}}, f:data: {f:a: {}, f:b: {}, f:c: {}, f:d: {}, f:e: {}}}}`
		withoutAB = `{manager: ci-deploy, operation: Apply, time: "2026-11-21T10:00:00Z", fieldsV1: {f:data: {f:c: {}, f:d: {}, f:e: {}}}}`
	)
	for name, c := range map[string]struct {
		records string
		data    string // of the live object, where it is another
		want    []string
	}{
		"deployer alone":          {records: deployed},
		"controller":              {records: withoutAB + `, {manager: kube-controller-manager, operation: Update, time: "2026-11-21T11:00:00Z", fieldsV1: {f:data: {f:a: {}, f:b: {}}}}`},
		"other fields":            {records: deployed + `, {manager: kubectl-edit, operation: Update, time: "2026-11-21T11:00:00Z", fieldsV1: {f:metadata: {f:annotations: {f:x: {}}}}}`},
		"no records":              {},
		"before the last deploy":  {records: deployed + `, {manager: kubectl-edit, operation: Update, time: "2026-11-21T09:00:00Z", fieldsV1: {f:data: {f:a: {}}}}`},
		"another value is drift":  {records: withoutAB + `, {manager: kubectl-edit, operation: Update, time: "2026-11-21T11:00:00Z", fieldsV1: {f:data: {f:a: {}}}}`, data: `{a: "9", b: "2", c: "3", d: "4", e: "5"}`},
		"updates of one request":  {records: deployed + `, {manager: ci-deploy, operation: Update, time: "2026-11-21T10:00:01Z", fieldsV1: {f:metadata: {f:annotations: {f:x: {}}}}}`},
		"a deployer that updates": {records: `{manager: ci-deploy, operation: Update, time: "2026-11-21T11:00:00Z", fieldsV1: {f:data: {f:a: {}}}}`},
		"put back": {
			records: withoutAB + `, {manager: kubectl-edit, operation: Update, time: "2026-11-21T11:00:00Z", fieldsV1: {f:data: {f:a: {}, f:b: {}}}}`,
			want:    []string{`warning [kubectl-edit/Update] kubectl-edit, 2026-11-21T11:00:00Z last wrote declared fields and not the deployer, with the values that git declares: data.a, data.b`},
		},
		"applied as well": {
			records: deployed + `, {manager: mallory, operation: Apply, time: "2026-11-21T11:00:00Z", fieldsV1: {f:metadata: {f:labels: {f:app: {}}}, f:data: {f:a: {}, f:b: {}, f:c: {}, f:d: {}}}}`,
			want:    []string{`warning [mallory/Apply] mallory, 2026-11-21T11:00:00Z last wrote declared fields and not the deployer, with the values that git declares: data.a, data.b, data.c and 2 more`},
		},
		"seen by the deployer since": {
			records: withoutAB + `, {manager: kubectl-edit, operation: Update, time: "2026-11-21T09:00:00Z", fieldsV1: {f:data: {f:a: {}}}}`,
			want:    []string{`info [kubectl-edit/Update] kubectl-edit, 2026-11-21T09:00:00Z last wrote declared fields and not the deployer, with the values that git declares: data.a`},
		},
		"applied by the deployer since, without a time": {
			records: deployed + `, {manager: kubectl-edit, operation: Update, time: "2026-11-21T11:00:00Z", fieldsV1: {f:data: {f:a: {}}}}`,
			want:    []string{`info [kubectl-edit/Update] kubectl-edit, 2026-11-21T11:00:00Z last wrote declared fields and not the deployer, with the values that git declares: data.a`},
		},
		"two": {
			records: withoutAB + `, {manager: k9s, operation: Update, time: "2026-11-21T11:00:00Z", fieldsV1: {f:data: {f:b: {}}}}, {manager: kubectl-edit, operation: Update, time: "2026-11-21T11:00:00Z", fieldsV1: {f:data: {f:a: {}}}}`,
			want: []string{
				`warning [kubectl-edit/Update] kubectl-edit, 2026-11-21T11:00:00Z last wrote declared fields and not the deployer, with the values that git declares: data.a`,
				`warning [k9s/Update] k9s, 2026-11-21T11:00:00Z last wrote declared fields and not the deployer, with the values that git declares: data.b`,
			},
		},
		"in the deployer's name": {
			records: deployed + `, {manager: ci-deploy, operation: Update, time: "2026-11-21T11:00:00Z", fieldsV1: {f:metadata: {f:annotations: {f:x: {}}}}}`,
			want:    []string{`warning [ci-deploy/Update] somebody updated it as ci-deploy, 2026-11-21T11:00:00Z, after the deployer of that name had applied it: who applies does not update, and anyone can take the name`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			declared := decode(t, []byte(writersDeclared))[0]
			data := c.data
			if data == "" {
				data = `{a: "1", b: "2", c: "3", d: "4", e: "5"}`
			}
			live := decode(t, fmt.Appendf(nil, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, labels: {app: web}, managedFields: [%s]}\ndata: %s\n", c.records, data))[0]
			s, err := schemas()
			if err != nil {
				t.Fatal(err)
			}
			diff := differ.Compare(declared, live, s.Type("", "v1", "ConfigMap"), differ.Options{Deployers: []string{"ci-deploy"}, Rewritten: true})
			var got []string
			for _, f := range rogue.Writers(declared, diff) {
				got = append(got, fmt.Sprintf("%s [%s] %s", f.Severity, f.Subject, f.Message))
				if f.Rule != "rogue/writer" || f.Evidence != "claimed" || f.Object != declared.ID || f.Origin.File == "" || f.Advice == "" {
					t.Errorf("incomplete: %+v", f)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if changes := slices.ContainsFunc(diff.Changes, func(c differ.Change) bool { return strings.HasPrefix(c.Path.String(), "data") }); changes != (c.data != "") {
				t.Errorf("drift: %v", diff.Changes)
			}
		})
	}
}
