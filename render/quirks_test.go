package render

import (
	"context"
	"testing"
	"testing/fstest"
)

// quirks are documents of which kustomize makes something that is not obvious.
// Each is rendered as the only resource and must come out as kustomize's.
var quirks = map[string]string{
	"old booleans":          "a: yes\nb: on\nc: Off\nd: y\nyes: no\n",
	"booleans":              "a: true\nb: False\nc: 'true'\n",
	"octal":                 "a: 0644\nb: 0o644\nc: '0644'\nd: 08\n",
	"other bases":           "a: 0x1F\nb: 0b11\nc: 1_000\nd: 1:30\n",
	"large integers":        "a: 9223372036854775807\nb: 9223372036854775808\nc: 18446744073709551616\nd: -9223372036854775808\n",
	"floats":                "a: 1.0\nb: 1.5\nc: 1e3\nd: 1e21\ne: 1E-7\nf: -0.0\ng: [2.0, {h: 3.0}]\n",
	"special floats":        "a: '.inf'\nb: .infinity\n",
	"dates":                 "a: 2020-01-01\nb: 2020-01-01T00:00:00Z\nc: '2020-01-01'\n",
	"nulls":                 "a: null\nb: ~\nc:\nd: [null]\ne: {}\nf: []\ng: ''\n",
	"missing in a flow":     "a: {b: , c}\nd: {e: null}\n",
	"anchors":               "a: &x {b: 1}\nc: *x\nd: [*x, *x]\n",
	"merge keys":            "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n",
	"tags":                  "a: !!str 1\nb: !!int '2'\nc: !!binary aGk=\n",
	"texts":                 "a: |\n  one\n   two\n\n  three\nb: >-\n  folded\n  text\nc: \"\\u00e9\\t\\\"\"\nd: 'it''s'\ne: |2\n    deep\nf: |+\n  keep\n\n",
	"unicode":               "a: \"\U0001F600\"\nb: \"\\u2028\"\nc: \"\\x01\"\nd: é\n",
	"keys":                  "1: a\ntrue: b\n1.5: d\n'x y': e\n",
	"comments":              "# head\na: 1 # line & more *x !\n# foot\n",
	"windows line ends":     "a: 1\r\nb: |\r\n  text\r\n",
	"a long line":           "a: this is a text that is long enough to be folded by an encoder that folds at eighty characters, and some more\n",
	"trailing spaces":       "a: |\n  x  \n  y\nb: \"x  \"\n",
	"separator inside":      "a: |\n  ---\n  b\n",
	"flow":                  "a: {b: [1, two, \"3\"], c: {d: e}}\n",
	"zero strings":          "a: \"0\"\nb: \"1e3\"\nc: \"null\"\nd: \"~\"\ne: \"yes\"\nf: \"0x1\"\ng: \"1_0\"\nh: \"=\"\ni: \"<<\"\n",
	"quantities":            "a: 100m\nb: 1Gi\nc: 1e3\nd: 0.5\n",
	"template":              "a: \"{{ .Values.x }}\"\nb: ${HOME}\nc: $(VAR)\n",
	"number-like keys list": "a:\n- 01\n- 1.10\n- 1.\n- .5\n- +1\n- 1,000\n",
}

func TestQuirks(t *testing.T) {
	for _, name := range sortedKeys(quirks) {
		t.Run(name, func(t *testing.T) {
			checkAgainstKustomize(t, quirk("apiVersion: example.com/v1\nkind: Quirk\nmetadata: {name: q}\n"+quirks[name]), ".", "")
		})
	}
}

// quirkyMetadata are whole documents.
var quirkyMetadata = map[string]string{
	"empty annotations":      "metadata: {name: q, annotations: {}}\n",
	"null annotations":       "metadata: {name: q, annotations: }\n",
	"annotations not texts":  "metadata: {name: q, annotations: {a: 1, b: true, c: null, d: 1.0}}\n",
	"labels not texts":       "metadata: {name: q, labels: {a: 1, b: true}}\n",
	"empty labels":           "metadata: {name: q, labels: {}}\n",
	"local configuration":    "metadata: {name: q, annotations: {config.kubernetes.io/local-config: 'true'}}\n",
	"not local":              "metadata: {name: q, annotations: {config.kubernetes.io/local-config: 'false'}}\n",
	"an origin of its own":   "metadata: {name: q, annotations: {config.kubernetes.io/origin: 'path: x'}}\n",
	"needs a hash":           "metadata: {name: q, annotations: {kustomize.config.k8s.io/needs-hash: 'true', a: b}}\n",
	"creation time":          "metadata: {name: q, creationTimestamp: null}\nstatus: {}\n",
	"a namespace of default": "metadata: {name: q, namespace: default}\n",
	"a document marker":      "metadata: {name: q}\n---\n---\n# nothing\n---\n",
	"a document's end":       "metadata: {name: q}\n...\n",
}

func TestQuirkyMetadata(t *testing.T) {
	for _, name := range sortedKeys(quirkyMetadata) {
		t.Run(name, func(t *testing.T) {
			checkAgainstKustomize(t, quirk("apiVersion: example.com/v1\nkind: Quirk\n"+quirkyMetadata[name]), ".", "")
		})
	}
}

func quirk(document string) fstest.MapFS {
	return fstest.MapFS{
		"kustomization.yaml": {Data: []byte("resources: [q.yaml, keep.yaml]\n")},
		"q.yaml":             {Data: []byte(document)},
		"keep.yaml":          {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: keep}\n")},
	}
}

// TestQuirksOverlaid renders the same documents through an overlay, so that the
// annotated build is compared with the plain one.
func TestQuirksOverlaid(t *testing.T) {
	for _, name := range sortedKeys(quirkyMetadata) {
		t.Run(name, func(t *testing.T) {
			fsys := quirk("apiVersion: example.com/v1\nkind: Quirk\n" + quirkyMetadata[name])
			fsys["kustomization.yaml"].Data = append(fsys["kustomization.yaml"].Data, "namePrefix: p-\n"...)
			checkAgainstKustomize(t, fsys, ".", "")
		})
	}
}

func TestQuirkyLists(t *testing.T) {
	item := "{apiVersion: v1, kind: ConfigMap, metadata: {name: listed}, data: {a: '1', n: 1.0}}"
	for name, document := range map[string]string{
		"List":           "apiVersion: v1\nkind: List\nitems:\n- " + item + "\n",
		"ConfigMapList":  "apiVersion: v1\nkind: ConfigMapList\nitems:\n- " + item + "\n",
		"second":         "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first}\n---\napiVersion: v1\nkind: List\nitems:\n- " + item + "\n",
		"empty":          "apiVersion: v1\nkind: List\nitems: []\n",
		"list of a date": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {d: 2020-01-01}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			checkAgainstKustomize(t, quirk(document), ".", "")
		})
	}
}

// TestDirect holds the direct path to being taken where it can be.
func TestDirect(t *testing.T) {
	for _, name := range []string{"octal", "floats", "nulls", "texts", "old booleans", "comments"} {
		fsys := quirk("apiVersion: example.com/v1\nkind: Quirk\nmetadata: {name: q}\n" + quirks[name])
		result, err := Render(context.Background(), fsys, ".", Options{})
		if err != nil || !result.Direct {
			t.Errorf("%s: direct %t, error %v", name, result.Direct, err)
		}
	}
}
