package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/object"
)

// patience bounds how long a question waits for a watch that has just begun.
const patience = 30 * time.Second

// again is how a watch that has ended is begun anew.
var again = wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 1, Steps: 6, Cap: 5 * time.Second}

// watch has what there is of a listing, as a reflector tells it.
type watch struct {
	listing cluster.Listing
	// changed is told of objects that came, are another, or went; of none where it can be
	// told again what there is.
	changed func(*watch, ...object.ID)
	stop    context.CancelFunc
	// versioned counts as a change whatever gives an object another version.
	versioned bool

	mu sync.Mutex
	// answered is closed once anything is known: the objects, or why they are not.
	answered chan struct{}
	complete bool             // the objects are all there are
	objects  map[string][]byte // by namespace and name, as pack leaves them
	err      error            // of the last request
	since    time.Time        // when it began to fail
	missed   bool             // somebody was told that nothing is known
}

func (w *watch) run(ctx context.Context, c *cluster.Cluster) {
	reflector := cache.NewReflectorWithOptions(c.ListWatch(w.listing, w.asked), &unstructured.Unstructured{}, w, cache.ReflectorOptions{
		Name: w.listing.String(), Backoff: &again,
	})
	reflector.RunWithContext(ctx)
}

// asked notes how a request went.
func (w *watch) asked(err error) {
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
func (w *watch) all(ctx context.Context) ([]object.Object, error) {
	packed, err := w.wait(ctx)
	if err != nil {
		return nil, err
	}
	objects := make([]object.Object, 0, len(packed))
	for _, text := range packed {
		o, err := w.unpack(text)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// one returns an object; cluster.ErrNotFound where there is none.
func (w *watch) one(ctx context.Context, id object.ID) (object.Object, error) {
	if _, err := w.wait(ctx); err != nil {
		return object.Object{}, err
	}
	w.mu.Lock()
	text, ok := w.objects[key(id)]
	w.mu.Unlock()
	if !ok {
		return object.Object{}, cluster.ErrNotFound
	}
	return w.unpack(text)
}

// wait returns what is kept, once it is all there is.
func (w *watch) wait(ctx context.Context) ([][]byte, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.answered:
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		w.missed = true
		return nil, fmt.Errorf("not known since %s: %w", w.since.UTC().Format(time.RFC3339), w.err)
	case !w.complete:
		w.missed = true
		return nil, fmt.Errorf("watching %s: the API server has not answered within %s", w.listing, patience)
	}
	packed := make([][]byte, 0, len(w.objects))
	for _, text := range w.objects {
		packed = append(packed, text)
	}
	return packed, nil
}

func key(id object.ID) string { return id.Namespace + "/" + id.Name }

// packed is an object as it is kept.
type packed struct {
	id   object.ID
	text []byte
	err  error
}

var (
	compress   = sync.OnceValue(func() *zstd.Encoder { return must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))) })
	decompress = sync.OnceValue(func() *zstd.Decoder { return must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(64<<20))) })
)

// must is for options that are known to be right.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// pack makes of an object what is kept of it: of equal objects equal texts.
func (w *watch) pack(u *unstructured.Unstructured) packed {
	o, err := cluster.Watched(w.listing, u)
	if err != nil {
		return packed{err: err}
	}
	text, err := json.Marshal(trim(o, w.versioned))
	if err != nil {
		return packed{id: o.ID, err: err}
	}
	return packed{id: o.ID, text: compress().EncodeAll(text, nil)}
}

func (w *watch) unpack(text []byte) (object.Object, error) {
	plain, err := decompress().DecodeAll(text, nil)
	if err != nil {
		return object.Object{}, fmt.Errorf("reading what is kept of %s: %w", w.listing, err)
	}
	content, err := object.DecodeJSON(plain)
	if err != nil {
		return object.Object{}, fmt.Errorf("reading what is kept of %s: %w", w.listing, err)
	}
	return object.FromContent(content)
}

// The rest is what a reflector wants of a store. It calls from one goroutine.

// Transformer packs objects while a list of them is still being read.
func (w *watch) Transformer() cache.TransformFunc {
	return func(v any) (any, error) {
		if u, ok := v.(*unstructured.Unstructured); ok {
			return w.pack(u), nil
		}
		return v, nil
	}
}

func (w *watch) packed(v any) (packed, error) {
	if u, ok := v.(*unstructured.Unstructured); ok {
		v = w.pack(u)
	}
	p, ok := v.(packed)
	if !ok {
		return p, fmt.Errorf("watching %s: a %T is no object", w.listing, v)
	}
	return p, p.err
}

// Add takes in an object that has come.
func (w *watch) Add(v any) error {
	p, err := w.packed(v)
	if err != nil {
		return err
	}
	w.mu.Lock()
	before, ok := w.objects[key(p.id)]
	w.objects[key(p.id)] = p.text
	w.mu.Unlock()
	if !ok || !bytes.Equal(before, p.text) {
		w.changed(w, p.id)
	}
	return nil
}

// Update takes in an object that may be another than it was.
func (w *watch) Update(v any) error { return w.Add(v) }

// Delete takes in that an object has gone.
func (w *watch) Delete(v any) error {
	u, ok := v.(*unstructured.Unstructured)
	if !ok {
		return errors.New("what has gone is no object")
	}
	o, err := cluster.Watched(w.listing, u)
	if err != nil {
		return err
	}
	w.mu.Lock()
	delete(w.objects, key(o.ID))
	w.mu.Unlock()
	w.changed(w, o.ID)
	return nil
}

// Replace takes in all there is.
func (w *watch) Replace(list []any, _ string) error {
	now := make(map[string][]byte, len(list))
	ids := make(map[string]object.ID, len(list))
	var errs []error
	for _, v := range list {
		p, err := w.packed(v)
		errs = append(errs, err)
		now[key(p.id)], ids[key(p.id)] = p.text, p.id
	}
	if err := errors.Join(errs...); err != nil {
		w.asked(err)
		return err
	}
	if changed, recovered := w.replace(now, ids); len(changed) > 0 || recovered {
		w.changed(w, changed...)
	}
	return nil
}

// replace returns what is new, another or gone, and whether somebody waits to hear that
// all is known again.
func (w *watch) replace(now map[string][]byte, ids map[string]object.ID) (changed []object.ID, recovered bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.complete {
		for at, id := range ids {
			if before, ok := w.objects[at]; !ok || !bytes.Equal(before, now[at]) {
				changed = append(changed, id)
			}
		}
		for at := range w.objects {
			if _, still := now[at]; !still {
				changed = append(changed, w.idOf(at))
			}
		}
	}
	w.objects, w.complete = now, true
	w.known()
	return changed, w.recovered()
}

func (w *watch) idOf(key string) object.ID {
	r := w.listing.Resource
	namespace, name, _ := strings.Cut(key, "/")
	return object.ID{Group: r.Group, Version: r.Version, Kind: r.Kind, Namespace: namespace, Name: name}
}

// Resync does nothing: nothing is ever overdue.
func (w *watch) Resync() error { return nil }
