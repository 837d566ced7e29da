package reverter

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/runtime"

	"plumbline.dev/plumbline/differ"
)

// patch is a JSON patch under way: the document as it is after the operations so far.
type patch struct {
	doc, declared map[string]any
	operations    []Operation
}

// undo adds what undoes one change.
func (p *patch) undo(c differ.Change) error {
	switch c.Op {
	case differ.Added, differ.Released:
		return p.remove(c.Path)
	case differ.Modified, differ.Contested:
		return p.replace(c.Path)
	case differ.Removed:
		return p.add(c.Path)
	case differ.Reordered:
		return p.order(c)
	default:
		return fmt.Errorf("a change of the kind %q is left alone", c.Op)
	}
}

func (p *patch) remove(path differ.Path) error {
	at, value, err := locate(p.doc, path)
	if err != nil {
		return err
	}
	p.do(Operation{"test", at.String(), value}, Operation{"remove", at.String(), nil})
	_, parent, err := locate(p.doc, path[:len(path)-1])
	if err != nil {
		return err
	}
	last := at[len(at)-1]
	switch parent := parent.(type) {
	case map[string]any:
		delete(parent, last)
		if twin := append(path[:len(path)-1:len(path)-1], "serviceAccount"); last == "serviceAccountName" && parent["serviceAccount"] == value {
			return p.remove(twin) // its old name, from which the API server would fill it in again
		}
	case []any:
		n, _ := strconv.Atoi(last)
		return p.set(path[:len(path)-1], slices.Delete(slices.Clone(parent), n, n+1))
	}
	return nil
}

func (p *patch) replace(path differ.Path) error {
	at, value, err := locate(p.doc, path)
	if err != nil {
		return err
	}
	_, want, err := locate(p.declared, path)
	if err != nil {
		return fmt.Errorf("what git declares of it %w", err)
	}
	p.do(Operation{"test", at.String(), value}, Operation{"replace", at.String(), want})
	return p.set(path, runtime.DeepCopyJSONValue(want))
}

// add puts back what is gone, and of what it stood in no more than leads there: the rest
// may be gone on purpose.
func (p *patch) add(path differ.Path) error {
	_, want, err := locate(p.declared, path)
	if err != nil {
		return fmt.Errorf("what git declares of it %w", err)
	}
	for len(path) > 1 {
		if _, there, err := locate(p.doc, path[:len(path)-1]); err == nil && there != nil {
			break
		}
		want, path = within(want, path[len(path)-1]), path[:len(path)-1]
	}
	last := path[len(path)-1]
	into, parent, err := locate(p.doc, path[:len(path)-1])
	if err != nil {
		return err
	}
	switch parent := parent.(type) {
	case map[string]any:
		name, ok := last.(string)
		if !ok || parent[name] != nil {
			return fmt.Errorf("%s is there again", path)
		}
		p.do(Operation{"add", append(into, name).String(), want})
		parent[name] = runtime.DeepCopyJSONValue(want) // into which more may be put
		return nil
	case []any:
		if _, err := index(parent, last); err == nil {
			return fmt.Errorf("%s is there again", path)
		}
		_, list, _ := locate(p.declared, path[:len(path)-1])
		siblings, _ := list.([]any)
		n := insertAt(parent, last, siblings)
		if n > 0 { // the place is behind that one
			before := append(slices.Clone(into), strconv.Itoa(n-1)).String()
			p.do(Operation{"test", before, parent[n-1]})
		}
		p.do(Operation{"add", append(into, strconv.Itoa(n)).String(), want})
		return p.set(path[:len(path)-1], slices.Insert(slices.Clone(parent), n, runtime.DeepCopyJSONValue(want)))
	}
	return fmt.Errorf("%s is of another structure than what was compared", path[:len(path)-1])
}

// within is what holds nothing but a value, which a step leads to.
func within(value, step any) any {
	switch step := step.(type) {
	case string:
		return map[string]any{step: value}
	case map[string]any:
		fields, _ := value.(map[string]any)
		item := maps.Clone(step)
		maps.Copy(item, fields)
		return []any{item}
	default:
		return []any{value}
	}
}

// order puts the items of a list into the declared order.
func (p *patch) order(c differ.Change) error {
	at, value, err := locate(p.doc, c.Path)
	if err != nil {
		return err
	}
	list, _ := value.([]any)
	keys, _ := c.Live.([]any)
	declared, _ := c.Declared.([]any)
	if len(list) != len(keys) {
		return fmt.Errorf("the list is another than what was compared")
	}
	want := ordered(list, keys, declared)
	p.do(Operation{"test", at.String(), value}, Operation{"replace", at.String(), want})
	return p.set(c.Path, want)
}

func (p *patch) do(operations ...Operation) { p.operations = append(p.operations, operations...) }

// set has the document be as after an operation.
func (p *patch) set(path differ.Path, value any) error { return set(p.doc, path, value) }

// set puts a value into the place of what stands at a path.
func set(doc any, path differ.Path, value any) error {
	_, parent, err := locate(doc, path[:len(path)-1])
	if err != nil {
		return err
	}
	last := path[len(path)-1]
	switch parent := parent.(type) {
	case map[string]any:
		parent[last.(string)] = value
	case []any:
		n, err := index(parent, last)
		if err != nil {
			return err
		}
		parent[n] = value
	}
	return nil
}

// put gives a document the declared value of a path, with what leads there.
func put(doc, declared map[string]any, path differ.Path) error {
	_, want, err := locate(declared, path)
	if err != nil {
		return fmt.Errorf("what git declares of it %w", err)
	}
	for i := range path {
		_, there, err := locate(doc, path[:i+1])
		if err == nil && there != nil {
			continue
		}
		_, from, err := locate(declared, path[:i+1])
		if err != nil {
			return fmt.Errorf("what git declares of it %w", err)
		}
		if err := insert(doc, declared, path[:i+1], shell(from, path[i], i == len(path)-1)); err != nil {
			return err
		}
	}
	return set(doc, path, want)
}

// shell is what stands for a value of which only a part is put back: its keys, where it
// is an item.
func shell(value, step any, whole bool) any {
	_, isList := value.([]any)
	keys, isItem := step.(map[string]any)
	switch {
	case whole:
		return value
	case isList:
		return []any{}
	case isItem:
		return keysOf(value, keys)
	default:
		return map[string]any{}
	}
}

// insert puts a value where nothing is.
func insert(doc, declared map[string]any, path differ.Path, value any) error {
	last := path[len(path)-1]
	_, parent, err := locate(doc, path[:len(path)-1])
	if err != nil {
		return err
	}
	switch parent := parent.(type) {
	case map[string]any:
		if name, ok := last.(string); ok {
			parent[name] = value
			return nil
		}
	case []any:
		_, list, _ := locate(declared, path[:len(path)-1])
		siblings, _ := list.([]any)
		return set(doc, path[:len(path)-1], slices.Insert(slices.Clone(parent), insertAt(parent, last, siblings), value))
	}
	return fmt.Errorf("%s is of another structure than what was compared", path[:len(path)-1])
}
