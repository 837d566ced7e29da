package differ

import (
	"fmt"
	"slices"
	"strings"

	"github.com/theory/jsonpath"
	"github.com/theory/jsonpath/spec"
)

// jsonPathPattern reads a JSONPath. One of names and wildcards alone says the
// same of every object; any other is evaluated on each.
func jsonPathPattern(text string) (Pattern, error) {
	query, err := jsonpath.Parse(text)
	if err != nil {
		return Pattern{}, fmt.Errorf("the path %q is no JSONPath: %s", text, strings.TrimPrefix(err.Error(), "jsonpath: "))
	}
	p := Pattern{query: query}
	simple := true
	for _, segment := range query.Query().Segments() {
		simple = simple && !segment.IsDescendant() && len(segment.Selectors()) == 1
		for _, selector := range segment.Selectors() {
			switch selector := selector.(type) {
			case spec.Index, spec.SliceSelector:
				return Pattern{}, fmt.Errorf("the path %q selects by position, and who adds an item in front moves the others: select by content, such as [?@.name=='web']", text)
			case spec.Name:
				name := string(selector)
				p.parts = append(p.parts, part{name: &name})
			case spec.WildcardSelector:
				p.parts = append(p.parts, part{any: true})
			default:
				simple = false
			}
		}
	}
	if simple {
		p.query = nil
	} else {
		p.parts = nil
	}
	return p, nil
}

// located returns the patterns with the locations that each JSONPath selects in
// either object. The JSONPath itself stays, and matches nothing: a rule whose
// JSONPaths select nothing must not become one for all paths.
func located(patterns []Pattern, of sides) []Pattern {
	result := slices.Clone(patterns)
	for _, p := range patterns {
		if p.query == nil {
			continue
		}
		for _, content := range []any{of.declared, of.live} {
			for location := range p.query.SelectLocated(content).Paths() {
				result = append(result, Pattern{parts: partsOf(location, content)})
			}
		}
	}
	return result
}

// partsOf names a location by the items that stand there, for the same index
// may be another item in the other object.
func partsOf(location spec.NormalizedPath, v any) []part {
	parts := make([]part, 0, len(location))
	for _, selector := range location {
		switch selector := selector.(type) {
		case spec.Name:
			name := string(selector)
			parts = append(parts, part{name: &name})
			fields, _ := v.(map[string]any)
			v = fields[name]
		case spec.Index:
			items, _ := v.([]any)
			v = items[selector]
			parts = append(parts, part{item: v})
		}
	}
	return parts
}
