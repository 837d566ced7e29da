package object

import (
	"math/rand/v2"
	"testing"
)

// TestIndex holds an index to a map, in whatever order it is asked.
func TestIndex(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func() ID {
		word := func(words ...string) string { return words[random.IntN(len(words))] }
		return ID{Group: word("", "apps"), Version: word("v1", "v2"), Kind: word("", "Pod", "Deployment"), Namespace: word("", "a"), Name: word("", "a", "b")}
	}
	var index Index[int]
	want := map[ID]int{}
	for n := range 2_000 {
		id := pick()
		unversioned := id
		unversioned.Version = ""
		if n%3 == 0 {
			index.Put(id, n)
			want[unversioned] = n
			continue
		}
		value, ok := index.Get(id)
		wanted, there := want[unversioned]
		if value != wanted || ok != there || index.Has(id) != there {
			t.Fatalf("of %+v it has %d %v, not %d %v", id, value, ok, wanted, there)
		}
	}
}
