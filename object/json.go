package object

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// jsonDocuments reads data as JSON objects one after another, and is false where
// it is anything else. JSON is nearly all YAML, but its escapes of characters by
// surrogate pairs are an error to the YAML library.
func jsonDocuments(data []byte) ([]*yaml.Node, bool) {
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, false
	}
	d := jsonDecoder{json: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1}
	d.json.UseNumber()
	var documents []*yaml.Node
	for {
		n, err := d.value(0)
		if errors.Is(err, io.EOF) {
			return documents, true
		}
		if err != nil {
			return nil, false
		}
		documents = append(documents, n)
	}
}

// jsonDecoder makes of JSON what the YAML library makes of YAML: nodes with the
// lines on which they stand.
type jsonDecoder struct {
	json *json.Decoder
	data []byte
	read int64 // bytes whose lines are counted
	line int
}

var (
	errTooDeep   = errors.New("nested too deeply")
	errNotClosed = errors.New("not closed")
)

func (d *jsonDecoder) value(depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	token, err := d.json.Token()
	if errors.Is(err, io.EOF) && depth > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	at := d.json.InputOffset()
	d.line += bytes.Count(d.data[d.read:at], []byte("\n"))
	d.read = at
	switch token := token.(type) {
	case json.Delim:
		return d.children(token, depth)
	case string:
		return d.scalar("!!str", token), nil
	case json.Number:
		if strings.ContainsAny(token.String(), ".eE") {
			return d.scalar("!!float", token.String()), nil
		}
		return d.scalar("!!int", token.String()), nil
	case bool:
		if token {
			return d.scalar("!!bool", "true"), nil
		}
		return d.scalar("!!bool", "false"), nil
	default:
		return d.scalar("!!null", "null"), nil
	}
}

func (d *jsonDecoder) scalar(tag, text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text, Line: d.line}
}

// children reads what stands between the opening delimiter and its counterpart.
func (d *jsonDecoder) children(open json.Delim, depth int) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: d.line}
	if open == '[' {
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
	}
	for d.json.More() {
		child, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, child)
	}
	if _, err := d.json.Token(); err != nil {
		return nil, errNotClosed
	}
	return n, nil
}
