package differ

import (
	"fmt"
	"strconv"
	"strings"
)

// ParsePath reads a path as String spells it. What comes back is spelled the same, but
// the values of merge keys and of sets' items are text: of what they were the spelling
// does not tell.
func ParsePath(text string) (Path, error) {
	var p Path
	for rest := text; rest != ""; {
		m := dottedPart.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("the path %q cannot be read from %q on", text, rest)
		}
		next, err := parseStep(m[1], m[2], m[3])
		if err != nil {
			return nil, fmt.Errorf("the path %q has %w", text, err)
		}
		p = append(p, next)
		rest = rest[len(m[0]):]
	}
	if p.String() != text {
		return nil, fmt.Errorf("the path %q is spelled otherwise: %s", text, p)
	}
	return p, nil
}

// parseStep reads one step, of which one text is given: a plain key, a quoted one, or what
// stands in brackets.
func parseStep(plain, quoted, inner string) (any, error) {
	if quoted != "" {
		return strconv.Unquote(quoted)
	}
	if plain != "" {
		return plain, nil
	}
	keys, ok := parseKeys(inner)
	if !ok || !strings.Contains(inner, "=") {
		return nil, fmt.Errorf("an item that cannot be read in [%s]", inner)
	}
	if value, ok := keys[""]; ok && len(keys) == 1 {
		return Item{Value: value}, nil
	}
	step := make(map[string]any, len(keys))
	for key, value := range keys {
		step[key] = value
	}
	return step, nil
}
