package rogue

import "plumbline.dev/plumbline/object"

// looks are the objects that were looked into last, the last one first. Of a child and its
// owner much is asked in turn, and siblings stand side by side.
type looks [8]look

type look struct {
	of     *item
	object object.Object
}

// open opens an item's object, unless it is open still.
func (l *looks) open(i *item) object.Object {
	at := 0
	for at < len(l)-1 && l[at].of != i {
		at++
	}
	known := l[at]
	if known.of != i {
		known = look{i, i.Object()}
	}
	copy(l[1:at+1], l[:at])
	l[0] = known
	return known.object
}
