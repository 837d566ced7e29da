package v1alpha1

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// pair is a key of a mapping with its value.
type pair struct{ key, value *yaml.Node }

// pairs returns what a mapping holds: its own keys, and of those that it merges the
// ones that it does not have. A key that stands twice is a problem.
func (r *reader) pairs(n *yaml.Node, path string) []pair {
	var own, merged []pair
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			r.fail(n.Content[i], path, "a key of %s is %s: write a word", name(path), kindOf(key))
			continue
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, r.merged(value, path)...)
			continue
		}
		if before, ok := seen[key.Value]; ok {
			r.fail(key, join(path, key.Value), "%s stands twice: leave out this one or that of line %d", join(path, key.Value), before.Line)
			continue
		}
		seen[key.Value] = key
		own = append(own, pair{key, value})
	}
	for _, p := range merged { // the first of several wins
		if seen[p.key.Value] == nil {
			seen[p.key.Value] = p.key
			own = append(own, p)
		}
	}
	return own
}

// merged returns what a merge key brings in: of one mapping, or of a list of them.
func (r *reader) merged(n *yaml.Node, path string) []pair {
	var result []pair
	switch {
	case !r.count(n):
	case n.Kind == yaml.AliasNode:
		r.alias(n, func(to *yaml.Node) (any, bool) {
			result = r.merged(to, path)
			return nil, true
		})
	case n.Kind == yaml.MappingNode:
		result = r.pairs(n, path)
		r.nodes += len(result)
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			result = append(result, r.merged(item, path)...)
		}
	default:
		r.fail(n, path, "<< is %s: write an alias of a mapping, such as *common", kindOf(n))
	}
	return result
}

// oldBools are the words that YAML 1.1, and so kubectl, reads as true or false where
// they stand without quotes.
var oldBools = map[string]bool{"y": true, "n": true, "yes": true, "no": true, "on": true, "off": true}

// isText tells whether a node is text; a date is text too, as kubectl reads it.
func isText(n *yaml.Node) bool {
	tag := n.ShortTag()
	return n.Kind == yaml.ScalarNode && (tag == "!!str" || tag == "!!timestamp")
}

func isNull(n *yaml.Node) bool {
	return n.Kind == 0 || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// kindOf says what a node is. It does not quote it: it may be a secret in a wrong
// place.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!str", "!!timestamp":
		return "text"
	default:
		return "of the type " + strings.TrimPrefix(tag, "!!")
	}
}
