package render

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"plumbline.dev/plumbline/object"
)

// joined joins errors in the order of their positions, each once.
func joined(errs []error) error {
	flat := flatten(errs)
	slices.SortStableFunc(flat, func(a, b error) int {
		pa, pb := positionOf(a), positionOf(b)
		return cmp.Or(strings.Compare(pa.File, pb.File), cmp.Compare(pa.Line, pb.Line), strings.Compare(a.Error(), b.Error()))
	})
	flat = slices.CompactFunc(flat, func(a, b error) bool { return a.Error() == b.Error() })
	return errors.Join(flat...)
}

func flatten(errs []error) []error {
	var flat []error
	for _, err := range errs {
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			flat = append(flat, flatten(several.Unwrap())...)
		} else if err != nil {
			flat = append(flat, onLine(err))
		}
	}
	return flat
}

// onLine returns an error whose text, file name included, takes one line, even
// if a hostile repository has names that take more.
func onLine(err error) error {
	if !strings.ContainsAny(err.Error(), "\n\r") {
		return err
	}
	p := positionOf(err)
	return object.At(oneLine(p.File), p.Line, folded{unpositioned(err)})
}

// folded is an error with its text on one line.
type folded struct{ error }

func (f folded) Error() string { return oneLine(f.error.Error()) }
func (f folded) Unwrap() error { return f.error }

func positionOf(err error) object.Position {
	var positioned *object.Error
	if errors.As(err, &positioned) {
		return positioned.Position
	}
	return object.Position{}
}

// maxErrorText is how much of a foreign error's text is shown.
const maxErrorText = 300

var (
	// wrappers are the layers that kustomize puts around a cause.
	wrappers = regexp.MustCompile(`^(?:accumulating (?:resources|components)(?: from '[^']*')?|` +
		`(?:accumulateDirectory|recursed (?:accumulation of|merging from) path '[^']*')|` +
		`merging (?:resources from '[^']*'|from generator)|loader\.New|` +
		`accumulation err='[^']*(?:'[^']*'[^']*)*'|trouble configuring builtin \w+ with config|` +
		`load(?:ing generator plugins|er)|failed to (?:load|apply) \w+): `)
	configDump   = regexp.MustCompile("(?s)with config: `.*`: ")
	inlineText   = regexp.MustCompile(`\[patch: "(?:[^"\\]|\\.)*"\]`)
	innerPath    = regexp.MustCompile(`path '/([^']*)'`)
	resourceID   = regexp.MustCompile(`\b([A-Za-z]\w*)\.([^.\s]+)\.(\[noGrp\]|[a-z0-9.-]+)/([^\s"]+?)\.(\[noNs\]|[a-z0-9-]+)(?:["'\s;,:)]|$)`)
	fileCause    = regexp.MustCompile(`(?s)accumulation err='(.*)': (?:must build at directory|[^:]*): .*file is not directory`)
	absolute     = regexp.MustCompile(`((?:directory|root|path|at directory:) ')/`)
	unbuilt      = regexp.MustCompile(`reading the built (\S+) (\S+): json: unsupported type: map`)
	nothingThere = regexp.MustCompile(`(?s)Kind:"(\w+)".*Name:"([^"]+)".*does not exist; cannot merge or replace`)
)

// explain makes one line, with a position, of an error of kustomize's, and
// keeps the values of Secrets out of it.
func (t *tree) explain(err error) error {
	var positioned *object.Error
	if errors.As(err, &positioned) {
		return positioned
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return object.At(t.root.file, 0, err)
	}
	text := configDump.ReplaceAllString(err.Error(), "with config: ")
	if m := fileCause.FindStringSubmatch(text); m != nil {
		text = m[1] // it is a file, and this is what is wrong with it
	}
	at := object.Position{File: t.root.file}
	if m := innerPath.FindAllStringSubmatch(text, -1); m != nil {
		if k := t.known[m[len(m)-1][1]]; k != nil {
			at.File = k.file
		}
	}
	if strings.Contains(text, "registered id") || strings.Contains(text, "exists in") {
		if err := t.duplicateIn(text); err != nil {
			return err
		}
	}
	if strings.Contains(text, "SecretGenerator") || strings.Contains(text, "loading KV pairs") {
		if p, ok := t.secretGenerator(at.File); ok {
			return object.At(p.File, p.Line, errors.New("a generator's sources are malformed (not shown, as they may hold secrets)"))
		}
	}
	if m := unbuilt.FindStringSubmatch(text); m != nil {
		if o := t.named(m[1], m[2]); len(o) > 0 {
			return object.At(o[0].Origin.File, o[0].Origin.Line, fmt.Errorf("kustomize cannot encode %s %s: a key of one of its mappings is not a text; quote it", m[1], m[2]))
		}
	}
	if m := nothingThere.FindStringSubmatch(text); m != nil {
		return t.idle(m[1], m[2])
	}
	if p, ok := t.culprit(text); ok {
		at = p
	}
	text = inlineText.ReplaceAllString(text, "the inline patch") // it may be a Secret's
	text, _, _ = strings.Cut(text, "**** Too many")
	text = oneLine(text)
	for {
		m := wrappers.FindString(text)
		if m == "" {
			break
		}
		text = text[len(m):]
	}
	if m := resourceID.FindStringSubmatch(text); m != nil && strings.Contains(text, "no matches for Id") {
		text = fmt.Sprintf("the patch changes %s %s, which is not there", m[1], m[4])
	}
	text = absolute.ReplaceAllString(t.mask(text), "$1")
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "…"
	}
	return object.At(at.File, at.Line, errors.New(text))
}

// duplicateIn finds the documents of the object that kustomize met twice.
func (t *tree) duplicateIn(text string) error {
	m := resourceID.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	found := t.named(m[1], m[4])
	switch len(found) {
	case 0:
		return nil
	case 1:
		found = append(found, found[0])
	}
	return duplicate(found[0], found[1])
}

// named returns the documents of a kind that may have become an object of that
// name.
func (t *tree) named(kind, name string) []object.Object {
	var found []object.Object
	for _, file := range sortedKeys(t.files) {
		for _, o := range t.files[file].objects {
			if o.ID.Kind == kind && strings.Contains(name, o.ID.Name) {
				found = append(found, o)
			}
		}
	}
	return found
}

// culprit finds the patch that an error speaks of by its target's identity.
func (t *tree) culprit(text string) (object.Position, bool) {
	if !strings.Contains(text, "patch") && !strings.Contains(text, "no matches for Id") && !strings.Contains(text, "for path") {
		return object.Position{}, false
	}
	m := resourceID.FindStringSubmatch(text)
	for _, dir := range sortedKeys(t.known) {
		k := t.known[dir]
		for _, p := range slices.Concat(t.patchesOf(k), t.jsonPatchesOf(k)) {
			switch {
			case m != nil && p.names(m[1], m[4]),
				m == nil && p.file != "" && strings.Contains(text, `"`+p.named+`"`),
				m == nil && p.file == "" && p.text != "" && strings.Contains(text, strconv.Quote(strings.TrimSpace(p.text))):
				return p.position, true
			}
			for _, op := range p.operations {
				if strings.Contains(text, `"`+op.Value+`"`) || strings.Contains(text, "'"+op.Value+"'") {
					return object.Position{File: p.position.File, Line: op.Line}, true
				}
			}
		}
	}
	return object.Position{}, false
}

// idle is the error about a generator that has nothing to merge into or replace.
func (t *tree) idle(kind, name string) error {
	at := object.Position{File: t.root.file}
	for _, dir := range sortedKeys(t.known) {
		for _, g := range t.known[dir].generators() {
			if g.kind == kind && g.name == name && g.behavior != "" && g.behavior != "create" {
				at = object.Position{File: t.known[dir].file, Line: g.line}
			}
		}
	}
	return object.At(at.File, at.Line, fmt.Errorf("the generator of %s %s finds nothing to merge into or to replace", kind, name))
}

// secretGenerator returns where secrets are generated: in the given file, or else
// in the first that does.
func (t *tree) secretGenerator(file string) (object.Position, bool) {
	var found object.Position
	for _, dir := range sortedKeys(t.known) {
		k := t.known[dir]
		if len(k.spec.SecretGenerator) > 0 && (found.File == "" || k.file == file) {
			found = object.Position{File: k.file, Line: lineOf(k.root, "secretGenerator")}
		}
	}
	return found, found.File != ""
}

// mask blots out the values of every Secret of the tree.
func (t *tree) mask(text string) string {
	var secrets []string
	for _, k := range t.known {
		for _, g := range k.spec.SecretGenerator {
			for _, literal := range g.LiteralSources {
				_, value, _ := strings.Cut(literal, "=")
				secrets = append(secrets, literal, value, strings.Trim(value, `"'`))
			}
		}
	}
	for _, f := range t.files {
		for _, o := range f.objects {
			if o.ID.Kind == "Secret" {
				secrets = append(secrets, texts(o.Content["data"])...)
				secrets = append(secrets, texts(o.Content["stringData"])...)
			}
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, secret := range secrets {
		if secret = oneLine(secret); len(secret) > 2 {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}

func texts(v any) []string {
	m, _ := v.(map[string]any)
	var all []string
	for _, value := range m {
		if s, ok := value.(string); ok {
			all = append(all, s)
		}
	}
	return all
}
