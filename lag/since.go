package lag

import "plumbline.dev/plumbline/differ"

// Since finds out since which commit an object is declared.
type Since struct {
	first differ.Pending
	done  bool
	known bool
}

// Open tells whether an earlier commit may still say something new.
func (s *Since) Open() bool { return !s.done }

// Look takes the next commit, and whether it declares the object.
func (s *Since) Look(c Commit, declares bool) {
	switch {
	case c.Err != nil:
		s.done = true
	case declares:
		s.first = differ.Pending{Commit: c.Hash, Behind: c.Behind}
	default:
		s.done, s.known = true, s.first != differ.Pending{}
	}
}

// Commit returns the commit that introduced the object. It is false, and the
// commit zero, where that lies beyond the commits looked at.
func (s *Since) Commit() (differ.Pending, bool) {
	if !s.known {
		return differ.Pending{}, false
	}
	return s.first, true
}
