package oracle

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestFound runs the programs that were kept, at all of which the differ was once
// wrong.
func TestFound(t *testing.T) {
	g := theWorld(t)
	for name, p := range found(t) {
		t.Run(strings.TrimSuffix(name, ".json"), func(t *testing.T) {
			t.Parallel()
			wrong, err := g.play(t.Context(), p, func(r *run) { show(t, r) })
			switch {
			case err != nil && !errors.Is(err, errNoAnswer):
				t.Fatal(err)
			case p.Known != "" && len(wrong) > 0:
				t.Logf("known to be wrong: %s: %s", p.Known, strings.Join(wrong, "; "))
			case p.Known != "":
				t.Logf("is right now: take the \"known\" out of %s", name)
			case len(wrong) > 0:
				t.Errorf("after %v:\n  %s", p.Steps, strings.Join(wrong, "\n  "))
			}
		})
	}
}

// show prints an object's state and what the differ says of it, where -show asks
// for it.
func show(t *testing.T, r *run) {
	t.Helper()
	if !*shown {
		return
	}
	git, err := yaml.Marshal(r.git.Object)
	if err != nil {
		t.Fatal(err)
	}
	live, err := yaml.Marshal(r.live.Object)
	if err != nil {
		t.Fatal(err)
	}
	said, err := yaml.Marshal(r.said())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("git:\n%s\nlive:\n%s\nsaid:\n%s", git, live, said)
}

// found are the programs that were kept.
func found(t *testing.T) map[string]Program {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(*kept, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Program{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var p Program
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = p
	}
	return all
}
