package assess

import (
	"context"
	"fmt"

	"plumbline.dev/plumbline/cluster"
	"plumbline.dev/plumbline/object"
)

// mutators is what is known of the webhooks and policies that change objects on
// their way into the cluster. They are asked for once in a pass, and only where
// something seems to differ that may have come from them.
type mutators struct {
	asked bool
	told  bool // that there is an error
	found cluster.Mutators
	err   error
}

// mutated tells whether something may change objects of the kind on their way. It
// may where that is not known.
func (p *pass) mutated(ctx context.Context, id object.ID) bool {
	m := p.readMutators(ctx)
	if m.err != nil {
		if !m.told {
			m.told = true
			p.notes = append(p.notes, fmt.Errorf("values of which no record tells the writer were taken for those of webhooks and policies: %w", m.err))
		}
		return true
	}
	r, err := p.source.Resource(id.Group, id.Version, id.Kind)
	return err != nil || m.found.Concern(r, id.Namespace)
}

func (p *pass) readMutators(ctx context.Context) *mutators {
	m := &p.mutators
	if !m.asked {
		m.asked = true
		m.found, m.err = p.source.Mutators(ctx)
	}
	return m
}
