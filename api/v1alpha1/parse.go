package v1alpha1

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	strictjson "sigs.k8s.io/json"
)

// problem is one thing that is wrong, and where.
type problem struct {
	path         string // of the field that it is about; "" is the whole file
	text         string
	line, column int // 0 where the Baseline comes from no file
}

type problems []problem

// Parse reads a Baseline from a file's content, strictly: a field that it does not
// know, a key that stands twice and a value of another type are errors, and what
// kubectl would read otherwise is one too. The error holds all that is wrong, a line
// for each, sorted by place: "baseline.yaml:6:3: unknown field spec.scopes (did you
// mean scope?)".
func Parse(file string, data []byte) (Baseline, error) {
	var b Baseline
	document, found := read(data)
	if document == nil || len(found) > 0 {
		return Baseline{}, found.inFile(file)
	}
	r := reader{places: places{}, open: map[*yaml.Node]bool{}}
	value, ok := r.value(document, reflect.TypeFor[Baseline](), "")
	if !ok {
		return Baseline{}, r.problems.inFile(file)
	}
	if err := decode(value, &b); err != nil {
		r.fail(document, "", "%s", err)
		return Baseline{}, r.problems.inFile(file)
	}
	for i := range b.Spec.Ignore {
		b.Spec.Ignore[i].Line, _ = r.places.of(fmt.Sprintf("spec.ignore[%d]", i))
	}
	for i := range b.Spec.Scope.Exempt {
		b.Spec.Scope.Exempt[i].Line, _ = r.places.of(fmt.Sprintf("spec.scope.exempt[%d]", i))
	}
	unread := slices.Clone(r.problems)
	for _, p := range b.problems() {
		if !unread.explain(p) {
			p.line, p.column = r.places.of(p.path)
			r.problems = append(r.problems, p)
		}
	}
	if len(r.problems) > 0 {
		return Baseline{}, r.problems.inFile(file)
	}
	return b, nil
}

// Locate adds to errors about a Baseline that begin with a field's path, as those of
// packages that read a part of it ("spec.sources.registries[2]: …"), where in its
// file that stands.
func Locate(file string, data []byte, err error) error {
	if err == nil {
		return nil
	}
	r := reader{places: places{}, open: map[*yaml.Node]bool{}}
	if document, _ := read(data); document != nil {
		r.value(document, reflect.TypeFor[Baseline](), "")
	}
	var found problems
	for _, e := range flatten(err) {
		p := problem{path: fieldPath.FindString(e.Error()), text: e.Error()}
		p.line, p.column = r.places.of(p.path)
		found = append(found, p)
	}
	return found.inFile(file)
}

var fieldPath = regexp.MustCompile(`^(apiVersion|kind|metadata|spec)[^\s:]*`)

// flatten takes joined errors apart.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

// read returns the one document of a file.
func read(data []byte) (*yaml.Node, problems) {
	var documents []*yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		err := decoder.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, problems{syntax(data, err)}
		}
		if n.Kind == yaml.DocumentNode && !isNull(n.Content[0]) {
			documents = append(documents, n.Content[0])
		}
	}
	switch len(documents) {
	case 0:
		return nil, problems{{text: "the file is empty: write a Baseline, or let plumbline init print one to begin with", line: 1, column: 1}}
	case 1:
		return documents[0], nil
	default:
		second := documents[1]
		return nil, problems{{text: "the file holds more than one document: write each Baseline into a file of its own", line: second.Line, column: second.Column}}
	}
}

// decode fills in a Baseline. Whatever the reader has let through and JSON refuses is
// an error still.
func decode(value any, b *Baseline) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	unknown, err := strictjson.UnmarshalStrict(text, b)
	return errors.Join(append(unknown, err)...)
}

// explain tells whether one of the problems is about the same place as p, or one
// above or below, so that p may be but its consequence.
func (ps problems) explain(p problem) bool {
	return slices.ContainsFunc(ps, func(other problem) bool {
		return other.path != "" && p.path != "" && (within(other.path, p.path) || within(p.path, other.path))
	})
}

// within tells whether a path is another, or beneath it.
func within(path, other string) bool {
	rest, ok := strings.CutPrefix(path, other)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// inFile is all the problems as one error.
func (ps problems) inFile(file string) error {
	slices.SortStableFunc(ps, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	var lines []error
	for _, p := range slices.Compact(ps) {
		lines = append(lines, errors.New(file+":"+strconv.Itoa(p.line)+":"+strconv.Itoa(p.column)+": "+oneLine(p.text)))
	}
	return errors.Join(lines...)
}

// alone is all the problems as one error, of a Baseline that comes from no file.
func (ps problems) alone() error {
	var lines []error
	for _, p := range ps {
		lines = append(lines, errors.New(p.text))
	}
	return errors.Join(lines...)
}

// oneLine puts the lines of a text one after another.
func oneLine(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ")), " ")
}
