package differ

import (
	"slices"
	"time"

	"plumbline.dev/plumbline/object"
)

// sameRequest is how far apart the times of two records of one request can be.
const sameRequest = 2 * time.Second

// Written is one record of who wrote an object.
type Written struct {
	Writer
	// Foreign says that the writer is neither the deployer nor a controller.
	Foreign bool
}

// Writers returns who wrote a live object, or what stands at or in one of its fields,
// named by the keys that lead to it. Who only wrote the status is not among them. It
// is in the order of the managers' names, and empty where no records are left.
func (o Options) Writers(live object.Object, field ...string) []Written {
	var result []Written
	for _, by := range owners(live, o) {
		fields := by.fields
		for _, key := range field {
			fields, _ = fields["f:"+key].(map[string]any)
		}
		if fields != nil {
			result = append(result, Written{Writer: by.writer, Foreign: by.role == foreign && !by.legitimate()})
		}
	}
	return result
}

// Rewritten is a declared field that has its declared value because somebody else
// wrote it.
type Rewritten struct {
	Path   Path
	Writer Writer
	// Confirmed says that the deployer has written the object since.
	Confirmed bool
}

// rewritten records that a declared field with its declared value was last written by
// neither deployer nor controller.
func (w *walker) rewritten(p place) {
	last := w.lastWriter(p)
	if !p.owned() || last.role != foreign || last.legitimate() {
		return
	}
	// An update that changes a value takes it from everybody else, so that the deployer has
	// applied it since if it owns it; the server notes no time of an apply that changes none.
	confirmed := w.lastDeployed().After(last.writer.Time) || last.writer.Operation == "Update" && w.byApply(p)
	w.rewrites = append(w.rewrites, Rewritten{Path: pathOf(w.path), Writer: last.writer, Confirmed: confirmed})
}

// disguised returns the deployer's updates that are younger than what it applied
// under the same name. Whoever carries out git by server-side apply does not update;
// what webhooks change on the way of an apply is recorded as an update of the same
// second.
func (w *walker) disguised() []Writer {
	var result []Writer
	for _, u := range w.owners {
		if u.role == deployer && u.writer.Operation == "Update" && u.writer.Subresource == "" && w.appliedBefore(u.writer) {
			result = append(result, u.writer)
		}
	}
	return result
}

// appliedBefore tells whether the writer of an update had applied, in an earlier
// request.
func (w *walker) appliedBefore(update Writer) bool {
	return slices.ContainsFunc(w.owners, func(o owner) bool {
		return o.writer.Operation == "Apply" && o.writer.Manager == update.Manager && update.Time.Sub(o.writer.Time) > sameRequest
	})
}
