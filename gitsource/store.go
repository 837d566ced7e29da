package gitsource

import (
	"bytes"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"
	"github.com/klauspost/compress/s2"
)

// store holds the objects of a repository in memory, and its files in little room: a
// Snapshot may be kept for as long as its commit is the newest. Files are mostly like
// others; what the first have in them the others need not repeat. Any number of goroutines
// may read it. IterEncodedObjects, which nobody asks here, tells of all but files.
type store struct {
	*memory.Storage
	blobs map[plumbing.Hash]blob

	first []byte // the beginnings of files, until there are enough
	like  *s2.Dict
}

// blob is a file's content. What came before there was a dictionary is loose.
type blob struct {
	loose, packed []byte
	size          int64
}

const (
	enough    = 32 << 10 // bytes for a dictionary
	beginning = 4 << 10  // of a file
)

func newStore() *store {
	return &store{Storage: memory.NewStorage(), blobs: map[plumbing.Hash]blob{}}
}

// SetEncodedObject implements storer.EncodedObjectStorer.
func (s *store) SetEncodedObject(o plumbing.EncodedObject) (plumbing.Hash, error) {
	if o.Type() != plumbing.BlobObject {
		return s.Storage.SetEncodedObject(o)
	}
	content, err := read(o)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	s.blobs[o.Hash()] = s.blob(content)
	return o.Hash(), nil
}

func (s *store) blob(content []byte) blob {
	b := blob{size: int64(len(content))}
	if s.like != nil {
		b.packed = bytes.Clone(s.like.Encode(nil, content)) // without the room that it has besides
		return b
	}
	b.loose = content
	if s.first = append(s.first, content[:min(len(content), beginning)]...); len(s.first) >= enough {
		s.like, s.first = s2.MakeDict(s.first, nil), nil
	}
	return b
}

// EncodedObject implements storer.EncodedObjectStorer.
func (s *store) EncodedObject(kind plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject, error) {
	b, ok := s.blobs[h]
	if !ok || kind != plumbing.AnyObject && kind != plumbing.BlobObject {
		return s.Storage.EncodedObject(kind, h)
	}
	content := b.loose
	if b.packed != nil {
		var err error
		if content, err = s.like.Decode(nil, b.packed); err != nil {
			return nil, fmt.Errorf("reading file %s of the repository: %w", h, err)
		}
	}
	o := &plumbing.MemoryObject{}
	o.SetType(plumbing.BlobObject)
	_, err := o.Write(content)
	return o, err
}

// EncodedObjectSize implements storer.EncodedObjectStorer.
func (s *store) EncodedObjectSize(h plumbing.Hash) (int64, error) {
	if b, ok := s.blobs[h]; ok {
		return b.size, nil
	}
	return s.Storage.EncodedObjectSize(h)
}

// HasEncodedObject implements storer.EncodedObjectStorer.
func (s *store) HasEncodedObject(h plumbing.Hash) error {
	if _, ok := s.blobs[h]; ok {
		return nil
	}
	return s.Storage.HasEncodedObject(h)
}

// read returns an object's content.
func read(o plumbing.EncodedObject) ([]byte, error) {
	r, err := o.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
