package gitsource

import (
	"bytes"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
)

// somePack returns a pack of similar blobs, as whole objects and as deltas.
func somePack(f *testing.F, refDeltas bool) []byte {
	f.Helper()
	store := memory.NewStorage()
	var hashes []plumbing.Hash
	for i := range 5 {
		o := &plumbing.MemoryObject{}
		o.SetType(plumbing.BlobObject)
		_, _ = o.Write(bytes.Repeat([]byte("the same line\n"), 50+i))
		h, err := store.SetEncodedObject(o)
		if err != nil {
			f.Fatal(err)
		}
		hashes = append(hashes, h)
	}
	var pack bytes.Buffer
	if _, err := packfile.NewEncoder(&pack, store, refDeltas).Encode(hashes, 10); err != nil {
		f.Fatal(err)
	}
	return pack.Bytes()
}

// FuzzUnpack feeds the unpacker foreign bytes: it must return, keep to its
// budget, and store only what it charged for.
func FuzzUnpack(f *testing.F) {
	f.Add(somePack(f, true))
	f.Add(somePack(f, false))
	f.Add([]byte("PACK\x00\x00\x00\x02\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, pack []byte) {
		limits := Limits{Bytes: 1 << 16, FileBytes: 1 << 12}
		store := memory.NewStorage()
		u := &fetch{store: store, limits: limits, lost: map[plumbing.Hash]int64{}}
		_ = u.unpack(t.Context(), bytes.NewReader(pack))
		total := int64(0)
		for _, o := range store.Objects {
			total += o.Size() + objectOverhead
			if o.Type() == plumbing.BlobObject && o.Size() > limits.FileBytes {
				t.Errorf("a blob of %d bytes was kept", o.Size())
			}
		}
		if total > limits.Bytes {
			t.Errorf("%d bytes were kept", total)
		}
	})
}

func TestBytesText(t *testing.T) {
	t.Parallel()
	if bytesText(5<<20) != "5 MiB" || bytesText(10) != "10 bytes" || bytesText(3<<30) != "3 GiB" {
		t.Error(bytesText(5<<20), bytesText(10), bytesText(3<<30))
	}
}
