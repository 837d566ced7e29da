package mirror

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/object"
)

// patience bounds how long a question waits for a watch that has just begun.
const patience = 30 * time.Second

// watch has what there is of a listing.
type watch struct {
	listing cluster.Listing
	// changed is told of objects that came, are another, or went; of none where it can be
	// told again what there is.
	changed func(*watch, ...object.ID)
	stop    context.CancelFunc
	packer  object.Packer // of one kind
	// versioned counts as a change whatever gives an object another version.
	versioned bool

	mu sync.Mutex
	// answered is closed once anything is known: the objects, or why they are not.
	answered chan struct{}
	complete bool            // the objects are all there are
	objects  map[string]kept // by namespace and name
	err      error           // of the last request
	since    time.Time       // when it began to fail
	missed   bool            // somebody was told that nothing is known
}

// Asked notes how a request went.
func (w *watch) Asked(err error) {
	if w.note(err) {
		w.changed(w)
	}
	if w.refused() {
		w.stop() // whoever asks again begins another
	}
}

// refused tells whether the API server does not let this user watch.
func (w *watch) refused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Is(w.err, cluster.ErrForbidden)
}

// note returns whether somebody waits to hear that all is known again.
func (w *watch) note(err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.err == nil {
		w.since = time.Now()
	}
	w.err = err
	if err != nil {
		w.known()
	}
	return w.recovered()
}

// known lets go who waits. The lock is held.
func (w *watch) known() {
	select {
	case <-w.answered:
	default:
		close(w.answered)
	}
}

// recovered tells whether somebody was told that nothing is known, and now something is.
// The lock is held.
func (w *watch) recovered() bool {
	if !w.missed || !w.complete || w.err != nil {
		return false
	}
	w.missed = false
	return true
}

// all returns the objects, in no order.
func (w *watch) all(ctx context.Context) ([]object.Packed, error) {
	if err := w.wait(ctx); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	objects := make([]object.Packed, 0, len(w.objects))
	for at, k := range w.objects {
		objects = append(objects, w.packer.Repacked(w.idOf(at), k.text))
	}
	return objects, nil
}

// one returns an object; cluster.ErrNotFound where there is none.
func (w *watch) one(ctx context.Context, id object.ID) (object.Object, error) {
	if err := w.wait(ctx); err != nil {
		return object.Object{}, err
	}
	w.mu.Lock()
	k, ok := w.objects[key(id)]
	w.mu.Unlock()
	if !ok {
		return object.Object{}, cluster.ErrNotFound
	}
	return w.packer.Repacked(w.idOf(key(id)), k.text).Object(), nil
}

// wait returns once what is kept is all there is.
func (w *watch) wait(ctx context.Context) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.answered:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		w.missed = true
		return fmt.Errorf("not known since %s: %w", w.since.UTC().Format(time.RFC3339), w.err)
	case !w.complete:
		w.missed = true
		return fmt.Errorf("watching %s: the API server has not answered within %s", w.listing, patience)
	}
	return nil
}

func key(id object.ID) string { return id.Namespace + "/" + id.Name }

// packed is an object as it is kept, and whose.
type packed struct {
	id object.ID
	kept
}

// kept is an object's text, which is the same where the object is. Essence, where it is
// not empty, is the same where all is but the times at which somebody wrote a status.
type kept struct {
	text    []byte
	essence string
}

func (k kept) same(other kept) bool {
	if k.essence != "" {
		return k.essence == other.essence
	}
	return bytes.Equal(k.text, other.text)
}

// Pack makes an object small.
func (w *watch) Pack(o object.Object) (any, error) {
	content := trim(o, w.versioned)
	p := packed{o.ID, kept{text: w.packer.Pack(object.Object{ID: o.ID, Content: content}).Text()}}
	if p.text == nil {
		return nil, fmt.Errorf("keeping %s: it is no JSON", o.ID)
	}
	if !forgetTimes(content) {
		return p, nil
	}
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	p.essence = string(sum[:])
	return p, nil
}

// Put takes in an object that may be another than it was.
func (w *watch) Put(v any) {
	p, _ := v.(packed)
	w.mu.Lock()
	before, ok := w.objects[key(p.id)]
	w.objects[key(p.id)] = p.kept
	w.mu.Unlock()
	if !ok || !p.same(before) {
		w.changed(w, p.id)
	}
}

// Drop takes in that an object has gone.
func (w *watch) Drop(id object.ID) {
	w.mu.Lock()
	delete(w.objects, key(id))
	w.mu.Unlock()
	w.changed(w, id)
}

// Replace takes in all there is.
func (w *watch) Replace(list []any) {
	now := make(map[string]packed, len(list))
	for _, v := range list {
		p, _ := v.(packed)
		now[key(p.id)] = p
	}
	if changed, recovered := w.replace(now); len(changed) > 0 || recovered {
		w.changed(w, changed...)
	}
}

// replace returns what is new, another or gone, and whether somebody waits to hear that
// all is known again.
func (w *watch) replace(now map[string]packed) (changed []object.ID, recovered bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.objects
	w.objects = make(map[string]kept, len(now))
	for at, p := range now {
		w.objects[at] = p.kept
		if was, ok := before[at]; w.complete && (!ok || !p.same(was)) {
			changed = append(changed, p.id)
		}
	}
	for at := range before {
		if _, still := now[at]; !still {
			changed = append(changed, w.idOf(at))
		}
	}
	w.complete = true
	w.known()
	return changed, w.recovered()
}

func (w *watch) idOf(key string) object.ID {
	r := w.listing.Resource
	namespace, name, _ := strings.Cut(key, "/")
	return object.ID{Group: r.Group, Version: r.Version, Kind: r.Kind, Namespace: namespace, Name: name}
}
