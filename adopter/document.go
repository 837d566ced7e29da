package adopter

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/adopter/rewrite"
	"plumbline.dev/plumbline/object"
)

// document is one document of a file, or an item of a List in it. It is told by its
// number and not by its line, which edits change.
type document struct {
	file string
	n    int
	item int // -1: the document itself
}

// documentAt finds the document that begins at a line.
func documentAt(fsys fs.FS, p object.Position) (document, error) {
	data, err := fs.ReadFile(fsys, p.File)
	if err != nil {
		return document{}, err
	}
	roots, err := rewrite.Documents(data)
	if err != nil {
		return document{}, err
	}
	for n, root := range roots {
		if root.Line == p.Line {
			return document{p.File, n, -1}, nil
		}
		for i, item := range itemsOf(root) {
			if item.Line == p.Line {
				return document{p.File, n, i}, nil
			}
		}
	}
	return document{}, errNotHere
}

// itemsOf returns the items of a List.
func itemsOf(root *yaml.Node) []*yaml.Node {
	for i := 0; i+1 < len(root.Content) && root.Kind == yaml.MappingNode; i += 2 {
		if root.Content[i].Value == "items" && root.Content[i+1].Kind == yaml.SequenceNode {
			return root.Content[i+1].Content
		}
	}
	return nil
}

// read returns what the document says in a text.
func (d document) read(data []byte) (any, error) {
	roots, err := rewrite.Documents(data)
	if err != nil {
		return nil, err
	}
	if d.n >= len(roots) {
		return nil, fmt.Errorf("%s has no document %d", d.file, d.n+1)
	}
	v, err := object.Value(d.file, roots[d.n])
	if err != nil || d.item < 0 {
		return v, err
	}
	items, err := d.items(v)
	if err != nil {
		return nil, err
	}
	return items[d.item], nil
}

// items returns the items of the List that the document is an item of.
func (d document) items(list any) ([]any, error) {
	fields, _ := list.(map[string]any)
	items, _ := fields["items"].([]any)
	if d.item >= len(items) {
		return nil, fmt.Errorf("%s has no item %d", d.file, d.item+1)
	}
	return items, nil
}

// withItems returns the List that the document is an item of with other items.
func (d document) withItems(list any, f func([]any) []any) (any, error) {
	items, err := d.items(list)
	if err != nil {
		return nil, err
	}
	fields, _ := list.(map[string]any)
	fields = maps.Clone(fields)
	fields["items"] = f(slices.Clone(items))
	return fields, nil
}

// whole is the document that holds the List.
func (d document) whole() document { return document{file: d.file, n: d.n, item: -1} }

// content returns what the document says in a file system.
func (d document) content(fsys fs.FS) (any, error) {
	data, err := fs.ReadFile(fsys, d.file)
	if err != nil {
		return nil, err
	}
	return d.read(data)
}

// edit returns the file with the document as f makes it.
func (d document) edit(fsys fs.FS, f func(any) (any, error)) (map[string][]byte, error) {
	data, err := fs.ReadFile(fsys, d.file)
	if err != nil {
		return nil, err
	}
	edited, err := d.rewrite(data, f)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{d.file: edited}, nil
}

// rewrite is edit for a text.
func (d document) rewrite(data []byte, f func(any) (any, error)) ([]byte, error) {
	have, err := d.read(data)
	if err != nil {
		return nil, err
	}
	wanted, err := f(have)
	if err != nil {
		return nil, err
	}
	if d.item >= 0 {
		item := wanted
		return d.whole().rewrite(data, func(list any) (any, error) {
			return d.withItems(list, func(items []any) []any {
				items[d.item] = item
				return items
			})
		})
	}
	edited, err := rewrite.To(data, d.n, wanted)
	if err != nil {
		return nil, fmt.Errorf("editing %s: %w", d.file, err)
	}
	return edited, nil
}

// cut returns the file without the document: nil where nothing else is in it.
func (d document) cut(fsys fs.FS) ([]byte, error) {
	data, err := fs.ReadFile(fsys, d.file)
	if err != nil {
		return nil, err
	}
	roots, err := rewrite.Documents(data)
	if err != nil {
		return nil, err
	}
	if d.item >= 0 {
		return d.whole().rewrite(data, func(list any) (any, error) {
			return d.withItems(list, func(items []any) []any { return slices.Delete(items, d.item, d.item+1) })
		})
	}
	others := 0
	for i, root := range roots {
		if v, err := object.Value(d.file, root); i != d.n && (err != nil || v != nil) {
			others++
		}
	}
	if others == 0 {
		return nil, nil
	}
	return without(string(data), roots[d.n].Line), nil
}

// without returns a text without the document that a line is in.
func without(text string, line int) []byte {
	lines := strings.SplitAfter(text, "\n")
	from, to := 0, len(lines)
	for i, l := range lines {
		if !strings.HasPrefix(l, "---") {
			continue
		}
		if i >= line {
			to = i
			break
		}
		from = i
	}
	if from == 0 && to < len(lines) && !strings.HasPrefix(lines[0], "---") {
		to++ // the separator behind it goes, too
	}
	return []byte(strings.Join(slices.Concat(lines[:from], lines[to:]), ""))
}
