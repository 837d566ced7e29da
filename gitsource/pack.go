package gitsource

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// objectOverhead is what an object is charged besides its content, so that a
// pack of very many tiny objects is bounded too.
const objectOverhead = 256

// unpack reads a pack into the store. Every object's size is known from its
// header and is charged before its content is inflated; the content of a blob
// over the limit is never kept.
func (f *fetch) unpack(ctx context.Context, pack io.Reader) error {
	u := &unpacker{
		fetch:    f,
		scanner:  packfile.NewScanner(pack),
		byOffset: map[int64]*packed{},
		byHash:   map[plumbing.Hash]*packed{},
		waiting:  map[plumbing.Hash][]*packed{},
	}
	_, count, err := u.scanner.Header()
	if err != nil {
		return fmt.Errorf("reading the pack: %w", err)
	}
	for range count {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := u.next(); err != nil {
			return fmt.Errorf("unpacking: %w", err)
		}
	}
	if _, err := u.scanner.Checksum(); err != nil {
		return fmt.Errorf("reading the end of the pack: %w", err)
	}
	return nil
}

type unpacker struct {
	fetch    *fetch
	scanner  *packfile.Scanner
	byOffset map[int64]*packed
	byHash   map[plumbing.Hash]*packed
	waiting  map[plumbing.Hash][]*packed // deltas whose base comes later, by its hash
}

// packed is one object of the pack: complete once its hash is known, or a delta
// that waits for its base.
type packed struct {
	hash    plumbing.Hash
	kind    plumbing.ObjectType
	done    bool
	delta   []byte
	waiting []*packed // deltas against this one, while it waits itself
}

// charge counts an object against the budget.
func (u *unpacker) charge(size int64) error {
	limit := u.fetch.limits.Bytes
	if size < 0 || size > limit || u.fetch.charged+size+objectOverhead > limit {
		return refusef("the repository unpacks to more than %s, which is the limit: raise the byte limit or fetch less history", bytesText(limit))
	}
	u.fetch.charged += size + objectOverhead
	return nil
}

func (u *unpacker) next() error {
	h, err := u.scanner.NextObjectHeader()
	if err != nil {
		return err
	}
	p := &packed{kind: h.Type}
	u.byOffset[h.Offset] = p
	switch h.Type {
	case plumbing.OFSDeltaObject, plumbing.REFDeltaObject:
		return u.nextDelta(p, h)
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
		return u.nextWhole(p, h.Length)
	}
	return fmt.Errorf("object of unknown type %d in the pack", h.Type)
}

func (u *unpacker) nextWhole(p *packed, size int64) error {
	if p.kind == plumbing.BlobObject && size > u.fetch.limits.FileBytes {
		hasher := plumbing.NewHasher(p.kind, size)
		if _, _, err := u.scanner.NextObject(hasher); err != nil {
			return err
		}
		u.fetch.lost[hasher.Sum()] = size
		return nil
	}
	content, err := u.content(size)
	if err != nil {
		return err
	}
	return u.complete(p, p.kind, content)
}

// content inflates the object at hand, which is charged first.
func (u *unpacker) content(size int64) ([]byte, error) {
	if err := u.charge(size); err != nil {
		return nil, err
	}
	buf := bytes.NewBuffer(make([]byte, 0, min(size, 1<<20)))
	n, _, err := u.scanner.NextObject(buf)
	if err == nil && n != size {
		err = fmt.Errorf("object of %d bytes where %d were announced", n, size)
	}
	return buf.Bytes(), err
}

func (u *unpacker) nextDelta(p *packed, h *packfile.ObjectHeader) error {
	delta, err := u.content(h.Length)
	if err != nil {
		return err
	}
	p.delta = delta
	base, ok := u.byHash[h.Reference]
	if h.Type == plumbing.OFSDeltaObject {
		if base, ok = u.byOffset[h.OffsetReference]; !ok {
			return errors.New("delta against an object that is not in the pack")
		}
	}
	switch {
	case !ok:
		u.waiting[h.Reference] = append(u.waiting[h.Reference], p)
		return nil
	case !base.done:
		base.waiting = append(base.waiting, p)
		return nil
	}
	if err := u.apply(p, base); err != nil || !p.done {
		return err
	}
	return u.settle(p)
}

// complete stores an object and settles what waited for it.
func (u *unpacker) complete(p *packed, kind plumbing.ObjectType, content []byte) error {
	if err := u.store(p, kind, content); err != nil {
		return err
	}
	return u.settle(p)
}

// settle applies all deltas that waited for p, without recursion: the pack
// decides how long such a chain is.
func (u *unpacker) settle(p *packed) error {
	ready := u.released(p)
	for len(ready) > 0 {
		r := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		if err := u.apply(r.delta, r.base); err != nil {
			return err
		}
		if r.delta.done {
			ready = append(ready, u.released(r.delta)...)
		}
	}
	return nil
}

// pair is a delta and its complete base.
type pair struct{ delta, base *packed }

// released returns what waited for p.
func (u *unpacker) released(p *packed) []pair {
	var ready []pair
	for _, w := range append(p.waiting, u.waiting[p.hash]...) {
		ready = append(ready, pair{w, p})
	}
	p.waiting = nil
	delete(u.waiting, p.hash)
	return ready
}

// apply makes an object of a delta whose base is complete. A blob over the limit
// is left incomplete, and so is all that builds on it.
func (u *unpacker) apply(p, base *packed) error {
	size, err := deltaTarget(p.delta)
	if err != nil {
		return err
	}
	if base.kind == plumbing.BlobObject && size > u.fetch.limits.FileBytes {
		u.fetch.lostDeltas++
		return nil
	}
	if err := u.charge(size); err != nil {
		return err
	}
	source, err := objectBytes(u.fetch.store, base.hash)
	if err != nil {
		return err
	}
	content, err := packfile.PatchDelta(source, p.delta)
	if err != nil {
		return err
	}
	p.delta = nil
	return u.store(p, base.kind, content)
}

func (u *unpacker) store(p *packed, kind plumbing.ObjectType, content []byte) error {
	o := &plumbing.MemoryObject{}
	o.SetType(kind)
	if _, err := o.Write(content); err != nil {
		return err
	}
	hash, err := u.fetch.store.SetEncodedObject(o)
	if err != nil {
		return err
	}
	p.hash, p.kind, p.done = hash, kind, true
	u.byHash[hash] = p
	return nil
}

// deltaTarget reads the size of a delta's result, the second of the two
// variable-length numbers it begins with.
func deltaTarget(delta []byte) (int64, error) {
	_, n := binary.Uvarint(delta)
	if n <= 0 {
		return 0, errors.New("malformed delta in the pack")
	}
	size, m := binary.Uvarint(delta[n:])
	if m <= 0 || size > 1<<62 {
		return 0, errors.New("malformed delta in the pack")
	}
	return int64(size), nil
}

// objectBytes returns an object's content.
func objectBytes(store storer.EncodedObjectStorer, h plumbing.Hash) ([]byte, error) {
	o, err := store.EncodedObject(plumbing.AnyObject, h)
	if err != nil {
		return nil, err
	}
	return read(o)
}
