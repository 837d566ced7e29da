package render

import (
	"crypto/sha256"

	"plumbline.dev/plumbline/object"
)

// keeping is how a rendering keeps objects, and what it keeps of its files for the next: a
// commit changes few of them.
type keeping struct {
	pack        func(object.Object) object.Packed // as soon as an object is made
	before, now map[string]decoded                // by file; nil where nothing is kept
}

// decoded is what a file without an error declares.
type decoded struct {
	sum     [sha256.Size]byte // of its text
	objects []object.Packed
}

// packAll packs what a file or a kustomization declares.
func (k keeping) packAll(objects []object.Object) []object.Packed {
	all := make([]object.Packed, len(objects))
	for i, o := range objects {
		all[i] = k.pack(o)
	}
	return all
}

// decode returns what a file declares, which decode makes of its text.
func (k keeping) decode(name string, text []byte, decode func(string, []byte) *file) ([]object.Packed, error) {
	if k.now == nil {
		f := decode(name, text)
		return k.packAll(f.objects), f.err
	}
	sum := sha256.Sum256(text)
	known, ok := k.before[name]
	if !ok || known.sum != sum {
		f := decode(name, text)
		if known = (decoded{sum, k.packAll(f.objects)}); f.err != nil {
			return known.objects, f.err
		}
	}
	k.now[name] = known
	return known.objects, nil
}
