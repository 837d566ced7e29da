package object

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/s2"
)

// Packed is an object that takes little room until somebody looks into it: its compressed
// JSON. Whoever goes through thousands of them opens one after another, and keeps none.
// One that Loose made is open already.
type Packed struct {
	ID     ID
	Origin Origin

	content map[string]any // of what is not packed
	text    []byte
	like    *s2.Dict
}

// Packer packs objects that are much alike, such as those of a kind: of each is kept in
// what it differs from the first. It is safe for concurrent use.
type Packer struct {
	begin sync.Once
	like  *s2.Dict
	first ID
}

// Pack packs an object. What JSON has no words for stays loose.
func (p *Packer) Pack(o Object) Packed {
	text, err := json.Marshal(o.Content)
	if err != nil || bytes.Contains(text, broken) && !isText(o.Content) {
		return Loose(o)
	}
	p.begin.Do(func() { p.like, p.first = s2.MakeDict(text, nil), own(o.ID, ID{}) })
	packed := Packed{ID: own(o.ID, p.first), Origin: o.Origin, like: p.like}
	if p.like == nil { // so short was the first
		packed.text = s2.Encode(nil, text)
	} else {
		packed.text = p.like.Encode(nil, text)
	}
	packed.text = bytes.Clone(packed.text) // which has room for more than there is
	return packed
}

// own returns an ID without the file of which its words may be parts, with the words of
// another as far as they are the same.
func own(id, other ID) ID {
	word := func(s, same string) string {
		if s == same {
			return same
		}
		return strings.Clone(s)
	}
	return ID{word(id.Group, other.Group), word(id.Version, other.Version), word(id.Kind, other.Kind), word(id.Namespace, other.Namespace), word(id.Name, "")}
}

// Repacked returns the object of a Text that the Packer has made.
func (p *Packer) Repacked(id ID, text []byte) Packed {
	return Packed{ID: id, text: text, like: p.like}
}

// Packers pack objects of all kinds. The zero Packers are ready; they are for one
// goroutine.
type Packers struct{ kinds map[place]*Packer }

// Pack packs an object as others of its kind.
func (p *Packers) Pack(o Object) Packed {
	if p.kinds == nil {
		p.kinds = map[place]*Packer{}
	}
	of := place{group: o.ID.Group, kind: o.ID.Kind}
	if p.kinds[of] == nil {
		p.kinds[of] = &Packer{}
	}
	return p.kinds[of].Pack(o)
}

// PackAll packs objects, those of a kind together.
func (p *Packers) PackAll(objects []Object) []Packed {
	return each(objects, p.Pack)
}

// PackAll is that of new Packers.
func PackAll(objects []Object) []Packed { return new(Packers).PackAll(objects) }

// Loose returns an object as it is, for whoever takes packed ones.
func Loose(o Object) Packed { return Packed{ID: o.ID, Origin: o.Origin, content: o.Content} }

// LooseAll is Loose of many.
func LooseAll(objects []Object) []Packed { return each(objects, Loose) }

func each(objects []Object, pack func(Object) Packed) []Packed {
	if objects == nil {
		return nil
	}
	all := make([]Packed, len(objects))
	for i, o := range objects {
		all[i] = pack(o)
	}
	return all
}

// Object opens the object. Where its text is damaged, which takes a fault of the memory
// that it is in, it has no Content.
func (p Packed) Object() Object {
	o := Object{ID: p.ID, Origin: p.Origin, Content: p.content}
	if p.text != nil {
		o.Content = p.open()
	}
	return o
}

func (p Packed) open() map[string]any {
	d := textDecoders.get()
	defer textDecoders.put(d)
	if !d.unpack(p.text, p.like) {
		return nil
	}
	content, _ := d.object()
	return content
}

// unpack takes in a text that was packed.
func (d *textDecoder) unpack(packed []byte, like *s2.Dict) bool {
	decode := s2.Decode
	if like != nil {
		decode = like.Decode
	}
	room := &d.rooms[d.texts%2]
	text, err := decode((*room)[:cap(*room)], packed)
	if err != nil {
		return false
	}
	*room, d.text = text, text
	return true
}

// Bare returns the object without its content.
func (o Object) Bare() Object { return Object{ID: o.ID, Origin: o.Origin} }

// Bare is Object's, without opening it.
func (p Packed) Bare() Object { return Object{ID: p.ID, Origin: p.Origin} }

// Same tells whether another has just the same content, as far as that shows without
// opening them.
func (p Packed) Same(other Packed) bool {
	return len(p.text) > 0 && p.like == other.like && bytes.Equal(p.text, other.text) || p.content != nil && IsOne(p.content, other.content)
}

// Equal tells whether another has the same content.
func (p Packed) Equal(other Packed) bool {
	if p.Same(other) {
		return true
	}
	alike := p.text != nil && other.text != nil && p.like == other.like
	return !alike && reflect.DeepEqual(p.Object().Content, other.Object().Content)
}

// Text is what the Packer makes the same of again. Of one Packer it is the same for the
// same content. It is empty where the object is loose.
func (p Packed) Text() []byte { return p.text }

// Compare orders by ID.
func (p Packed) Compare(other Packed) int { return p.ID.Compare(other.ID) }

// broken is what JSON has in the place of bytes that are no UTF-8, from which no way leads
// back; unless somebody wrote just that.
var broken = []byte(`\ufffd`)

// isText tells whether all texts of a value are UTF-8.
func isText(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if !utf8.ValidString(name) || !isText(value) {
				return false
			}
		}
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !isText(item) })
	case string:
		return utf8.ValidString(v)
	}
	return true
}
