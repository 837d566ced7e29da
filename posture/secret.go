package posture

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// secrets judges what git holds. What lives is drift's to tell of, and Secrets are
// where secrets belong there.
func (j *judge) secrets() {
	if !j.spec.Secrets {
		return
	}
	for _, p := range j.world.Declared {
		switch o := p.Object(); {
		case o.ID.Group == "" && o.ID.Kind == "Secret":
			j.plainSecret(o)
		case o.ID.Group == "apiextensions.k8s.io": // schemas, which speak of passwords and hold none
		default:
			j.credentials(o)
		}
	}
}

const secretAdvice = "encrypt it (SOPS, Sealed Secrets) or have an operator fetch it from a vault; and replace the secret, which stays in git's history"

// plainSecret tells of a Secret with values that anybody who reads git can read.
func (j *judge) plainSecret(o object.Object) {
	var plain []string
	var kinds []credential
	for name, value := range secretValues(o.Content) {
		if harmless(value) {
			continue
		}
		plain = append(plain, name)
		for _, c := range detect(value) {
			if c.severity == finding.Critical && !slices.Contains(kinds, c) {
				kinds = append(kinds, c)
			}
		}
	}
	if len(plain) == 0 {
		return
	}
	slices.Sort(plain)
	f := finding.Finding{Rule: finding.PostureSecret, Severity: finding.Warning, Object: o.ID, Origin: o.Origin, Advice: secretAdvice}
	f.Message = fmt.Sprintf("a Secret that is not encrypted: %s", names(plain))
	if len(kinds) > 0 {
		f.Severity = finding.Critical
		f.Message += ", with " + kindsText(kinds)
	}
	j.add(f)
}

// secretValues returns the values of a Secret by their names. What is no base64 comes
// as it is.
func secretValues(content map[string]any) map[string]string {
	values := map[string]string{}
	for name, value := range object.Map(content, "data") {
		value, _ := value.(string)
		if decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value)); err == nil && !encrypted(value) {
			value = string(decoded)
		}
		values[name] = value
	}
	for name, value := range object.Map(content, "stringData") {
		if value, ok := value.(string); ok { // it takes the place of data of that name
			values[name] = value
		}
	}
	return values
}

// harmless tells of a Secret's value that says no secret: nothing, something encrypted,
// the name of a secret that is somewhere else, words to be replaced, a certificate.
func harmless(value string) bool {
	value = strings.TrimSpace(value)
	return value == "" || encrypted(value) || reference(value) || placeholder(value) || public(value)
}

// encrypted tells of a value as SOPS writes it.
func encrypted(value string) bool {
	return strings.HasPrefix(value, "ENC[") && strings.HasSuffix(value, "]")
}

// public tells of certificates and public keys.
func public(value string) bool {
	rest := []byte(value)
	for len(bytes.TrimSpace(rest)) > 0 {
		var block *pem.Block
		before := rest
		if block, rest = pem.Decode(rest); block == nil || !bytes.HasPrefix(bytes.TrimSpace(before), []byte("-----BEGIN "+block.Type)) {
			return false
		}
		if block.Type != "CERTIFICATE" && block.Type != "PUBLIC KEY" && block.Type != "X509 CRL" {
			return false
		}
	}
	return true
}

// names joins the first of many names.
func names(all []string) string {
	const most = 5
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}

// credentials looks for credentials in what is no Secret.
func (j *judge) credentials(o object.Object) {
	s := scan{way: j.way[:0]}
	defer func() { j.way = s.way }()
	for field, value := range o.Content {
		if field != "status" && field != "apiVersion" && field != "kind" {
			s.at(step{key: field}, func() { s.value(value) })
		}
	}
	slices.SortFunc(s.hits, func(a, b hit) int { return strings.Compare(a.path, b.path) })
	for _, h := range s.hits {
		severity := finding.Warning
		for _, c := range h.kinds {
			severity = max(severity, c.severity)
		}
		message := fmt.Sprintf("%s holds what looks like %s", h.path, kindsText(h.kinds))
		if len(h.names) > 0 {
			message += " (" + names(h.names) + ")"
		}
		j.add(finding.Finding{
			Rule: finding.PostureSecret, Severity: severity, Object: o.ID, Origin: o.Origin, Subject: h.path,
			Message: message, Advice: "move it into a Secret that is encrypted or fetched from a vault, refer to that, and replace what was in git",
		})
	}
}

// hit is a field that holds credentials: their kinds, and the names that they have
// within the field. It never holds a value.
type hit struct {
	path  string
	kinds []credential
	names []string
}

// step is one step of the way to a value: a field, or a list's item by its name.
type step struct{ key, name string }

// scan walks through an object.
type scan struct {
	hits []hit
	way  []step // to where it is
}

func (s *scan) path() string {
	path := make(differ.Path, len(s.way))
	for i, step := range s.way {
		if path[i] = step.key; step.name != "" {
			path[i] = map[string]any{"name": step.name}
		}
	}
	return path.String()
}

// at has a function look at what is one step further.
func (s *scan) at(next step, look func()) {
	s.way = append(s.way, next)
	look()
	s.way = s.way[:len(s.way)-1]
}

func (s *scan) value(value any) {
	switch value := value.(type) {
	case string:
		s.text(value)
	case map[string]any:
		s.mapping(value)
	case []any:
		if key := s.way[len(s.way)-1].key; key == "args" || key == "command" {
			s.arguments(value)
		}
		for _, item := range value {
			if name := itemName(item); name != "" {
				s.at(step{name: name}, func() { s.value(item) })
			} else {
				s.value(item)
			}
		}
	}
}

func (s *scan) mapping(m map[string]any) {
	// An environment variable, or the like.
	if value, ok := m["value"].(string); ok {
		if c, ok := named(object.Text(m, "name"), value); ok {
			s.at(step{key: "value"}, func() { s.hit([]credential{c}, nil) })
		}
	}
	for key, value := range m {
		if key == "managedFields" || key == "encryptedData" { // the server's; a SealedSecret's
			continue
		}
		s.at(step{key: key}, func() { s.field(key, value) })
	}
}

func (s *scan) field(key string, value any) {
	if value, ok := value.(string); ok {
		if c, ok := named(key, value); ok {
			s.hit([]credential{c}, nil)
		}
	}
	s.value(value)
}

func itemName(item any) string {
	m, _ := item.(map[string]any)
	return object.Text(m, "name")
}

// text looks at a text by itself, and at its lines if it is a file.
func (s *scan) text(value string) {
	if kinds := detect(value); len(kinds) > 0 {
		s.hit(kinds, nil)
	}
	if strings.Contains(value, "\n") {
		if kinds, names := lines(value); len(kinds) > 0 {
			s.hit(kinds, names)
		}
	}
}

// arguments looks at "--password=x" and at "--password", "x".
func (s *scan) arguments(args []any) {
	for i, arg := range args {
		arg, _ := arg.(string)
		if !strings.HasPrefix(arg, "-") {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if !ok && i+1 < len(args) {
			if value, _ = args[i+1].(string); strings.HasPrefix(value, "-") {
				continue
			}
		}
		if c, ok := named(name, value); ok {
			s.hit([]credential{c}, []string{"-" + strings.TrimSuffix(arg, "="+value)[1:]})
		}
	}
}

// hit joins what is found of the field where it is.
func (s *scan) hit(kinds []credential, names []string) {
	path := s.path()
	i := slices.IndexFunc(s.hits, func(h hit) bool { return h.path == path })
	if i < 0 {
		i = len(s.hits)
		s.hits = append(s.hits, hit{path: path})
	}
	h := &s.hits[i]
	for _, c := range kinds {
		if !slices.Contains(h.kinds, c) {
			h.kinds = append(h.kinds, c)
		}
	}
	slices.SortFunc(h.kinds, func(a, b credential) int { return strings.Compare(a.kind, b.kind) })
	all := map[string]bool{}
	for _, name := range append(h.names, names...) {
		all[name] = true
	}
	h.names = slices.Sorted(maps.Keys(all))
}
