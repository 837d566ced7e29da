package object

import "sync"

// pool keeps what is costly to make, of one type, for the next who needs it.
type pool[T any] struct {
	make func() T
	kept sync.Pool
}

func (p *pool[T]) get() T {
	if kept, ok := p.kept.Get().(T); ok {
		return kept
	}
	return p.make()
}

func (p *pool[T]) put(v T) { p.kept.Put(v) }
