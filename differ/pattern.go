package differ

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/theory/jsonpath"
)

// Pattern matches paths: those that it names, and all beneath them.
type Pattern struct {
	parts []part
	// query is a JSONPath that has to be evaluated on each object; it becomes
	// patterns of parts by that.
	query *jsonpath.Path
}

// part matches one step of a path. Where more than one field is set the text
// was ambiguous, and any may match.
type part struct {
	any   bool              // every step
	name  *string           // a mapping's key
	keys  map[string]string // the item of a list that has these merge keys, "" for a set's value
	index *int              // the item of a list at this place
	item  any               // that very item of a list, or one with the same key
}

// ParsePattern reads a pattern in one of three forms:
//
//   - a JSON pointer (RFC 6901), "/spec/template/spec/containers/*/image", whose
//     "*" is any step and in which an item of a list is named by its key
//     ("name=web") or its index. "/" is the object as a whole;
//   - a path as Path.String spells it, with "[*]" for any item and "[0]" for the
//     first;
//   - a JSONPath (RFC 9535), "$.spec.containers[?@.name=='web'].image".
//
// An index counts the items of the declared list, or of the live one where git
// declares none: who puts an item in front of the others does not take over the
// pattern.
func ParsePattern(text string) (Pattern, error) {
	switch {
	case text == "":
		return Pattern{}, fmt.Errorf("an empty path matches nothing: name a field, such as /spec/replicas")
	case text == "/":
		return Pattern{}, nil
	case strings.HasPrefix(text, "/"):
		return pointerPattern(text)
	case strings.HasPrefix(text, "$"):
		return jsonPathPattern(text)
	default:
		return dottedPattern(text)
	}
}

func pointerPattern(text string) (Pattern, error) {
	var p Pattern
	for token := range strings.SplitSeq(text[1:], "/") {
		if token == "" {
			return Pattern{}, fmt.Errorf("the path %q has an empty part: write it as /spec/replicas", text)
		}
		// RFC 6901, section 4
		p.parts = append(p.parts, ambiguousPart(strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")))
	}
	return p, nil
}

// ambiguousPart reads a part of which only the path can tell whether it is a
// mapping's key, an item's merge keys or an index.
func ambiguousPart(text string) part {
	p := part{any: text == "*", name: &text}
	if key, value, ok := strings.Cut(text, "="); ok {
		if p.keys, ok = parseKeys(text); !ok {
			p.keys = map[string]string{key: value}
		}
	}
	if i, err := strconv.ParseUint(text, 10, 31); err == nil {
		index := int(i)
		p.index = &index
	}
	return p
}

var dottedPart = regexp.MustCompile(`^(?:\.?([A-Za-z0-9_*-]+)|\[("(?:[^"\\]|\\.)*")\]|\[((?:[^\]"]|=?"(?:[^"\\]|\\.)*")+)\])`)

func dottedPattern(text string) (Pattern, error) {
	var p Pattern
	for rest := text; rest != ""; {
		m := dottedPart.FindStringSubmatch(rest)
		if m == nil {
			return Pattern{}, fmt.Errorf("the path %q cannot be read from %q on: write it as /spec/replicas or spec.replicas", text, rest)
		}
		next, err := bracketPart(m[1], m[2], m[3])
		if err != nil {
			return Pattern{}, fmt.Errorf("the path %q has %w", text, err)
		}
		p.parts = append(p.parts, next)
		rest = rest[len(m[0]):]
	}
	return p, nil
}

// bracketPart reads one part of a dotted path, of which one text is given: a
// plain key, a quoted one, or what stands in brackets.
func bracketPart(plain, quoted, inner string) (part, error) {
	switch {
	case quoted != "":
		name, err := strconv.Unquote(quoted)
		if err != nil {
			return part{}, fmt.Errorf("a badly quoted key %s", quoted)
		}
		return part{name: &name}, nil
	case strings.Contains(inner, "="):
		keys, ok := parseKeys(inner)
		if !ok {
			return part{}, fmt.Errorf("an item that cannot be read in [%s]: write it as [name=web]", inner)
		}
		return part{keys: keys}, nil
	}
	return ambiguousPart(plain + inner), nil
}

var keyPair = regexp.MustCompile(`^([^=,"]*)=("(?:[^"\\]|\\.)*"|[^,"]*)(?:,|$)`)

// parseKeys reads merge keys as keysText spells them.
func parseKeys(text string) (map[string]string, bool) {
	keys := map[string]string{}
	for rest := text; rest != ""; {
		m := keyPair.FindStringSubmatch(rest)
		if m == nil {
			return nil, false
		}
		value := m[2]
		if strings.HasPrefix(value, `"`) {
			unquoted, err := strconv.Unquote(value)
			if err != nil {
				return nil, false
			}
			value = unquoted
		}
		keys[m[1]] = value
		rest = rest[len(m[0]):]
	}
	return keys, true
}

// matches tells whether the pattern names the path or something above it.
func (p Pattern) matches(path []step, of sides) bool {
	return p.query == nil && len(p.parts) <= len(path) && matchParts(p.parts, path, of)
}

// reachesInto tells whether the pattern names something that is there beneath
// the path.
func (p Pattern) reachesInto(path []step, of sides) bool {
	if p.query != nil || len(p.parts) <= len(path) || !matchParts(p.parts[:len(path)], path, of) {
		return false
	}
	rest := p.parts[len(path):]
	return has(at(of.live, path), rest) || has(at(of.declared, path), rest)
}

// matchParts matches parts against the first steps of a path.
func matchParts(parts []part, path []step, of sides) bool {
	for i, p := range parts {
		s := path[i]
		switch {
		case p.any:
		case s.list == nil && p.name != nil && *p.name == s.field:
		case s.list != nil && p.keys != nil && s.hasKeys(p.keys):
		case s.list != nil && p.item != nil && sameItem(s.list, p.item, s.item):
		case s.list != nil && p.index != nil && of.stands(*p.index, path[:i], s):
		default:
			return false
		}
	}
	return true
}

// hasKeys tells whether the step's item has the merge keys, and perhaps more.
func (s step) hasKeys(keys map[string]string) bool {
	if s.list.set {
		value, ok := keys[""]
		return ok && len(keys) == 1 && value == scalarText(s.item)
	}
	found := 0
	for _, k := range s.list.keys {
		want, ok := keys[k.name]
		if ok && want != scalarText(k.of(s.item)) {
			return false
		}
		if ok {
			found++
		}
	}
	return found == len(keys)
}

// sides are the contents of the two objects that are compared.
type sides struct{ declared, live any }

// stands tells whether the step leads to the item that stands at an index of the
// list at path.
func (of sides) stands(index int, path []step, s step) bool {
	list, _ := at(of.declared, path).([]any)
	if len(list) == 0 {
		list, _ = at(of.live, path).([]any)
	}
	return index < len(list) && sameItem(s.list, list[index], s.item)
}

// at returns the value to which a path leads; nil where there is none.
func at(v any, path []step) any {
	for _, s := range path {
		if s.list == nil {
			fields, _ := v.(map[string]any)
			v = fields[s.field]
			continue
		}
		items, _ := v.([]any)
		m := matcher{list: s.list, live: items, matched: make([]bool, len(items))}
		i := m.scan(s.item)
		if i < 0 {
			return nil
		}
		v = items[i]
	}
	return v
}

// has tells whether v may have something that the parts name. Of a list's items
// it knows the keys that they spell out: it errs towards yes.
func has(v any, parts []part) bool {
	if len(parts) == 0 {
		return v != nil
	}
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			if (parts[0].any || parts[0].name != nil && *parts[0].name == name) && has(field, parts[1:]) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if parts[0].mayBe(item) && has(item, parts[1:]) {
				return true
			}
		}
	}
	return false
}

// mayBe tells whether the part may name the item of a list.
func (p part) mayBe(item any) bool {
	if p.any || p.index != nil || p.item != nil {
		return true
	}
	fields, _ := item.(map[string]any)
	for key, want := range p.keys {
		value, ok := fields[key]
		if key == "" {
			value, ok = item, true
		}
		if ok && scalarText(value) != want {
			return false
		}
	}
	return p.keys != nil
}
