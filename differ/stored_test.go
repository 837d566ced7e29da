package differ_test

import (
	"strings"
	"testing"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// TestStored holds what the server says of the declared object against what
// the comparison presumes without: what is declared, nobody's, the deployer's and
// somebody else's.
func TestStored(t *testing.T) {
	t.Parallel()
	const (
		declared = `{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, spec: {a: "1", dropped: x}}`
		head     = `{apiVersion: example.com/v1, kind: Widget, metadata: {name: w, managedFields: [`
		deployer = `{manager: ci-deploy, operation: Apply, apiVersion: example.com/v1, fieldsV1: {"f:spec": {"f:a": {}}}}`
	)
	for name, c := range map[string]struct {
		live, stored string
		alone        bool
		want         string // "" where nothing is to be said
		unasked      bool
	}{
		"dropped":                  {live: head + deployer + `]}, spec: {a: "1"}}`, stored: `{metadata: {name: w}, spec: {a: "1"}}`, alone: true},
		"dropped, by applying":     {live: head + deployer + `]}, spec: {a: "1"}}`, stored: `{metadata: {name: w}, spec: {a: "1"}}`},
		"gone":                     {live: head + deployer + `]}, spec: {a: "1"}}`, stored: `{metadata: {name: w}, spec: {a: "1", dropped: x}}`, alone: true, want: "spec.dropped removed"},
		"not known":                {live: head + deployer + `]}, spec: {a: "1"}}`, want: "spec.dropped removed"},
		"spelled otherwise":        {live: head + deployer + `]}, spec: {a: "01", dropped: x}}`, stored: `{metadata: {name: w}, spec: {a: "01", dropped: x}}`, alone: true},
		"modified":                 {live: head + deployer + `]}, spec: {a: "2", dropped: x}}`, stored: `{metadata: {name: w}, spec: {a: "01", dropped: x}}`, alone: true, want: "spec.a modified"},
		"as git has it":            {live: head + deployer + `]}, spec: {a: "1", dropped: x}}`, stored: `{metadata: {name: w}, spec: {a: "3"}}`, alone: true, unasked: true},
		"nobody's":                 {live: head + deployer + `]}, spec: {a: "1", dropped: x, b: "1"}}`, stored: `{metadata: {name: w}, spec: {a: "1", b: "2"}}`, alone: true, want: "spec.b added"},
		"nobody's, the server's":   {live: head + deployer + `]}, spec: {a: "1", dropped: x, b: "1"}}`, stored: `{metadata: {name: w}, spec: {a: "1", b: "1"}}`, alone: true},
		"nobody's, by applying":    {live: head + deployer + `]}, spec: {a: "1", dropped: x, b: "1"}}`, stored: `{metadata: {name: w}, spec: {a: "1"}}`},
		"a mark that changes":      {live: strings.Replace(head, "name: w,", `name: w, annotations: {mark: "1"},`, 1) + deployer + `]}, spec: {a: "1", dropped: x}}`, stored: `{metadata: {name: w, annotations: {mark: "2"}}}`, alone: true},
		"a mark of nobody's":       {live: strings.Replace(head, "name: w,", `name: w, annotations: {mark: "1"},`, 1) + deployer + `]}, spec: {a: "1", dropped: x}}`, stored: `{metadata: {name: w}, spec: {}}`, alone: true, want: "metadata.annotations.mark added"},
		"the deployer's by update": {live: head + deployer + `,{manager: ci-deploy, operation: Update, apiVersion: example.com/v1, fieldsV1: {"f:spec": {"f:b": {}}}}]}, spec: {a: "1", dropped: x, b: "1"}}`, stored: `{metadata: {name: w}, spec: {}}`, alone: true, want: "spec.b released"},
		"somebody's, the server's": {live: head + deployer + `,{manager: zz, operation: Update, apiVersion: example.com/v1, fieldsV1: {"f:spec": {"f:b": {}}}}]}, spec: {a: "1", dropped: x, b: "1"}}`, stored: `{metadata: {name: w}, spec: {b: "1"}}`, alone: true},
		"somebody's":               {live: head + deployer + `,{manager: zz, operation: Update, apiVersion: example.com/v1, fieldsV1: {"f:spec": {"f:b": {}}}}]}, spec: {a: "1", dropped: x, b: "1"}}`, stored: `{metadata: {name: w}, spec: {b: "2"}}`, alone: true, want: "spec.b added"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			asked := 0
			options := differ.Options{Deployers: []string{"ci-deploy"}, Stored: func() differ.Stored {
				asked++
				if c.stored == "" {
					return differ.Stored{}
				}
				content := one(t, strings.Replace(c.stored, "{", "{apiVersion: example.com/v1, kind: Widget, ", 1)).Content
				return differ.Stored{Content: content, Alone: c.alone}
			}}
			diff := differ.Compare(one(t, declared), one(t, c.live), differ.Type{}, options)
			var got []string
			for _, change := range diff.Changes {
				got = append(got, change.Path.String()+" "+string(change.Op))
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("the changes are %q, want %q", got, c.want)
			}
			if c.unasked != (asked == 0) {
				t.Errorf("the server was asked %d times", asked)
			}
		})
	}
}

func one(t *testing.T, text string) object.Object {
	t.Helper()
	objects, err := object.Decode("test.yaml", []byte(text))
	if err != nil || len(objects) != 1 {
		t.Fatalf("%d objects: %v", len(objects), err)
	}
	return objects[0]
}
