package oracle

import (
	"slices"
)

// ledger knows who really wrote what an object has.
type ledger struct {
	holds   map[string][]hold
	touches []touch
	// masked is set once a record was forged to say that it is that of somebody
	// who may write: from then on nobody can be wanted to know better.
	masked bool
	// renamed is set once a record was given a name that is nobody's.
	renamed bool
}

// hold is one writer's claim to the value of a place: it wrote that value, or
// applied the same.
type hold struct {
	Step
	number int
	// meant is false for what the server made of the step beside what it asked
	// for.
	meant bool
	// recorded is false where the server's records of it were stripped, forged or
	// never kept.
	recorded bool
	// again is set where the value was there before.
	again bool
}

// touch is what a step asked to change, whether that changed anything or not:
// the server may record the writer as the owner all the same.
type touch struct {
	Step
	number int
	at     places
	// removed are those of the places that it asked to take away.
	removed places
}

// changed notes what a step has changed. Meant are the places that it asked to
// change; nil stands for all.
func (l *ledger) changed(s Step, number int, d difference, meant places) {
	for p := range d.removed {
		delete(l.holds, p)
	}
	for p := range d.present() {
		l.holds[p] = []hold{{Step: s, number: number, meant: meant == nil || meant[p], recorded: true}}
	}
	l.touches = append(l.touches, touch{Step: s, number: number, at: d.present()})
}

// applied notes that the writer applied values, some of which were there before,
// and released those of its own that it applied no more. What it released and
// the server kept is the server's.
func (l *ledger) applied(s Step, number int, config places) {
	own := func(h hold) bool { return h.Manager == s.Manager && h.Way == Apply }
	for p, holds := range l.holds {
		others := slices.DeleteFunc(slices.Clone(holds), own)
		switch {
		case config[p] && len(others) == len(holds):
			l.holds[p] = append(others, hold{Step: s, number: number, meant: true, recorded: true, again: true})
		case !config[p] && len(others) > 0:
			l.holds[p] = others
		case !config[p]:
			l.holds[p] = every(holds, func(h hold) hold { h.meant = false; return h })
		}
	}
}

// forget notes that the records of all that was written so far are not to be
// trusted.
func (l *ledger) forget() {
	for p, holds := range l.holds {
		l.holds[p] = every(holds, func(h hold) hold { h.recorded = false; return h })
	}
}

// forgetClientSide notes that the record which client-side apply keeps itself is
// gone.
func (l *ledger) forgetClientSide() {
	for p, holds := range l.holds {
		l.holds[p] = every(holds, func(h hold) hold { h.recorded = h.recorded && h.Way != ClientSide; return h })
	}
}

func every(holds []hold, change func(hold) hold) []hold {
	changed := make([]hold, len(holds))
	for i := range holds {
		changed[i] = change(holds[i])
	}
	return changed
}

// around are the claims to a place, to all within it and to what it is within.
func (l *ledger) around(path string) []hold {
	var all []hold
	for _, p := range sortedKeys(l.holds) {
		if related(p, path) {
			all = append(all, l.holds[p]...)
		}
	}
	return all
}

// touched tells whether a step since the given one, for which is asked, has
// asked to change something at the place, within it or above.
func (l *ledger) touched(path string, since int, which func(touch) bool) bool {
	return slices.ContainsFunc(l.touches, func(t touch) bool {
		return t.number >= since && which(t) && t.at.covered(path)
	})
}

// tookAway tells whether anybody but the deployer asked to take a place away.
func (l *ledger) tookAway(path string) bool {
	return slices.ContainsFunc(l.touches, func(t touch) bool { return t.Role != Deployer && t.removed[path] })
}

// converted tells whether anybody wrote in another version of the API.
func (l *ledger) converted() bool {
	return slices.ContainsFunc(l.touches, func(t touch) bool { return t.Version != "" })
}

func roles(holds []hold) map[Role]bool {
	all := map[Role]bool{}
	for _, h := range holds {
		all[h.Role] = true
	}
	return all
}

func recorded(holds []hold) bool {
	return !slices.ContainsFunc(holds, func(h hold) bool { return !h.recorded })
}

func meant(holds []hold) bool {
	return slices.ContainsFunc(holds, func(h hold) bool { return h.meant })
}

// last is the claim of the latest step.
func last(holds []hold) hold {
	return slices.MaxFunc(holds, func(a, b hold) int { return a.number - b.number })
}
