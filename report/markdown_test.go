package report_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	render "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// attacks are texts with which somebody would get out of where they stand; all of them
// have the word "evil" in them.
var attacks = []string{
	"@evil", "#evil", "evil/repo#1", "https://evil.example", "www.evil.example", "x@evil.example",
	"[evil](https://evil.example)", "![](https://evil.example/evil.png)", "<img src=x onerror=evil()>",
	"</code></summary></details><script>evil()</script>", "```\n</details>\n@evil", "`````` evil", "``evil``", "`evil", "evil`",
	"evil -->", "<!-- evil", "]]> evil", "evil | table", "~~~\nevil", "\n\n# evil", "    evil", "&lt;evil&gt; &#64;evil",
	"{{evil}}", "\u202eevil", strings.Repeat("`", 700) + "evil", "</style></title>evil", "javascript:evil()", `" onmouseover="evil()`,
}

// attacked has an attack wherever a report holds what is not ours to choose.
func attacked() report.Report {
	r := report.Report{
		At:       at,
		Baseline: "evil -->", Source: report.Source{Path: "evil` @evil", Commit: "`evil", Repository: "https://evil.example/x", Ref: "evil"},
		Verdicts: map[finding.Verdict]int{finding.Drifted: len(attacks)},
	}
	for i, a := range attacks {
		id := object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: fmt.Sprintf("%s%d", a, i)}
		w := differ.Writer{Manager: a, Operation: "Update", Subresource: a}
		at := object.Position{File: a, Line: i}
		f := finding.Finding{
			Rule: finding.DriftModified, Severity: finding.Severity(1 + i%3), Object: id, Message: a, Advice: a, Subject: a,
			Origin: object.Origin{Position: at}, Children: []object.ID{id},
		}
		whole := f
		whole.Rule = finding.RogueObject
		f.Changes = []differ.Change{
			{Path: differ.Path{"data", a}, Op: differ.Modified, Declared: a, Live: a + "2", Writer: w, Origin: at},
			{Path: differ.Path{"data", map[string]any{"name": a}}, Op: differ.Added, Live: map[string]any{a: []any{a}}, Writer: w},
			{Path: differ.Path{"data", "x"}, Op: differ.Modified, Declared: a + "\n" + a, Live: a + "\nb\n" + a + "\n", Writer: w},
		}
		r.Findings = append(r.Findings, f, whole)
		id.Name += "-ignored"
		f.Object = id
		r.Ignored = append(r.Ignored, finding.Silenced{Finding: f, Reason: a})
		r.Unknown = append(r.Unknown, report.Unknown{Object: object.ID{Kind: a, Name: a}, Reason: a}, report.Unknown{Reason: a})
		r.Unconfirmed = append(r.Unconfirmed, report.Unconfirmed{Object: id, Paths: []differ.Path{{a}}})
		r.Errors, r.Warnings = append(r.Errors, a), append(r.Warnings, a)
	}
	r.ShowUnconfirmed = true
	r.Sort()
	return r
}

func markdownOf(t *testing.T, r report.Report, limit int) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Markdown(&b, r, limit); err != nil {
		t.Fatal(err)
	}
	if b.Len() > limit {
		t.Errorf("%d bytes, and at most %d are wanted", b.Len(), limit)
	}
	return b.String()
}

// rendered is what a forge makes of Markdown, before it takes mentions and links out of
// the text that stands in no code.
func rendered(t *testing.T, markdown string) *html.Node {
	t.Helper()
	var b bytes.Buffer
	forge := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(render.WithUnsafe()))
	if err := forge.Convert([]byte(markdown), &b); err != nil {
		t.Fatal(err)
	}
	page, err := html.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// TestMarkdownHoldsAttacks renders a hostile report as a forge does: whatever is not ours
// is text in code, and there is nothing but what we wrote around it.
func TestMarkdownHoldsAttacks(t *testing.T) {
	elements := []string{"html", "head", "body", "h3", "p", "strong", "code", "pre", "details", "summary", "b"}
	seen := 0
	for n := range rendered(t, markdownOf(t, attacked(), report.GitLabComment)).Descendants() {
		switch n.Type {
		case html.ElementNode:
			if !slices.Contains(elements, n.Data) {
				t.Errorf("there is an element <%s>", n.Data)
			}
			for _, a := range n.Attr {
				if a.Key != "class" {
					t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
				}
			}
		case html.TextNode:
			in := n.Parent.Data
			if strings.Contains(n.Data, "evil") && in != "code" {
				t.Errorf("in <%s>: %.200q", in, n.Data)
			}
			seen += strings.Count(n.Data, "evil")
		case html.CommentNode:
			if strings.ContainsAny(n.Data, "<>@# ") && strings.Trim(n.Data, " ") != "plumbline:evil_--_" {
				t.Errorf("the comment %q", n.Data)
			}
		}
	}
	if seen < 10*len(attacks) {
		t.Errorf("%d attacks are told: not much of the report", seen)
	}
}

var leftOut = regexp.MustCompile(`\*\*([0-9]+) of ([0-9]+) objects? left out`)

// TestMarkdownLimits cuts at every size: nothing is too long, each object is told as a
// whole or counted, and no block is left open.
func TestMarkdownLimits(t *testing.T) {
	for name, r := range map[string]report.Report{"sample": sample(), "hostile": attacked(), "large": large(3000)} {
		t.Run(name, func(t *testing.T) {
			whole := subjectsIn(rendered(t, markdownOf(t, r, 100_000_000)))
			for _, limit := range []int{report.LeastMarkdown, 5000, 6001, 8002, 12_003, 20_004, 40_005, report.GitHubComment, report.GitLabComment} {
				text := markdownOf(t, r, limit)
				told, left := subjectsIn(rendered(t, text)), 0
				if m := leftOut.FindStringSubmatch(text); m != nil {
					left, _ = strconv.Atoi(m[1])
				}
				for _, s := range told {
					if !slices.Contains(whole, s) {
						t.Errorf("limit %d: an object is told in part: %.300q", limit, s)
					}
				}
				if len(told)+left != len(whole) {
					t.Errorf("limit %d: %d objects are told and %d counted, want %d", limit, len(told), left, len(whole))
				}
				if !strings.HasPrefix(text, "<!-- plumbline:") {
					t.Errorf("limit %d: no marker: %.40q", limit, text)
				}
			}
		})
	}
}

// TestMarkdownKeepsTheWorst leaves out what matters less.
func TestMarkdownKeepsTheWorst(t *testing.T) {
	r := large(3000)
	last := &r.Findings[len(r.Findings)-1]
	last.Severity = finding.Critical
	told := subjectsIn(rendered(t, markdownOf(t, r, report.LeastMarkdown)))
	if len(told) < 2 || !strings.Contains(told[0], last.Object.Name) {
		t.Errorf("the critical finding is not the first: %.300q", told)
	}
}

// subjectsIn are the texts of what is folded away and is about an object.
func subjectsIn(page *html.Node) []string {
	var all []string
	for n := range page.Descendants() {
		if n.Type != html.ElementNode || n.Data != "details" || n.FirstChild.FirstChild.Data != "b" {
			continue
		}
		var text strings.Builder
		for inner := range n.Descendants() {
			if inner.Type == html.TextNode {
				text.WriteString(inner.Data)
			}
		}
		all = append(all, text.String())
	}
	return all
}

// large is a report on so many objects.
func large(n int) report.Report {
	r := report.Report{At: at, Verdicts: map[finding.Verdict]int{finding.Drifted: n}}
	for i := range n {
		r.Findings = append(r.Findings, finding.Finding{
			Rule: finding.DriftModified, Severity: finding.Warning, Object: object.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: fmt.Sprintf("settings-%05d", i)},
			Changes: []differ.Change{{Path: differ.Path{"data", "level"}, Op: differ.Modified, Declared: "info", Live: "debug", Writer: differ.Writer{Manager: "kubectl-edit"}}},
			Message: "declared fields have other values", Advice: "deploy git again",
		})
	}
	return r
}
