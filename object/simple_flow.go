package object

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// flow reads a quoted text or a flow collection that begins and ends in one line.
// It returns what stands behind.
func (s *simple) flow(text string) (value any, behind string) {
	if text == "" || s.flows > maxFlows {
		return s.refuse(), ""
	}
	s.flows++
	defer func() { s.flows-- }()
	switch text[0] {
	case '"', '\'':
		if t, behind, ok := quoted(text); ok {
			return t, behind
		}
	case '[':
		return s.flowSequence(text[1:])
	case '{':
		return s.flowMapping(text[1:])
	default:
		if t, behind := word(text); t != "" {
			return s.resolve(t), behind
		}
	}
	return s.refuse(), ""
}

// maxFlows bounds the nesting of flow collections.
const maxFlows = 50

func (s *simple) flowSequence(text string) (any, string) {
	list := []any{}
	text = strings.TrimLeft(text, " ")
	if behind, empty := strings.CutPrefix(text, "]"); empty {
		return list, behind
	}
	for !s.refused {
		var item any
		item, text = s.flow(text)
		list = append(list, item)
		var last bool
		if text, last = s.separator(text, ']'); last {
			return list, text
		}
	}
	return nil, ""
}

func (s *simple) flowMapping(text string) (any, string) {
	m := map[string]any{}
	text = strings.TrimLeft(text, " ")
	if behind, empty := strings.CutPrefix(text, "}"); empty {
		return m, behind
	}
	for !s.refused {
		key, behind, ok := s.flowKey(text)
		if _, twice := m[key]; twice || !ok {
			return s.refuse(), ""
		}
		m[key], text = s.flow(strings.TrimLeft(behind, " "))
		var last bool
		if text, last = s.separator(text, '}'); last {
			return m, text
		}
	}
	return nil, ""
}

func (s *simple) flowKey(text string) (key, behind string, ok bool) {
	key, behind, ok = quoted(text)
	if !ok {
		key, behind = word(text)
		ok = key != "" && s.isText(key)
	}
	behind, colon := strings.CutPrefix(behind, ": ")
	return key, behind, ok && colon && simpleKey(key)
}

// separator goes behind the comma to the next value, or behind the end of the
// collection.
func (s *simple) separator(text string, end byte) (behind string, last bool) {
	text = strings.TrimLeft(text, " ")
	switch {
	case text != "" && text[0] == end:
		return text[1:], true
	case strings.HasPrefix(text, ", "):
		return strings.TrimLeft(text[1:], " "), false
	}
	s.refuse()
	return "", false
}

// word cuts off a text without quotes, of characters that mean nothing to YAML.
func word(text string) (word, behind string) {
	n := 0
	for n < len(text) && (isAlphanumeric(text[n]) || strings.IndexByte("_/.-+=@", text[n]) >= 0 && (n > 0 || text[n] == '/')) {
		n++
	}
	return text[:n], text[n:]
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// quoted cuts off a text between quotes.
func quoted(text string) (value, behind string, ok bool) {
	switch {
	case strings.HasPrefix(text, "'"):
		return singleQuoted(text[1:])
	case strings.HasPrefix(text, `"`):
		return doubleQuoted(text[1:])
	}
	return "", "", false
}

func singleQuoted(text string) (value, behind string, ok bool) {
	i := strings.IndexByte(text, '\'')
	for i >= 0 && i+1 < len(text) && text[i+1] == '\'' {
		n := strings.IndexByte(text[i+2:], '\'')
		if n < 0 {
			return "", "", false
		}
		i += 2 + n
	}
	if i < 0 {
		return "", "", false
	}
	return strings.ReplaceAll(text[:i], "''", "'"), text[i+1:], true
}

// escapes are those that a text between double quotes may hold.
var escapes = map[byte]byte{'"': '"', '\\': '\\', 'n': '\n', 't': '\t'}

func doubleQuoted(text string) (value, behind string, ok bool) {
	i := strings.IndexAny(text, `"\`)
	if i >= 0 && text[i] == '"' {
		return text[:i], text[i+1:], true
	}
	var unquoted strings.Builder
	for ; i >= 0; i = strings.IndexAny(text, `"\`) {
		unquoted.WriteString(text[:i])
		if text[i] == '"' {
			return unquoted.String(), text[i+1:], true
		}
		if i+1 == len(text) || escapes[text[i+1]] == 0 {
			return "", "", false
		}
		unquoted.WriteByte(escapes[text[i+1]])
		text = text[i+2:]
	}
	return "", "", false
}

// isText says whether what stands without quotes is a text. The library knows; of what
// begins with a letter it takes but a few words for anything else.
func (s *simple) isText(text string) bool {
	if isAlphanumeric(text[0]) && text[0] > '9' {
		switch strings.ToLower(text[:min(len(text), 6)]) {
		case "y", "yes", "n", "no", "on", "off", "true", "false", "null":
		default:
			return true
		}
	}
	s.scalar = yaml.Node{Kind: yaml.ScalarNode, Value: text}
	return s.scalar.ShortTag() == "!!str"
}

// resolve returns the value of what stands without quotes: what the library takes
// it for.
func (s *simple) resolve(text string) any {
	if len(text) < 19 && isDecimal(text) {
		n, _ := strconv.ParseInt(text, 10, 64) // which fits
		return n
	}
	if s.isText(text) {
		return text
	}
	s.scalar.Tag = s.scalar.ShortTag()
	switch s.scalar.Tag {
	case "!!null", "!!bool", "!!int", "!!float":
		if value, err := new(converter).scalar(&s.scalar); err == nil {
			return value
		}
	}
	return s.refuse()
}

// isDecimal says whether a text is a number as everybody writes it.
func isDecimal(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text == "0" || text[0] != '0'
}
