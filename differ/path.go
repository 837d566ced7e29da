package differ

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Path leads to one field of an object. Each step is one of
//
//   - string: a key of a mapping;
//   - map[string]any: the item of a list that has these merge keys;
//   - Item: the item of a set that has this value.
//
// A list of any other kind is one value, so that no path leads into it.
type Path []any

// Item is the value of an item of a list that is a set.
type Item struct{ Value any }

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// String spells the path as people read it:
// spec.template.spec.containers[name=web].image,
// metadata.labels["example.com/tier"].
func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch step := step.(type) {
		case string:
			switch {
			case !plainKey.MatchString(step):
				fmt.Fprintf(&b, "[%q]", step)
			case b.Len() == 0:
				b.WriteString(step)
			default:
				b.WriteString("." + step)
			}
		case map[string]any:
			b.WriteString("[" + keysText(step) + "]")
		case Item:
			fmt.Fprintf(&b, "[=%s]", scalarText(step.Value))
		}
	}
	return b.String()
}

func keysText(keys map[string]any) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		parts = append(parts, k+"="+scalarText(keys[k]))
	}
	return strings.Join(parts, ",")
}

func scalarText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// Compare orders paths step by step.
func (p Path) Compare(other Path) int {
	return slices.CompareFunc(p, other, func(a, b any) int {
		key, ok := a.(string)
		other, also := b.(string)
		switch {
		case ok && also:
			return strings.Compare(key, other)
		case ok:
			return -1
		case also:
			return 1
		}
		return strings.Compare(Path{a}.String(), Path{b}.String())
	})
}

// Pattern matches paths. Each of its parts is matched against one step; "*"
// matches any.
type Pattern struct {
	parts []string
}

// ParsePattern reads a pattern in either of two forms: a JSON pointer
// ("/spec/template/spec/containers/*/image"), in which a list's item is named by
// its key ("name=web") or "*"; or a path as Path.String spells it,
// with "[*]" for any item.
func ParsePattern(text string) (Pattern, error) {
	switch {
	case text == "":
		return Pattern{}, fmt.Errorf("an empty path matches nothing: name a field, such as /spec/replicas")
	case strings.HasPrefix(text, "/"):
		return pointerPattern(text)
	default:
		return dottedPattern(text)
	}
}

func pointerPattern(text string) (Pattern, error) {
	parts := strings.Split(text[1:], "/")
	for i, part := range parts { // RFC 6901, section 4
		if part == "" {
			return Pattern{}, fmt.Errorf("the path %q has an empty part: write it as /spec/replicas", text)
		}
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
	}
	return Pattern{parts: parts}, nil
}

var dottedPart = regexp.MustCompile(`^(?:\.?([A-Za-z0-9_*-]+)|\[("(?:[^"\\]|\\.)*")\]|\[([^\]"][^\]]*)\])`)

func dottedPattern(text string) (Pattern, error) {
	var p Pattern
	for rest := text; rest != ""; {
		m := dottedPart.FindStringSubmatch(rest)
		if m == nil {
			return Pattern{}, fmt.Errorf("the path %q cannot be read from %q on: write it as /spec/replicas or spec.replicas", text, rest)
		}
		part := m[1] + m[3]
		if m[2] != "" {
			unquoted, err := strconv.Unquote(m[2])
			if err != nil {
				return Pattern{}, fmt.Errorf("the path %q has a badly quoted key %s", text, m[2])
			}
			part = unquoted
		}
		p.parts = append(p.parts, part)
		rest = rest[len(m[0]):]
	}
	return p, nil
}
