// Package mirror has what an API server has, kept true by watches: who asks it asks the
// server nothing, and is told what becomes of what was asked for.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/object"
)

// Mirror is one API server. It is safe for concurrent use.
type Mirror struct {
	dial  func(context.Context) (*cluster.Cluster, error)
	child func() (context.Context, context.CancelFunc) // for a watch

	connecting sync.Mutex
	mu         sync.Mutex
	cluster    *cluster.Cluster // nil until somebody asks, and once the served kinds may be others
	watches    map[cluster.Listing]*watch
	views      map[*View]struct{}
	kinds      []*watch // of what makes kinds come and go
	renewals   []*time.Timer
}

// New returns a mirror of the API server that dial connects to, which watches until ctx
// ends. It asks nothing before somebody asks it.
func New(ctx context.Context, dial func(context.Context) (*cluster.Cluster, error)) *Mirror {
	return &Mirror{
		dial:    dial,
		child:   func() (context.Context, context.CancelFunc) { return context.WithCancel(ctx) },
		watches: map[cluster.Listing]*watch{}, views: map[*View]struct{}{},
	}
}

// connect returns the API server with the kinds that it serves now.
func (m *Mirror) connect(ctx context.Context) (*cluster.Cluster, error) {
	m.connecting.Lock()
	defer m.connecting.Unlock()
	m.mu.Lock()
	c := m.cluster
	m.mu.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := m.dial(ctx)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cluster = c
	if m.kinds == nil {
		for _, l := range c.KindListings() {
			w := m.newWatch(l, m.kindsChanged)
			w.versioned = true // that a kind is served now stands in the status
			m.kinds = append(m.kinds, m.begin(c, w))
		}
	}
	return c, nil
}

// settled is how long after an event the API server may still not tell of a kind.
var settled = []time.Duration{time.Second, 10 * time.Second}

// kindsChanged has the served kinds be asked for anew, soon.
func (m *Mirror) kindsChanged(*watch, ...object.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.renewals {
		t.Stop()
	}
	m.renewals = nil
	for _, after := range settled {
		m.renewals = append(m.renewals, time.AfterFunc(after, m.renew))
	}
}

// renew forgets which kinds are served, and tells all who look.
func (m *Mirror) renew() {
	m.mu.Lock()
	m.cluster = nil
	views := m.viewing(nil)
	m.mu.Unlock()
	for _, v := range views {
		v.changed()
	}
}

func (m *Mirror) newWatch(l cluster.Listing, changed func(*watch, ...object.ID)) *watch {
	return &watch{listing: l, changed: changed, answered: make(chan struct{}), objects: map[string]kept{}}
}

// begin begins a watch.
func (m *Mirror) begin(c *cluster.Cluster, w *watch) *watch {
	ctx, stop := m.child()
	w.stop = stop
	go c.Watch(ctx, w.listing, w)
	return w
}

// viewing returns the views that use a watch; all for nil. The lock is held.
func (m *Mirror) viewing(w *watch) []*View {
	var all []*View
	for v := range m.views {
		if w == nil || v.using[w] {
			all = append(all, v)
		}
	}
	return all
}

// tell passes on what has changed.
func (m *Mirror) tell(w *watch, ids ...object.ID) {
	m.mu.Lock()
	views := m.viewing(w)
	m.mu.Unlock()
	for _, v := range views {
		v.changed(ids...)
	}
}

// View is what one asks of a mirror. Between Begin and End, which make a pass, it notes
// what it is asked for: that goes on being watched. One pass is made at a time.
type View struct {
	*cluster.Cluster // as of the last Begin

	mirror  *Mirror
	changed func(...object.ID)
	using   map[*watch]bool // guarded by the mirror's lock
	before  map[*watch]bool // what was in use before the pass
}

// View returns a new one. Changed is told of objects that came, are another than before or
// went, among those that were asked for; of none where the whole answer may be another.
// It must not block.
func (m *Mirror) View(changed func(...object.ID)) *View {
	v := &View{mirror: m, changed: changed, using: map[*watch]bool{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.views[v] = struct{}{}
	return v
}

// Begin begins a pass. The error says why the API server could not be asked.
func (v *View) Begin(ctx context.Context) error {
	c, err := v.mirror.connect(ctx)
	if err != nil {
		return err
	}
	v.mirror.mu.Lock()
	defer v.mirror.mu.Unlock()
	v.Cluster, v.before, v.using = c, v.using, map[*watch]bool{}
	return nil
}

// End ends a pass: what was not asked for is watched no more.
func (v *View) End() {
	v.mirror.mu.Lock()
	defer v.mirror.mu.Unlock()
	v.before = nil
	v.mirror.tidy()
}

// Close ends all that the view watches.
func (v *View) Close() {
	v.mirror.mu.Lock()
	defer v.mirror.mu.Unlock()
	delete(v.mirror.views, v)
	v.mirror.tidy()
}

// tidy stops the watches that nobody uses. The lock is held.
func (m *Mirror) tidy() {
	for l, w := range m.watches {
		used := false
		for v := range m.views {
			used = used || v.using[w] || v.before[w]
		}
		if !used {
			w.stop()
			delete(m.watches, l)
		}
	}
}

// watch returns what watches a listing.
func (v *View) watch(l cluster.Listing) *watch {
	m := v.mirror
	m.mu.Lock()
	defer m.mu.Unlock()
	w, ok := m.watches[l]
	if !ok || !v.using[w] && w.refused() {
		w = m.begin(v.Cluster, m.newWatch(l, m.tell))
		m.watches[l] = w
	}
	v.using[w] = true
	return w
}

// List answers from memory, as soon as that has all there is. Where the watch is broken
// the answer is an error.
func (v *View) List(ctx context.Context, listings []cluster.Listing) []cluster.Listed {
	watches := make([]*watch, len(listings))
	for i, l := range listings {
		watches[i] = v.watch(l) // all begin before any is waited for
	}
	all := make([]cluster.Listed, len(listings))
	for i, l := range listings {
		objects, err := watches[i].all(ctx)
		slices.SortFunc(objects, object.Packed.Compare)
		all[i] = cluster.Listed{Listing: l, Objects: objects, Err: err}
	}
	return all
}

// Mutators returns what may change objects on their way into the cluster.
func (v *View) Mutators(ctx context.Context) (cluster.Mutators, error) {
	return cluster.ReadMutators(v.List(ctx, v.MutatorListings()))
}

// Read answers from memory. Who may not watch a kind may still get what it knows by name:
// these objects are asked for.
func (v *View) Read(ctx context.Context, wanted []object.ID) map[object.ID]cluster.Answer {
	answers := make(map[object.ID]cluster.Answer, len(wanted))
	var watches []*watch
	var rest []object.ID
	for _, id := range wanted {
		w, err := v.watching(id)
		if err != nil {
			answers[id] = cluster.Answer{Err: err}
		}
		watches = append(watches, w)
	}
	for i, id := range wanted {
		if watches[i] == nil {
			continue
		}
		o, err := watches[i].one(ctx, id)
		if errors.Is(err, cluster.ErrForbidden) {
			rest = append(rest, id)
			continue
		}
		answers[id] = cluster.Answer{Object: o, Err: err}
	}
	if len(rest) > 0 {
		for id, answer := range v.Cluster.Read(ctx, rest) {
			answers[id] = answer
		}
	}
	return answers
}

// watching returns the watch that has an object's kind with content: of its namespace or
// of all that is already there, or a new one.
func (v *View) watching(id object.ID) (*watch, error) {
	r, err := v.Resource(id.Group, id.Version, id.Kind)
	if err != nil {
		return nil, err
	}
	if !r.Listable {
		return nil, fmt.Errorf("%s cannot be listed", id)
	}
	return v.watch(cluster.Listing{Resource: r, Namespace: id.Namespace}), nil
}

// Still says that what is there is there at once: who fears that watches are not abreast
// asks again a little later.
func (*View) Still() {}
