package assess

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/object"
)

// Confirmer tells what the server would store of a declared object that has a live
// one. It may return an error together with an answer that says less.
type Confirmer interface {
	Stored(ctx context.Context, declared, live object.Object, m cluster.Mutators) (cluster.Stored, error)
}

// confirmation is what became of asking the server.
type confirmation struct {
	lacks   []*cluster.LackError // the rights, by resource
	objects int                  // how many objects would have taken them
	failed  []error
}

// stored returns a question to the server for one object, which is asked at most
// once; nil where the server is not to be asked.
func (p *pass) stored(ctx context.Context, d, live object.Object) func() differ.Stored {
	if p.options.Confirm == nil {
		return nil
	}
	return sync.OnceValue(func() differ.Stored {
		answer, err := p.options.Confirm.Stored(ctx, d, live, p.readMutators(ctx).found)
		c := &p.confirmation
		lack := new(cluster.LackError)
		switch {
		case errors.As(err, &lack):
			c.objects++
			if !slices.ContainsFunc(c.lacks, func(l *cluster.LackError) bool { return l.On == lack.On }) {
				c.lacks = append(c.lacks, lack)
			}
		case err != nil:
			c.failed = append(c.failed, fmt.Errorf("what differs of %s was not confirmed: %w", d.ID, err))
		}
		return differ.Stored(answer)
	})
}

// notes are about what was not confirmed: one for all that the user may not ask.
func (c *confirmation) notes() []error {
	if len(c.lacks) == 0 {
		return c.failed
	}
	var others []string
	for _, lack := range c.lacks[1:] {
		others = append(others, lack.On)
	}
	also := ""
	if len(others) > 0 {
		slices.Sort(others)
		also = "; and on " + strings.Join(others, ", ")
	}
	note := fmt.Errorf("what differs of %d objects was not confirmed as far as it could be: %w%s", c.objects, c.lacks[0], also)
	return append([]error{note}, c.failed...)
}
