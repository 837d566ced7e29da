package render

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
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
		if several, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // only a join itself is taken apart
			flat = append(flat, flatten(several.Unwrap())...)
		} else if err != nil {
			flat = append(flat, err)
		}
	}
	return flat
}

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
	configDump = regexp.MustCompile("(?s)with config: `.*`: ")
	innerPath  = regexp.MustCompile(`path '/([^']*)'`)
	resourceID = regexp.MustCompile(`\b([A-Za-z]\w*)\.([^.\s]+)\.(\[noGrp\]|[a-z0-9.-]+)/([^\s"]+?)\.(\[noNs\]|[a-z0-9-]+)(?:["\s;,:)]|$)`)
	absolute   = regexp.MustCompile(`(^|[\s'"(])/([\w.-])`)
)

// explain makes one line, with a position, of an error of kustomize's, and
// keeps the values of Secrets out of it.
func (t *tree) explain(err error) error {
	var positioned *object.Error
	if errors.As(err, &positioned) {
		return positioned
	}
	text := configDump.ReplaceAllString(err.Error(), "with config: ")
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
	if strings.Contains(text, "SecretGenerator") {
		return object.At(at.File, t.lineOfSecrets(at.File), errors.New("secretGenerator: its sources are malformed (not shown, as they may hold secrets)"))
	}
	if p, ok := t.culprit(text); ok {
		at = p
	}
	text = oneLine(strings.ReplaceAll(text, "**** Too many", "\n"))
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
	text = absolute.ReplaceAllString(t.mask(text), "$1$2")
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
	var found []object.Object
	for _, name := range sortedKeys(t.files) {
		for _, o := range t.files[name].objects {
			if o.ID.Kind == m[1] && strings.Contains(m[4], o.ID.Name) {
				found = append(found, o)
			}
		}
	}
	switch len(found) {
	case 0:
		return nil
	case 1:
		found = append(found, found[0])
	}
	return duplicate(found[0], found[1])
}

// culprit finds the patch that an error speaks of by its target's identity.
func (t *tree) culprit(text string) (object.Position, bool) {
	if !strings.Contains(text, "patch") && !strings.Contains(text, "no matches for Id") {
		return object.Position{}, false
	}
	m := resourceID.FindStringSubmatch(text)
	for _, dir := range sortedKeys(t.known) {
		for _, p := range t.patchesOf(t.known[dir]) {
			if m != nil && p.names(m[1], m[4]) || m == nil && p.file != "" && strings.Contains(text, `"`+p.named+`"`) {
				return p.position, true
			}
		}
	}
	return object.Position{}, false
}

func (t *tree) lineOfSecrets(file string) int {
	for _, k := range t.known {
		if k.file == file {
			return lineOf(k.root, "secretGenerator")
		}
	}
	return 0
}

// mask blots out the values of every Secret of the tree.
func (t *tree) mask(text string) string {
	var secrets []string
	for _, k := range t.known {
		for _, g := range k.spec.SecretGenerator {
			for _, literal := range g.LiteralSources {
				_, value, _ := strings.Cut(literal, "=")
				secrets = append(secrets, value, strings.Trim(value, `"'`))
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
