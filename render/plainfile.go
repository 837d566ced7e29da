package render

import (
	"regexp"
	"strings"

	sigsyaml "sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/object"
)

var (
	// oldBool finds what is a boolean to YAML 1.1, which kubectl reads, and a
	// text to YAML 1.2.
	oldBool   = regexp.MustCompile(`(?im)(?:^|[\s:,\[{-])(?:y|yes|n|no|on|off)\s*(?:$|[#,\]}:])`)
	separator = regexp.MustCompile(`(?m)^---.*$`)
)

// decodePlain decodes a file of a directory without a kustomization as kubectl
// does: Decode's objects and positions, and, where a YAML 1.1 reading may differ,
// the contents by kubectl's own parser.
func decodePlain(name string, data []byte) *file {
	f := decode(name, data)
	if f.err != nil || !namesOldBool(data) || !oldBool.Match(data) {
		return f
	}
	var contents []map[string]any
	for _, text := range separator.Split(string(data), -1) {
		var content map[string]any
		if err := sigsyaml.Unmarshal([]byte(text), &content); err != nil {
			return f
		}
		contents = append(contents, flat(content)...)
	}
	if len(contents) != len(f.objects) {
		return f
	}
	for i, o := range f.objects {
		read, err := object.FromContent(wholeNumbers(contents[i]).(map[string]any)) //nolint:forcetypeassert // a map stays a map
		if err == nil && read.ID == o.ID {
			f.objects[i].Content = read.Content
		}
	}
	return f
}

// namesOldBool tells in one quick pass whether there is a word of which oldBool
// tells whether it stands as a value: in most files there is none.
func namesOldBool(data []byte) bool {
	for i := 0; i < len(data); i++ {
		start := i
		for i < len(data) && isWord(data[i]) {
			i++
		}
		if n := i - start; n == 0 || n > len("yes") {
			continue
		}
		switch strings.ToLower(string(data[start:i])) {
		case "y", "yes", "n", "no", "on", "off":
			return true
		}
	}
	return false
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c >= 0x80
}

// flat takes a List apart, and drops an empty document.
func flat(content map[string]any) []map[string]any {
	if content == nil {
		return nil
	}
	items, ok := content["items"].([]any)
	if !ok {
		return []map[string]any{content}
	}
	var all []map[string]any
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}
