package adopter

import (
	"bytes"
	"io/fs"
	"regexp"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"plumbline.dev/plumbline/adopter/rewrite"
)

var (
	oldName = regexp.MustCompile(`^--- a/(.*)$`)
	hunk    = regexp.MustCompile(`^@@ -(\d+)(?:,(\d+))? `)
)

// Exposed returns the name of a file of which a unified diff shows lines with values of
// Secrets, as what stands beside an edit or goes with it; "" where there is none. That
// an edit brings in such values is refused before.
func Exposed(fsys fs.FS, patch []byte) string {
	name, secret := "", []lines(nil)
	for line := range bytes.SplitSeq(patch, []byte("\n")) {
		if m := oldName.FindSubmatch(line); m != nil {
			name, secret = string(m[1]), nil
			if data, err := fs.ReadFile(fsys, name); err == nil {
				secret = secrets(data)
			}
		}
		if m := hunk.FindSubmatch(line); m != nil {
			from, _ := strconv.Atoi(string(m[1]))
			count := 1
			if len(m[2]) > 0 {
				count, _ = strconv.Atoi(string(m[2]))
			}
			// The header of a hunk has the line before it.
			if shown := (lines{from - 1, from + count - 1}); slices.ContainsFunc(secret, shown.meets) {
				return name
			}
		}
	}
	return ""
}

// lines are some of a file, the first and the last.
type lines struct{ first, last int }

func (l lines) meets(other lines) bool { return l.first <= other.last && other.first <= l.last }

// secrets returns the lines of a file with values of Secrets. A file that cannot be read
// may have them everywhere.
func secrets(data []byte) []lines {
	all := bytes.Count(data, []byte("\n")) + 1
	roots, err := rewrite.Documents(data)
	if err != nil {
		return []lines{{0, all}}
	}
	var found []lines
	for i, root := range roots {
		end := all
		if i+1 < len(roots) {
			end = roots[i+1].Line - 1
		}
		found = append(found, secretsIn(root, end)...)
	}
	return found
}

// secretsIn returns those of a node that ends at a line.
func secretsIn(n *yaml.Node, end int) []lines {
	var found []lines
	isSecret := false
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		isSecret = isSecret || n.Content[i].Value == "kind" && n.Content[i+1].Value == "Secret"
	}
	for i, child := range n.Content {
		to := end
		if i+1 < len(n.Content) {
			to = max(n.Content[i+1].Line-1, child.Line)
		}
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if i+2 < len(n.Content) {
				to = max(n.Content[i+2].Line-1, child.Line)
			} else {
				to = end
			}
			name := child.Value
			if isSecret && (name == "data" || name == "stringData") || name == "secretGenerator" {
				found = append(found, lines{child.Line, to})
			}
			continue
		}
		found = append(found, secretsIn(child, to)...)
	}
	return found
}
