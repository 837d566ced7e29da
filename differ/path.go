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

var plainValue = regexp.MustCompile(`^[^\]",\\\pC]*$`) // of a merge key

// isPlainKey tells whether a mapping's key needs no quotes.
func isPlainKey(key string) bool {
	for _, c := range []byte(key) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return key != ""
}

// String spells the path as people read it:
// spec.template.spec.containers[name=web].image,
// metadata.labels["example.com/tier"].
func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch step := step.(type) {
		case string:
			switch {
			case !isPlainKey(step):
				fmt.Fprintf(&b, "[%q]", step)
			case b.Len() == 0:
				b.WriteString(step)
			default:
				b.WriteString("." + step)
			}
		case map[string]any:
			b.WriteString("[" + keysText(step) + "]")
		case Item:
			b.WriteString("[" + keysText(map[string]any{"": step.Value}) + "]")
		}
	}
	return b.String()
}

func keysText(keys map[string]any) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		text := scalarText(keys[k])
		if !plainValue.MatchString(text) {
			text = strconv.Quote(text)
		}
		parts = append(parts, k+"="+text)
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
