package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"plumbline.dev/plumbline/adopter"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// choice says what is to be adopted.
type choice struct {
	objects, rules, fingerprints []string
	missing, rogue               bool
}

func (c choice) check() error {
	known, err := knownRules()
	if err != nil {
		return err
	}
	for _, rule := range c.rules {
		if !slices.ContainsFunc(known, func(name string) bool { return finding.Rule(name).In(rule) }) {
			return fmt.Errorf("--rule: %q is not a rule: use drift/modified, drift/added, drift/removed, drift/released, drift/missing or rogue/object", rule)
		}
	}
	for _, text := range c.objects {
		if kind, name, ok := strings.Cut(text, "/"); !ok || kind == "" || name == "" {
			return fmt.Errorf("--object: %q is not of the form KIND/NAME", text)
		}
	}
	return nil
}

// narrows tells whether something in particular is chosen.
func (c choice) narrows() bool { return len(c.objects)+len(c.rules)+len(c.fingerprints) > 0 }

// takes tells whether a finding is chosen.
func (c choice) takes(f finding.Finding, namespace string) bool {
	if len(c.fingerprints) > 0 && !slices.Contains(c.fingerprints, f.Fingerprint()) {
		return false
	}
	if len(c.rules) > 0 && !slices.ContainsFunc(c.rules, f.Rule.In) {
		return false
	}
	if f.Object.Namespace != "" && namespace != "" && f.Object.Namespace != namespace && len(c.objects) > 0 {
		return false
	}
	return len(c.objects) == 0 || slices.ContainsFunc(c.objects, func(text string) bool {
		kind, name, _ := strings.Cut(text, "/")
		kind, group, grouped := strings.Cut(kind, ".")
		return strings.EqualFold(kind, f.Object.Kind) && name == f.Object.Name && (!grouped || group == f.Object.Group)
	})
}

// reasons are why findings of a rule are never adopted, or not without a flag.
var reasons = map[finding.Rule]string{
	finding.DriftMissing:      "it does not exist: --missing takes it out of git",
	finding.DriftContested:    "a controller owns it: take it out of git by hand if that is meant",
	finding.DriftPending:      "it waits for its deployment",
	finding.DriftRestarted:    "a restart is nothing to declare",
	finding.DriftUnattributed: "the records of who wrote what are gone, so that it is not known what was added",
	finding.RogueObject:       "nobody declared it: --rogue adds it to git",
}

// choose makes wants of the findings that are chosen.
func (a *adoption) choose(ctx context.Context, o adoptOptions) error {
	var chosen []finding.Finding
	namespace := ""
	if n := o.compare.kube.Namespace; n != nil {
		namespace = *n
	}
	any := false
	for _, f := range a.report.Findings {
		if !o.choice.takes(f, namespace) {
			continue
		}
		switch reason, never := reasons[f.Rule]; {
		case f.Rule == finding.DriftMissing && o.choice.missing, f.Rule == finding.RogueObject && o.choice.rogue:
			chosen = append(chosen, f)
		case never:
			a.passed = append(a.passed, leftover{strings.TrimSpace(f.Object.String() + "  " + paths(f)), reason})
		case f.Rule.In("drift") && f.Rule != finding.DriftControlled:
			chosen = append(chosen, f)
		default:
			continue
		}
		any = true
	}
	if o.choice.narrows() && !any && len(a.report.Unknown) == 0 {
		return errors.New("nothing that differs is chosen by --object, --rule and --fingerprint: see \"plumbline diff\" for what does")
	}
	return a.want(ctx, chosen)
}

func paths(f finding.Finding) string {
	var all []string
	for _, c := range f.Changes {
		all = append(all, c.Path.String())
	}
	return strings.Join(all, ", ")
}

// want reads the live objects of findings and makes wants of these.
func (a *adoption) want(ctx context.Context, findings []finding.Finding) error {
	var ids []object.ID
	for _, f := range findings {
		if f.Rule != finding.DriftMissing && !slices.Contains(ids, f.Object) {
			ids = append(ids, f.Object)
		}
	}
	live := a.live.Read(ctx, ids)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, f := range findings {
		answer := live[f.Object]
		declared, ok := a.rendered(f)
		switch {
		case f.Rule == finding.DriftMissing:
			a.add(f.Object, adopter.Want{What: adopter.Withdraw, Object: declared})
			continue
		case answer.Err != nil:
			return fmt.Errorf("reading %s again: %w", f.Object, answer.Err)
		case f.Rule == finding.RogueObject && f.Object.Kind == "Pod":
			a.passed = append(a.passed, leftover{f.Object.String(), "a Pod by itself is nothing to declare: declare a workload that makes it, or delete it"})
			continue
		case f.Rule == finding.RogueObject:
			a.add(f.Object, adopter.Want{What: adopter.Declare, Object: adopter.Clean(answer.Object)})
			continue
		case !ok:
			return fmt.Errorf("%s is not among the rendered objects", f.Object)
		}
		for _, c := range f.Changes {
			a.add(f.Object, adopter.Want{What: adopter.Field, Object: declared, Change: c, Live: answer.Object.Content})
		}
	}
	return nil
}

func (a *adoption) add(id object.ID, w adopter.Want) {
	a.wants, a.of = append(a.wants, w), append(a.of, id)
}

// rendered finds the object that a finding is about as it was rendered: the finding may
// have it in a namespace and a version that the cluster has filled in.
func (a *adoption) rendered(f finding.Finding) (object.Object, bool) {
	for _, o := range a.declared.objects {
		id := o.ID
		if id.Kind == f.Object.Kind && id.Group == f.Object.Group && id.Name == f.Object.Name &&
			(id.Namespace == f.Object.Namespace || id.Namespace == "" || f.Object.Namespace == "") && o.Origin.Position == f.Origin.Position {
			return o, true
		}
	}
	return object.Object{}, false
}

// name names a want for people. It holds no values.
func (a *adoption) name(i int) string {
	w := a.wants[i]
	switch w.What {
	case adopter.Declare:
		return a.of[i].String() + "  (declared)"
	case adopter.Withdraw:
		return a.of[i].String() + "  (no longer declared)"
	}
	return a.of[i].String() + "  " + w.Change.Path.String()
}

// tell says what was done and what not, and returns the exit code.
func (a *adoption) tell(w io.Writer, left []leftover) int {
	var done []string
	for i := range a.wants {
		if a.result.Refused[i] == nil {
			done = append(done, a.name(i))
		}
	}
	if len(done) > 0 {
		fmt.Fprintln(w, "adopted:")
	}
	for _, name := range done {
		fmt.Fprintln(w, "  "+name)
	}
	for _, file := range a.result.Dependents {
		if len(done) > 0 {
			fmt.Fprintf(w, "note: %s builds on this directory, and changes with it\n", file)
		}
	}
	tellLeft(w, "could not be adopted:", left)
	tellLeft(w, "left alone:", a.passed)
	for _, e := range a.report.Errors {
		fmt.Fprintln(w, "error:", e)
	}
	for _, u := range a.report.Unknown {
		fmt.Fprintf(w, "not compared: %s: %s\n", u.Object, u.Reason)
	}
	if len(done)+len(left)+len(a.passed) == 0 {
		fmt.Fprintln(w, "nothing to adopt")
	}
	switch {
	case len(a.report.Errors) > 0:
		return report.ExitError
	case len(left) > 0:
		return report.ExitFindings
	case len(a.report.Unknown) > 0:
		return report.ExitUnknown
	}
	return 0
}

func tellLeft(w io.Writer, title string, left []leftover) {
	if len(left) > 0 {
		fmt.Fprintln(w, title)
	}
	for _, l := range left {
		fmt.Fprintf(w, "  %s\n      %s\n", l.what, strings.Join(strings.Fields(l.why), " "))
	}
}

// sameContent tells whether two objects are spelled alike.
func sameContent(a, b object.Object) bool {
	x, errX := json.Marshal(a.Content)
	y, errY := json.Marshal(b.Content)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// writeFiles writes files below a directory, each at once or not at all.
func writeFiles(w io.Writer, dir string, files map[string][]byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := writeFile(root, name, files[name]); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
		fmt.Fprintln(w, "wrote", path.Join(dir, name))
	}
	return nil
}

func writeFile(root *os.Root, name string, data []byte) error {
	if data == nil {
		return root.Remove(name)
	}
	mode := fs.FileMode(0o644)
	if info, err := root.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	written := path.Join(path.Dir(name), "."+path.Base(name)+".plumbline")
	f, err := root.OpenFile(written, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(written, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(written))
	}
	return nil
}
