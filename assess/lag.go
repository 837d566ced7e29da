package assess

import (
	"slices"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/lag"
	"plumbline.dev/plumbline/object"
)

// question is an object of which earlier commits may say more: one that differs
// from what git declares, or does not exist.
type question struct {
	declared object.Packed
	live     object.Object // where it is kept
	concern  []int         // as in the Assessment
	diff     differ.Diff
	ruling   *ruling
	differs  *lag.Case
	missing  *lag.Since
	unjudged error // why some values could not be told from those of webhooks
}

func (q question) open() bool {
	return q.differs != nil && q.differs.Open() || q.missing != nil && q.missing.Open()
}

// lookBack goes back in the history, commit by commit, as long as there is an
// open question.
func (p *pass) lookBack(questions []question) {
	if p.options.Past == nil || !slices.ContainsFunc(questions, question.open) {
		return
	}
	for commit := range p.options.Past {
		for _, q := range questions {
			if q.open() {
				q.look(commit, p.declaredAt(commit, q.declared.ID))
			}
		}
		if !slices.ContainsFunc(questions, question.open) {
			return
		}
	}
}

// look takes all that a commit says of the object. What it declares twice, or in
// another version, cannot be compared.
func (q question) look(commit lag.Commit, declared []object.Packed) {
	switch {
	case q.missing != nil:
		q.missing.Look(commit, len(declared) > 0)
	case commit.Err == nil && len(declared) == 0:
		q.differs.Absent(commit)
	case len(declared) != 1 || declared[0].ID.Version != q.declared.ID.Version:
		q.differs.Skip(commit)
	default:
		q.differs.Look(commit, declared[0])
	}
}

// declaredAt returns what a commit declares of an object.
func (p *pass) declaredAt(commit lag.Commit, id object.ID) []object.Packed {
	if commit.Err != nil {
		return nil
	}
	var declared []object.Packed
	for _, d := range commit.Declares(lag.NameOf(id)) {
		if d, _ = p.placed(d); keyOf(d.ID) == keyOf(id) {
			declared = append(declared, d)
		}
	}
	return declared
}
