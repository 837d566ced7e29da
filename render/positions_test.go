package render_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"plumbline.dev/plumbline/render"
)

// counting counts how often files are opened.
type counting struct {
	fs.FS
	opened int
}

func (c *counting) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, ".yaml") {
		c.opened++
	}
	return c.FS.Open(name)
}

// TestPositionsReadOnce wants the places of many values of one file to be found in one
// reading of it, be they of documents or of a List's items, and each to be Position's.
func TestPositionsReadOnce(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 50 {
		text.WriteString("---\n" + strings.Replace(settings, "name: settings", fmt.Sprint("name: settings-", i), 1))
	}
	text.WriteString("---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {level: info}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: y},\n   data: {level: info}}\n")
	files := &counting{FS: fstest.MapFS{"all.yaml": {Data: []byte(text.String())}}}
	result, err := render.Render(t.Context(), files, ".", render.Options{})
	if err != nil || len(result.Objects) != 52 {
		t.Fatalf("%d objects, %v", len(result.Objects), err)
	}
	files.opened = 0
	positions, found := render.NewPositions(files), map[int]bool{}
	for _, o := range result.Objects {
		at := positions.Of(o, []any{"data", "level"})
		if want := render.Position(files.FS, o, []any{"data", "level"}); at != want || at.Line == 0 {
			t.Errorf("%s is at %s, want %s", o.ID, at, want)
		}
		found[at.Line] = true
	}
	if files.opened != 1 || len(found) != len(result.Objects) {
		t.Errorf("the file was read %d times, for %d places", files.opened, len(found))
	}
}
