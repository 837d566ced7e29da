package gitsource

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// TestStore wants files to come out of the store as they were put in, with their sizes,
// and those that are like others to take little room.
func TestStore(t *testing.T) {
	t.Parallel()
	s := newStore()
	want := map[plumbing.Hash][]byte{}
	put := func(content []byte) plumbing.Hash {
		o := &plumbing.MemoryObject{}
		o.SetType(plumbing.BlobObject)
		if _, err := o.Write(content); err != nil {
			t.Fatal(err)
		}
		h, err := s.SetEncodedObject(o)
		if err != nil {
			t.Fatal(err)
		}
		want[h] = content
		return h
	}
	manifest := strings.Repeat("kind: Deployment\nmetadata: {name: web}\n", 50)
	for i := range 50 {
		put(fmt.Appendf(nil, "%s# %d\n", manifest, i))
	}
	for _, content := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("large "), 100_000), []byte("\x00\xff")} {
		put(content)
	}
	last := put([]byte(manifest + "# the last\n"))
	for h, content := range want {
		got, err := objectBytes(s, h)
		size, sizeErr := s.EncodedObjectSize(h)
		if err != nil || sizeErr != nil || !bytes.Equal(got, content) || size != int64(len(content)) || s.HasEncodedObject(h) != nil {
			t.Errorf("of %d bytes came %d, %v; the size is %d, %v", len(content), len(got), err, size, sizeErr)
		}
		if _, err := s.EncodedObject(plumbing.TreeObject, h); err == nil {
			t.Error("a file is a tree")
		}
	}
	if n := len(s.blobs[last].packed); n == 0 || n > 100 {
		t.Errorf("what is like others takes %d bytes of %d", n, len(want[last]))
	}
	if _, err := objectBytes(s, plumbing.NewHash("1")); err == nil || s.HasEncodedObject(plumbing.NewHash("1")) == nil {
		t.Error("what was never put in is there")
	}
}
