package adopter_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"plumbline.dev/plumbline/adopter"
	"plumbline.dev/plumbline/gitsource"
)

// TestExposed wants no line of a Secret to be shown beside an edit.
func TestExposed(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  labels:\n    a: b\n    c: d\nspec:\n  ports:\n  - port: 80\n"
	const secret = "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: b\n  labels: {a: b}\n  x: y\n  z: z\ntype: Opaque\nimmutable: true\ndata:\n  key: c2VjcmV0\n"
	for name, test := range map[string]struct {
		before, after string
		want          bool
	}{
		"far away":          {service + secret, "# a\n" + service + secret, false},
		"beside it":         {service + secret, service + secret + "---\nnew: document\n", true},
		"in its metadata":   {service + secret, strings.Replace(service+secret, "labels: {a: b}", "labels: {a: c}", 1), false},
		"right behind":      {service + secret, strings.Replace(service+secret, "immutable: true", "immutable: false", 1), true},
		"goes":              {secret, "", true},
		"a generator":       {"secretGenerator:\n- name: a\n  literals: [a=b]\nresources: [x]\n", "secretGenerator:\n- name: a\n  literals: [a=b]\nresources: [x]\npatches: []\n", true},
		"an item of a list": {"apiVersion: v1\nkind: List\nitems:\n- kind: Secret\n  data: {a: b}\n- kind: Service\n", "apiVersion: v1\nkind: List\nitems:\n- kind: Secret\n  data: {a: b}\n- kind: Services\n", true},
	} {
		fsys := fstest.MapFS{"dir/file.yaml": {Data: []byte(test.before)}}
		files := map[string][]byte{"dir/file.yaml": []byte(test.after)}
		if test.after == "" {
			files["dir/file.yaml"] = nil
		}
		patch, err := gitsource.Patch(fsys, files)
		if err != nil {
			t.Fatal(err)
		}
		if got := adopter.Exposed(fsys, patch); (got == "dir/file.yaml") != test.want {
			t.Errorf("%s: %q, by\n%s", name, got, patch)
		}
	}
}
