package reverter

import (
	"context"

	"plumbline.dev/plumbline/object"
)

// Writer writes to a cluster. Each method fails where the object is not the one that it
// is meant for.
type Writer interface {
	Create(ctx context.Context, id object.ID, content map[string]any, manager string) (object.Object, error)
	Patch(ctx context.Context, id object.ID, operations any, manager string) (object.Object, error)
	Apply(ctx context.Context, id object.ID, content map[string]any, manager string) (object.Object, error)
}

// Do writes, and returns the object as it is then. After an error some of it may be
// written: what is left is found again.
func (w Write) Do(ctx context.Context, to Writer) (object.Object, error) {
	if w.Create != nil {
		return to.Create(ctx, w.Object, w.Create, w.Manager)
	}
	live := w.after
	if len(w.Patch) > 0 {
		var err error
		if live, err = to.Patch(ctx, w.Object, w.Patch, w.Manager); err != nil {
			return live, err
		}
	}
	if !w.Applies() {
		return live, nil
	}
	body, err := w.Apply(live)
	if err != nil {
		return live, err
	}
	return to.Apply(ctx, w.Object, body, w.Manager)
}
