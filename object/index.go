package object

// Index finds values by the objects that they are about, whatever version those are read
// in. It makes use of that objects mostly come kind by kind: to look for the next of a kind
// costs a look for its name. It is not safe for concurrent use. The zero Index is empty.
type Index[T any] struct {
	all map[place]map[string]T
	// last is the place that was last looked into, and in it the values there by name.
	last place
	in   map[string]T
}

// place is a kind in a namespace.
type place struct{ group, kind, namespace string }

// Put sets the value of an object.
func (x *Index[T]) Put(id ID, value T) {
	x.turn(id)
	if x.in == nil {
		if x.all == nil {
			x.all = map[place]map[string]T{}
		}
		x.in = map[string]T{}
		x.all[x.last] = x.in
	}
	x.in[id.Name] = value
}

// Get returns the value of an object, and whether there is one.
func (x *Index[T]) Get(id ID) (T, bool) {
	x.turn(id)
	value, ok := x.in[id.Name]
	return value, ok
}

// Has tells whether an object has a value.
func (x *Index[T]) Has(id ID) bool {
	_, ok := x.Get(id)
	return ok
}

// turn turns to the place that an object is in.
func (x *Index[T]) turn(id ID) {
	if to := (place{id.Group, id.Kind, id.Namespace}); to != x.last {
		x.last, x.in = to, x.all[to]
	}
}
