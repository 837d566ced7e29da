package object

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// DecodeSimple reads what Decode reads, of a file in the simple YAML in which
// nearly all manifests are written: ASCII, blocks with a key or an item to a line,
// short flow collections, and no anchor, alias, tag, merge key or date. It is false
// for any other file, right or wrong. It takes a tenth of the time and memory that
// the YAML library takes, and FuzzDecodeSimple holds it to make the same. Mappings that
// are spelled alike may be one and the same, in one object and in others.
func DecodeSimple(file string, data []byte) ([]Object, bool) {
	m := memories.get()
	defer memories.put(m)
	return decodeSimple(file, data, m)
}

func decodeSimple(file string, data []byte, m *memory) ([]Object, bool) {
	if !simpleBytes(data) {
		return nil, false
	}
	s := newSimple(string(data), m)
	var objects []Object
	for s.behind != "" && !s.refused {
		s.next()
		if s.column < 0 {
			continue
		}
		line := s.line
		content, ok := s.document()
		if _, list := listItems(content); list || !ok {
			return nil, false
		}
		o, err := FromContent(content)
		if err != nil {
			return nil, false
		}
		o.Origin.Position = Position{File: file, Line: line}
		objects = append(objects, o)
	}
	return objects, !s.refused
}

// document reads the mapping that begins at the current line.
func (s *simple) document() (map[string]any, bool) {
	content, ok := s.node(-1, newMember("")).(map[string]any)
	return content, ok && !s.refused && s.column < 0
}

// simpleBytes says whether there is nothing but visible ASCII, spaces and line
// feeds.
func simpleBytes(data []byte) bool {
	for _, c := range data {
		if c < ' ' && c != '\n' || c >= 0x7f {
			return false
		}
	}
	return true
}

// simple reads simple YAML line by line. What is not of that kind it refuses,
// which ends the reading: from then on there is no line.
type simple struct {
	rest    string // what is unread of the current line, without spaces around it
	column  int    // at which rest begins; -1 where the document ends
	line    int    // counts from 1
	behind  string // what follows the current line
	refused bool
	flows   int       // the flow collections that it is within
	scalar  yaml.Node // for the library to tell the type of a text

	all   string // the whole text
	begin int    // of the current line, within all; its end where there is none
	*memory
}

func newSimple(text string, m *memory) simple {
	m.tidy()
	return simple{all: text, behind: text, memory: m}
}

// member returns the member of a name, which is a part of the text.
func (s *simple) member(name string) *member {
	if known, ok := s.members[name]; ok {
		return known
	}
	m := newMember(strings.Clone(name))
	s.members[m.name] = m
	return m
}

// known returns the mapping that begins with the current line, at a column, where its
// lines have stood here before. It is the same if it ends there too: with a line that
// stands less deep.
func (s *simple) known(column int, of *member) (any, bool) {
	value, length := find(of, s.all[s.begin:])
	if length == 0 {
		return nil, false
	}
	at, end := *s, s.begin+length
	s.behind, s.line = s.all[end:], s.line+strings.Count(s.all[s.begin:end], "\n")-1
	s.next()
	if s.begin != end || s.column >= column {
		*s = at
		return nil, false
	}
	return value, true
}

// keep remembers the mapping at a column that begins with the line at an offset and ends
// before the current one.
func (s *simple) keep(begin, column int, of *member, m map[string]any) {
	if s.refused || s.column >= column || s.all[s.begin-1] != '\n' || !of.wants(s.begin-begin) {
		return
	}
	remember(s.memory, of, s.all[begin:s.begin], m)
}

func (s *simple) refuse() any {
	s.refused, s.column, s.rest, s.behind = true, -1, "", ""
	return nil
}

// next goes to the next line that is not empty or a comment. A document ends with
// the file or a line of three dashes.
func (s *simple) next() {
	for s.behind != "" {
		var line string
		s.begin = len(s.all) - len(s.behind)
		line, s.behind, _ = strings.Cut(s.behind, "\n")
		s.line++
		s.rest = strings.TrimLeft(line, " ")
		if s.rest == "" || s.rest[0] == '#' {
			continue
		}
		s.column = len(line) - len(s.rest)
		s.rest = strings.TrimRight(s.rest, " ")
		switch {
		case s.column > maxColumn:
			s.refuse()
		case s.column > 0:
		case s.rest == "---":
			s.column = -1
		case strings.HasPrefix(s.rest, "---") || strings.HasPrefix(s.rest, "..."):
			s.refuse()
		}
		return
	}
	s.column, s.rest, s.begin = -1, "", len(s.all)
}

// maxColumn bounds the nesting, and is less than what the library takes for a key.
const maxColumn = 500

// node reads the block that begins at the current line, in a block at the column
// parent, as the value of a member.
func (s *simple) node(parent int, of *member) any {
	if s.column <= parent {
		return nil
	}
	if isItem(s.rest) {
		return s.sequence(s.column, of)
	}
	return s.mapping(s.column, of)
}

func isItem(text string) bool { return text == "-" || strings.HasPrefix(text, "- ") }

func (s *simple) mapping(column int, of *member) any {
	if known, ok := s.known(column, of); ok {
		return known
	}
	begin := s.begin
	m := map[string]any{}
	for s.column == column && !isItem(s.rest) {
		key, value, ok := s.key(s.rest)
		if _, twice := m[key]; twice || !ok {
			return s.refuse()
		}
		name := s.member(key)
		m[name.name] = s.value(value, column, name)
	}
	if s.column > column {
		return s.refuse()
	}
	s.keep(begin, column, of, m)
	return m
}

// value reads what stands behind a key of a mapping at a column.
func (s *simple) value(text string, column int, of *member) any {
	if text != "" && text[0] != '#' {
		return s.inline(text, column)
	}
	s.next()
	if s.column == column && isItem(s.rest) {
		return s.sequence(column, of)
	}
	return s.node(column, of)
}

func (s *simple) sequence(column int, of *member) any {
	list := []any{}
	for s.column == column && isItem(s.rest) {
		list = append(list, s.item(column, of))
	}
	if s.column > column {
		return s.refuse()
	}
	return list
}

// item reads what stands behind the dash of an item at a column.
func (s *simple) item(column int, of *member) any {
	text := strings.TrimLeft(s.rest[1:], " ")
	if text == "" || text[0] == '#' {
		s.next()
		return s.node(column, of)
	}
	if _, _, isKey := s.key(text); !isKey && !isItem(text) {
		return s.inline(text, column)
	}
	s.column += len(s.rest) - len(text)
	s.rest = text
	if s.column > maxColumn {
		return s.refuse()
	}
	return s.node(column, of)
}

// key parts the key of a mapping from what stands behind it.
func (s *simple) key(text string) (key, value string, ok bool) {
	if text[0] == '"' || text[0] == '\'' {
		key, value, ok = quoted(text)
		if !ok || value == "" || value[0] != ':' {
			return "", "", false
		}
		value = value[1:]
	} else {
		i := strings.Index(text, ":")
		for i >= 0 && i+1 < len(text) && text[i+1] != ' ' {
			n := strings.Index(text[i+1:], ":")
			if n < 0 {
				return "", "", false
			}
			i += 1 + n
		}
		if i <= 0 || strings.Contains(text[:i], " #") || text[i-1] == ' ' || !beginsPlain(text) || !s.isText(text[:i]) {
			return "", "", false
		}
		key, value = text[:i], text[i+1:]
	}
	behind := strings.TrimLeft(value, " ")
	return key, behind, (behind == "" || len(behind) < len(value)) && simpleKey(key)
}

// simpleKey says whether a key means no more than it says. Kustomize has difficulties
// with some, and the library with long ones.
func simpleKey(key string) bool {
	return len(key) < maxColumn && key != "<<" && !strings.ContainsAny(key, "!&*")
}

// inline reads a value that begins in the middle of a line, in a block at a column,
// and goes to the line behind it.
func (s *simple) inline(text string, column int) any {
	var value any
	switch text[0] {
	case '|':
		value = s.literal(text, column)
	case '"', '\'', '[', '{':
		var behind string
		value, behind = s.flow(text)
		if comment := strings.TrimLeft(behind, " "); comment != "" && (comment[0] != '#' || len(comment) == len(behind)) {
			return s.refuse()
		}
	default:
		value = s.plain(text)
	}
	s.next()
	return value
}

// plain reads a text without quotes up to the end of the line.
func (s *simple) plain(text string) any {
	if i := strings.Index(text, " #"); i >= 0 {
		text = strings.TrimRight(text[:i], " ")
	}
	if !beginsPlain(text) || strings.Contains(text, ": ") || strings.HasSuffix(text, ":") {
		return s.refuse()
	}
	return s.resolve(text)
}

// beginsPlain says whether a text without quotes may begin so.
func beginsPlain(text string) bool {
	return !strings.ContainsRune("?:,[]{}#&*!|>'\"%@`", rune(text[0])) && !isItem(text) && !strings.HasPrefix(text, "---")
}

// literal reads the lines of a text that begins with "|", which stand deeper than
// the column of the block around it.
func (s *simple) literal(header string, column int) any {
	if header != "|" && header != "|-" {
		return s.refuse()
	}
	indent := len(s.behind) - len(strings.TrimLeft(s.behind, " "))
	if indent <= column || indent == len(s.behind) || s.behind[indent] == '\n' {
		return s.refuse()
	}
	var text strings.Builder
	for s.behind != "" {
		line, behind, ended := strings.Cut(s.behind, "\n")
		content := strings.TrimLeft(line, " ")
		if content != "" && len(line)-len(content) < indent {
			break
		}
		if !ended || content == "" && len(line) > indent {
			return s.refuse()
		}
		text.WriteString(line[min(indent, len(line)):])
		text.WriteByte('\n')
		s.behind = behind
		s.line++
	}
	trimmed := strings.TrimRight(text.String(), "\n")
	if header == "|" {
		return text.String()[:len(trimmed)+1]
	}
	return trimmed
}
