package controller

import (
	"context"
	"runtime/debug"
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
	last  judgement

	stop  context.CancelFunc // nil unless one is under way
	ended chan judgement

	rogues    map[string]bool // that the last one found, where it was not adopted
	unsettled int             // how many were not, one after another
}

// judgement is one that has ended: what it found, the first change that it is about, how
// long it took and when that was.
type judgement struct {
	outcome audit.Outcome
	since   time.Time
	took    time.Duration
	at      time.Time
}

// want has the next one begin soon, unless that would take up the program's time.
func (j *judging) want() {
	if !j.due.IsZero() {
		return
	}
	j.since = time.Now()
	j.due = j.since.Add(settle / 2)
	if rested := j.last.at.Add(leisure * j.last.took); rested.After(j.due) {
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
	ended, since, begun := make(chan judgement, 1), j.since, time.Now()
	j.ended, j.due = ended, time.Time{}
	go func() {
		found := judge(ctx)
		ended <- judgement{found, since, time.Since(begun), time.Now()}
		done()
		debug.FreeOSMemory() // it takes more than what stays
	}()
}

// take returns one that has ended.
func (j *judging) take() (judgement, bool) {
	if j.stop == nil {
		return judgement{}, false
	}
	select {
	case found := <-j.ended:
		j.stop()
		j.stop, j.last = nil, judgement{at: found.at, took: found.took}
		return found, true
	default:
		return judgement{}, false
	}
}

// cancel ends one that is under way, and forgets that another is wanted.
func (j *judging) cancel() {
	j.due = time.Time{}
	if j.stop != nil {
		j.stop()
		<-j.ended
		j.stop = nil
	}
}

// settled tells whether a judgement found no rogues but those that are known and those that
// the one before found: where one watch is ahead of another, what belongs to something looks
// for a moment as if it did not. Where ever more are found they are not held back for ever.
func (j *judging) settled(o audit.Outcome, known *board) bool {
	now, fresh := map[string]bool{}, false
	for _, f := range o.Findings {
		if f.Rule == finding.RogueObject || f.Rule == finding.RogueContainer {
			key := f.Fingerprint()
			now[key], fresh = true, fresh || !known.knows(key) && !j.rogues[key]
		}
	}
	if !fresh || j.unsettled == patience {
		j.rogues, j.unsettled = nil, 0
		return true
	}
	j.rogues, j.unsettled = now, j.unsettled+1
	return false
}
