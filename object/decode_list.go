package object

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"
)

// yamlList reads a List in the very form in which "kubectl get -o yaml" prints it.
// Each item begins with a dash in the first column, where nothing else of it can
// stand, so that it is decoded alone: the nodes of a whole file would take 50 times
// its size.
func yamlList(r io.Reader) ([]Raw, error) {
	lines := bufio.NewReaderSize(r, 1<<16)
	for _, want := range []string{"apiVersion: v1\n", "items:\n"} {
		if line, err := lines.ReadString('\n'); err != nil || line != want {
			return nil, errOtherForm
		}
	}
	objects := []Raw{}
	var item bytes.Buffer
	end := func() error {
		if item.Len() == 0 {
			return nil
		}
		o, err := yamlItem(item.Bytes())
		objects = append(objects, o)
		item.Reset()
		return err
	}
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil, errOtherForm // it ends with its metadata
		}
		switch {
		case bytes.HasPrefix(line, []byte("- ")):
			if err := end(); err != nil {
				return nil, err
			}
			item.WriteString("  ")
			item.Write(line[2:])
		case item.Len() > 0 && (bytes.HasPrefix(line, []byte("  ")) || len(line) == 1):
			item.Write(line)
		case string(line) == "kind: List\n":
			if err := end(); err != nil {
				return nil, err
			}
			return objects, yamlListEnd(lines)
		default:
			return nil, errOtherForm
		}
	}
}

// yamlListEnd wants nothing but the metadata of a List.
func yamlListEnd(r io.Reader) error {
	rest, err := io.ReadAll(io.LimitReader(r, 1<<10))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(rest)) {
		switch strings.TrimSuffix(line, "\n") {
		case "metadata:", `  resourceVersion: ""`, `  selfLink: ""`:
		default:
			return errOtherForm
		}
	}
	return nil
}

func yamlItem(data []byte) (Raw, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil || len(document.Content) != 1 {
		return Raw{}, errOtherForm
	}
	value, err := new(converter).value(document.Content[0])
	if err != nil {
		return Raw{}, err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return Raw{}, err
	}
	return newText(text)
}
