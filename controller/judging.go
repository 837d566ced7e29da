package controller

import (
	"context"
	"time"

	"plumbline.dev/plumbline/audit"
	"plumbline.dev/plumbline/finding"
)

const (
	// settle is how long watches may be apart: what belongs to something may be seen
	// before what it belongs to.
	settle = 500 * time.Millisecond
	// leisure is by how much longer than it takes to judge what nobody declared nobody
	// judges it again.
	leisure = 10
	// patience is how many judgements are not adopted before one is.
	patience = 3
)

// judging has what nobody declared be judged again once something has changed. That takes
// a look at everything, and goes on beside the looks at single objects.
type judging struct {
	due   time.Time // the next; zero for none
	since time.Time // the first change that it is about
	ended time.Time // the last one, and how long it took
	took  time.Duration

	stop    context.CancelFunc // nil unless one is under way
	outcome chan audit.Outcome

	rogues    map[string]bool // that the last one found, where it was not adopted
	unsettled int             // how many were not, one after another
}

// want has the next one begin soon, unless that would take up the program's time.
func (j *judging) want() {
	if !j.due.IsZero() {
		return
	}
	j.since = time.Now()
	j.due = j.since.Add(settle / 2)
	if rested := j.ended.Add(leisure * j.took); rested.After(j.due) {
		j.due = rested
	}
}

// isDue tells whether the next one is to begin.
func (j *judging) isDue(now time.Time) bool {
	return j.stop == nil && !j.due.IsZero() && !now.Before(j.due)
}

// begin begins one, and calls done when it has ended.
func (j *judging) begin(ctx context.Context, judge func(context.Context) audit.Outcome, done func()) {
	ctx, j.stop = context.WithCancel(ctx)
	j.due = time.Time{}
	outcome, begun := make(chan audit.Outcome, 1), time.Now()
	j.outcome = outcome
	go func() {
		o := judge(ctx)
		j.took = time.Since(begun)
		outcome <- o
		done()
	}()
}

// take returns the outcome of one that has ended.
func (j *judging) take() (audit.Outcome, bool) {
	if j.stop == nil {
		return audit.Outcome{}, false
	}
	select {
	case o := <-j.outcome:
		j.stop()
		j.stop, j.ended = nil, time.Now()
		return o, true
	default:
		return audit.Outcome{}, false
	}
}

// cancel ends one that is under way, and forgets that another is wanted.
func (j *judging) cancel() {
	j.due = time.Time{}
	if j.stop != nil {
		j.stop()
		<-j.outcome
		j.stop = nil
	}
}

// settled tells whether a judgement found no rogues but those that are known and those that
// the one before found: where one watch is ahead of another, what belongs to something looks
// for a moment as if it did not. Where ever more are found they are not held back for ever.
func (j *judging) settled(o audit.Outcome, known board) bool {
	now, fresh := map[string]bool{}, false
	for _, f := range o.Findings {
		if f.Rule == finding.RogueObject || f.Rule == finding.RogueContainer {
			key := f.Fingerprint()
			_, open := known.open[key]
			now[key], fresh = true, fresh || !open && !j.rogues[key]
		}
	}
	if !fresh || j.unsettled == patience {
		j.rogues, j.unsettled = nil, 0
		return true
	}
	j.rogues, j.unsettled = now, j.unsettled+1
	return false
}
