package gitsource_test

import (
	"testing"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

// TestLeadsBack follows every parent as far as it may, and says where it may not.
func TestLeadsBack(t *testing.T) {
	t.Parallel()
	repo := gitsourcetest.NewRepo(t)
	commit := func(name string, parents ...string) string {
		return repo.Commit(gitsourcetest.Commit{Files: map[string]string{"a": name}, Message: name, Parents: parents})
	}
	first := commit("first")
	second := commit("second")
	side := commit("side", first)
	merged := commit("merged", side, second)
	commit("last", merged)
	elsewhere := commit("elsewhere", first)
	repo.SetRef("refs/heads/main", merged)
	for name, c := range map[string]struct {
		depth        int
		to           string
		leads, known bool
	}{
		"itself":                {gitsource.FullHistory, merged, true, true},
		"the first parent":      {gitsource.FullHistory, side, true, true},
		"another parent":        {gitsource.FullHistory, second, true, true},
		"all parents lead":      {gitsource.FullHistory, first, true, true},
		"nowhere":               {gitsource.FullHistory, elsewhere, false, true},
		"as far as is at hand":  {2, first, true, true},
		"nobody knows how far":  {1, elsewhere, false, false},
		"not even one is there": {1, "0123456789012345678901234567890123456789", false, false},
	} {
		leads, known, err := gitsource.LeadsBack(t.Context(), gitsource.Options{URL: repo.Dir, Depth: c.depth}, c.to)
		if err != nil || leads != c.leads || known != c.known {
			t.Errorf("%s: leads %t, known %t, %v", name, leads, known, err)
		}
	}
	if _, _, err := gitsource.LeadsBack(t.Context(), gitsource.Options{URL: t.TempDir()}, first); err == nil {
		t.Error("no error of what is no repository")
	}
}
