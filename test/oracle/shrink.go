package oracle

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// play runs a program to its end, or to the first step after which the differ is
// wrong, and returns in what. A step that is refused is left out. It shows the
// run to see, if there is one, before it ends.
func (w *world) play(ctx context.Context, p Program, see func(*run)) (wrong []string, err error) {
	r, err := w.start(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.end(ctx)) }()
	if see != nil {
		defer func() { see(r) }()
	}
	for i := -1; i < len(p.Steps); i++ {
		if i >= 0 {
			if err := r.do(ctx, p.Steps[i]); errors.Is(err, errRefused) {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		v, err := r.judge(ctx)
		if err != nil || len(v.wrong) > 0 {
			return v.wrong, err
		}
	}
	return nil, nil
}

// tries bounds how often a failing program is run to make it smaller.
const tries = 250

// shrink returns the smallest program it finds that is still wrong in the same
// way.
func (w *world) shrink(ctx context.Context, p Program, wrong string) Program {
	left := tries
	fails := func(p Program) bool {
		if left--; left < 0 {
			return false
		}
		again, err := w.play(ctx, p, nil)
		return err == nil && slices.ContainsFunc(again, func(s string) bool { return about(s) == about(wrong) })
	}
	for size := -1; size != p.size() && left > 0; {
		size = p.size()
		for i := len(p.Steps) - 1; i >= 0; i-- {
			if smaller := p.without(i); fails(smaller) {
				p = smaller
			}
		}
		for i := range p.Steps {
			for j := len(p.Steps[i].Patch) - 1; j >= 0 && len(p.Steps[i].Patch) > 1; j-- {
				if smaller := p.withoutOperation(i, j); fails(smaller) {
					p = smaller
				}
			}
		}
		p = shrinkGit(p, nil, fails)
	}
	return p
}

// about is a disagreement without its reasons.
func about(wrong string) string {
	text, _, _ := strings.Cut(wrong, " (")
	return text
}

// sort is the sort of a disagreement, without the place.
func sort(wrong string) string {
	kind, rest, _ := strings.Cut(wrong, ":")
	word, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if strings.HasPrefix(word, ".") {
		word = ""
	}
	return kind + ": " + word
}

func (p Program) size() int {
	n := 0
	for _, s := range p.Steps {
		n += 1 + len(s.Patch)
	}
	return n*1000 + leaves(p.Git)
}

func leaves(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, field := range v {
			n += leaves(field)
		}
	case []any:
		for _, item := range v {
			n += leaves(item)
		}
	}
	return n
}

func (p Program) without(step int) Program {
	p.Steps = slices.Delete(slices.Clone(p.Steps), step, step+1)
	return p
}

func (p Program) withoutOperation(step, operation int) Program {
	p.Steps = slices.Clone(p.Steps)
	s := p.Steps[step]
	s.Patch = slices.Delete(slices.Clone(s.Patch), operation, operation+1)
	p.Steps[step] = s
	return p
}

// shrinkGit drops what git declares, from the top down.
func shrinkGit(p Program, path []string, fails func(Program) bool) Program {
	var keys []string
	switch v := descend(p.Git, path).(type) {
	case map[string]any:
		keys = sortedKeys(v)
	case []any:
		for i := len(v) - 1; i >= 0; i-- {
			keys = append(keys, strconv.Itoa(i))
		}
	}
	_, isList := descend(p.Git, path).([]any)
	for _, key := range keys {
		at := append(slices.Clip(path), key)
		if len(path) == 0 && (key == "apiVersion" || key == "kind") || pointer(at) == "/metadata/name" {
			continue
		}
		smaller := p
		if now, ok := descend(p.Git, path).([]any); ok && isList && len(now) == 1 {
			p = shrinkGit(p, append(slices.Clip(path), "0"), fails) // an empty list is another story
			break
		}
		smaller.Git, _ = dropped(p.Git, at).(map[string]any)
		if fails(smaller) {
			p = smaller
			continue
		}
		p = shrinkGit(p, at, fails)
	}
	return p
}

// dropped returns v without what stands at a path.
func dropped(v any, path []string) any {
	switch v := v.(type) {
	case map[string]any:
		result := map[string]any{}
		for key, field := range v {
			switch {
			case key != path[0]:
				result[key] = field
			case len(path) > 1:
				result[key] = dropped(field, path[1:])
			}
		}
		return result
	case []any:
		result := []any{}
		for i, item := range v {
			switch {
			case strconv.Itoa(i) != path[0]:
				result = append(result, item)
			case len(path) > 1:
				result = append(result, dropped(item, path[1:]))
			}
		}
		return result
	}
	return v
}
