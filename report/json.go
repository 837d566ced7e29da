package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/api/v1alpha1"
	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// The JSON form is a versioned contract: fields are added, never renamed.
type (
	jsonReport struct {
		APIVersion string        `json:"apiVersion"`
		Kind       string        `json:"kind"`
		Baseline   string        `json:"baseline,omitempty"`
		Source     jsonSource    `json:"source"`
		Summary    jsonSummary   `json:"summary"`
		Findings   []jsonFinding `json:"findings"`
		Ignored    []jsonIgnored `json:"ignored,omitempty"`
		Unknown    []jsonUnknown `json:"unknown"`
		// Unconfirmed may be the cluster's values or somebody's.
		Unconfirmed []jsonUnconfirmed `json:"unconfirmed,omitempty"`
		Errors      []string          `json:"errors"`
		Warnings    []string          `json:"warnings"`
		// Review is about a change of the configuration.
		Review *jsonReview `json:"review,omitempty"`
		// Suggested are rules for spec.ignore of a Baseline.
		Suggested []v1alpha1.Ignore `json:"suggestedIgnore,omitempty"`
	}
	jsonList struct {
		APIVersion string       `json:"apiVersion"`
		Kind       string       `json:"kind"`
		Items      []jsonReport `json:"items"`
	}
	jsonSource struct {
		Repository string `json:"repository,omitempty"`
		Ref        string `json:"ref,omitempty"`
		Commit     string `json:"commit,omitempty"`
		Path       string `json:"path,omitempty"`
		WorkTree   bool   `json:"workTree,omitempty"`
	}
	jsonUnconfirmed struct {
		Object jsonObject  `json:"object"`
		Origin *jsonOrigin `json:"origin,omitempty"`
		Paths  []string    `json:"paths"`
	}
	jsonSummary struct {
		Time     string         `json:"time"`
		Objects  int            `json:"objects"`
		Verdicts map[string]int `json:"verdicts"`
		Findings map[string]int `json:"findings"`
		Ignored  int            `json:"ignored"`
	}
	jsonFinding struct {
		Rule        string       `json:"rule"`
		Severity    string       `json:"severity"`
		Fingerprint string       `json:"fingerprint"`
		Object      jsonObject   `json:"object"`
		Subject     string       `json:"subject,omitempty"`
		Evidence    string       `json:"evidence,omitempty"`
		Children    []jsonObject `json:"children,omitempty"`
		Changes     []jsonChange `json:"changes"`
		Origin      *jsonOrigin  `json:"origin,omitempty"`
		Message     string       `json:"message"`
		Advice      string       `json:"advice,omitempty"`
		Since       string       `json:"since,omitempty"`
	}
	jsonIgnored struct {
		jsonFinding
		Reason string `json:"reason"`
	}
	jsonObject struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Namespace  string `json:"namespace,omitempty"`
		Name       string `json:"name"`
	}
	jsonChange struct {
		Path        string       `json:"path"`
		Op          string       `json:"op"`
		Declared    any          `json:"declared,omitempty"`
		Live        any          `json:"live,omitempty"`
		Manager     string       `json:"manager,omitempty"`
		Operation   string       `json:"operation,omitempty"`
		Subresource string       `json:"subresource,omitempty"`
		Time        string       `json:"time,omitempty"`
		NotBefore   string       `json:"notBefore,omitempty"`
		Pending     *jsonPending `json:"pending,omitempty"`
		Origin      *jsonOrigin  `json:"origin,omitempty"`
	}
	jsonPending struct {
		Commit string `json:"commit"`
		Behind int    `json:"behind"`
	}
	jsonOrigin struct {
		File   string `json:"file"`
		Line   int    `json:"line,omitempty"`
		Commit string `json:"commit,omitempty"`
		Author string `json:"author,omitempty"`
		Time   string `json:"time,omitempty"`
	}
	jsonUnknown struct {
		Object *jsonObject `json:"object,omitempty"`
		Origin *jsonOrigin `json:"origin,omitempty"`
		Reason string      `json:"reason"`
	}
)

type (
	jsonReview struct {
		Base        string         `json:"base"`
		Revision    string         `json:"revision,omitempty"`
		Offline     bool           `json:"offline"`
		Overwritten int            `json:"overwritten"`
		LeftOut     int            `json:"leftOut"`
		Objects     []jsonReviewed `json:"objects"`
	}
	jsonReviewed struct {
		Object  jsonObject  `json:"object"`
		Origin  *jsonOrigin `json:"origin,omitempty"`
		Action  string      `json:"action"`
		Changes []jsonStep  `json:"changes"`
		Effects []jsonStep  `json:"effects"`
	}
	jsonStep struct {
		Path       string       `json:"path,omitempty"`
		Op         string       `json:"op"`
		Before     any          `json:"before,omitempty"`
		After      any          `json:"after,omitempty"`
		Overwrites bool         `json:"overwrites,omitempty"`
		Manager    string       `json:"manager,omitempty"`
		Operation  string       `json:"operation,omitempty"`
		Time       string       `json:"time,omitempty"`
		NotBefore  string       `json:"notBefore,omitempty"`
		Pending    *jsonPending `json:"pending,omitempty"`
		Origin     *jsonOrigin  `json:"origin,omitempty"`
	}
)

// JSON writes the report as one JSON document, apiVersion plumbline.dev/v1alpha1
// and kind Report. A change without a manager is one that left no record; its
// notBefore is when the deployer last wrote the object. A change with pending is
// as of that commit, so many commits behind the one that was compared with. A finding
// with since is one that the controller has known for that long.
func JSON(w io.Writer, r Report) error { return writeJSON(w, jsonOf(r)) }

// YAML writes the same document as YAML.
func YAML(w io.Writer, r Report) error { return writeYAML(w, jsonOf(r)) }

// JSONList writes reports as one JSON document, of kind ReportList.
func JSONList(w io.Writer, all []Report) error { return writeJSON(w, listOf(all)) }

// YAMLList writes the same document as YAML.
func YAMLList(w io.Writer, all []Report) error { return writeYAML(w, listOf(all)) }

func listOf(all []Report) jsonList {
	list := jsonList{APIVersion: v1alpha1.APIVersion, Kind: "ReportList", Items: []jsonReport{}}
	for _, r := range all {
		list.Items = append(list.Items, jsonOf(r))
	}
	return list
}

func writeJSON(w io.Writer, document any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}

func writeYAML(w io.Writer, document any) error {
	data, err := json.Marshal(document)
	if err != nil {
		return err
	}
	text, err := yaml.JSONToYAML(escaped(data))
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// escaped escapes the characters that JSON may hold as they are and YAML may not:
// anyone who may write an object may have put them into a name or a value.
func escaped(data []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(data) {
		if r >= 0x7f && r <= 0x9f || r == 0xfeff || r == 0xfffe || r == 0xffff {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}

func jsonOf(r Report) jsonReport {
	out := jsonReport{
		APIVersion: v1alpha1.APIVersion,
		Kind:       "Report",
		Baseline:   r.Baseline,
		Source:     jsonSource{r.Source.Repository, r.Source.Ref, r.Source.Commit, r.Source.Path, r.Source.WorkTree},
		Summary: jsonSummary{
			Time: r.At.UTC().Format(time.RFC3339), Objects: r.Objects(),
			Verdicts: map[string]int{}, Findings: map[string]int{},
			Ignored: r.IgnoredCount,
		},
		Findings: []jsonFinding{}, Unknown: []jsonUnknown{}, Errors: []string{}, Warnings: []string{},
	}
	out.Errors = append(out.Errors, r.Errors...)
	out.Warnings = append(out.Warnings, r.Warnings...)
	for verdict, n := range r.Verdicts {
		out.Summary.Verdicts[string(verdict)] = n
	}
	for _, f := range r.Findings {
		out.Summary.Findings[f.Severity.String()]++
		out.Findings = append(out.Findings, r.jsonFinding(f))
	}
	for _, f := range r.Ignored {
		out.Ignored = append(out.Ignored, jsonIgnored{r.jsonFinding(f.Finding), f.Reason})
	}
	out.Suggested = r.Suggested
	if r.Review != nil {
		out.Review = r.jsonReview(*r.Review)
	}
	for _, u := range r.Unknown {
		entry := jsonUnknown{Reason: u.Reason, Origin: r.jsonOrigin(u.Origin.Position)}
		if u.Object != (object.ID{}) {
			id := jsonObjectOf(u.Object)
			entry.Object = &id
		}
		out.Unknown = append(out.Unknown, entry)
	}
	for _, u := range r.Unconfirmed {
		entry := jsonUnconfirmed{Object: jsonObjectOf(u.Object), Origin: r.jsonOrigin(u.Origin.Position)}
		for _, p := range u.Paths {
			entry.Paths = append(entry.Paths, p.String())
		}
		out.Unconfirmed = append(out.Unconfirmed, entry)
	}
	return out
}

func (r Report) jsonFinding(f finding.Finding) jsonFinding {
	out := jsonFinding{
		Rule: string(f.Rule), Severity: f.Severity.String(), Fingerprint: f.Fingerprint(),
		Object: jsonObjectOf(f.Object), Origin: r.jsonOrigin(f.Origin.Position),
		Subject: f.Subject, Evidence: string(f.Evidence),
		Message: f.Message, Advice: f.Advice, Changes: []jsonChange{},
	}
	out.Since = timeText(r.Since[out.Fingerprint])
	for _, id := range f.Children {
		out.Children = append(out.Children, jsonObjectOf(id))
	}
	for _, c := range f.Changes {
		out.Changes = append(out.Changes, r.jsonChange(c))
	}
	return out
}

func (r Report) jsonReview(review Review) *jsonReview {
	out := &jsonReview{
		Base: review.Base, Revision: review.Revision, Offline: review.Offline,
		Overwritten: review.Overwritten(), LeftOut: review.LeftOut, Objects: []jsonReviewed{},
	}
	for _, o := range review.Objects {
		entry := jsonReviewed{
			Object: jsonObjectOf(o.Object), Origin: r.jsonOrigin(o.Origin.Position), Action: string(o.Action),
			Changes: []jsonStep{}, Effects: []jsonStep{},
		}
		for _, c := range o.Changes {
			entry.Changes = append(entry.Changes, r.jsonStep(c))
		}
		for _, e := range o.Effects {
			step := r.jsonStep(e.Change)
			step.Overwrites = e.Overwrites
			entry.Effects = append(entry.Effects, step)
		}
		out.Objects = append(out.Objects, entry)
	}
	return out
}

func (r Report) jsonStep(c differ.Change) jsonStep {
	said := r.jsonChange(c)
	return jsonStep{
		Path: said.Path, Op: said.Op, Before: said.Declared, After: said.Live,
		Manager: said.Manager, Operation: said.Operation, Time: said.Time, NotBefore: said.NotBefore,
		Pending: said.Pending, Origin: said.Origin,
	}
}

func (r Report) jsonChange(c differ.Change) jsonChange {
	out := jsonChange{
		Path: c.Path.String(), Op: string(c.Op), Declared: c.Declared, Live: c.Live,
		Manager: c.Writer.Manager, Operation: c.Writer.Operation, Subresource: c.Writer.Subresource,
		Time: timeText(c.Writer.Time), NotBefore: timeText(c.Writer.NotBefore),
		Origin: r.jsonOrigin(c.Origin),
	}
	if c.Pending != (differ.Pending{}) {
		out.Pending = &jsonPending{Commit: c.Pending.Commit, Behind: c.Pending.Behind}
	}
	return out
}

func jsonObjectOf(id object.ID) jsonObject {
	return jsonObject{APIVersion: id.APIVersion(), Kind: id.Kind, Namespace: id.Namespace, Name: id.Name}
}

func (r Report) jsonOrigin(p object.Position) *jsonOrigin {
	if p.File == "" {
		return nil
	}
	author := r.Authors[p]
	return &jsonOrigin{File: p.File, Line: p.Line, Commit: author.Commit, Author: author.Name, Time: timeText(author.Time)}
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
