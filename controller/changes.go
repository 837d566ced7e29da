package controller

import (
	"sync"
	"time"

	"plumbline.dev/plumbline/object"
)

// changes are what watches have told since somebody last took them. Any goroutine may add.
type changes struct {
	mu  sync.Mutex
	ids map[object.ID]bool
	// all says that whatever is known may be another.
	all   bool
	since time.Time
}

// add takes in what has changed; nothing stands for all.
func (c *changes) add(ids ...object.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids == nil {
		c.ids = map[object.ID]bool{}
	}
	if len(c.ids) == 0 && !c.all {
		c.since = time.Now()
	}
	c.all = c.all || len(ids) == 0
	for _, id := range ids {
		c.ids[id] = true
	}
}

// change is what has changed since a time.
type change struct {
	ids   []object.ID
	all   bool
	since time.Time
}

// take returns what has changed, and forgets it.
func (c *changes) take() change {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := change{all: c.all, since: c.since}
	for id := range c.ids {
		taken.ids = append(taken.ids, id)
	}
	c.ids, c.all = nil, false
	return taken
}
