package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"
)

//go:embed html/page.html
var pageSource string

//go:embed html/style.css
var pageStyle string

//go:embed html/script.js
var pageScript string

var pageTemplate = sync.OnceValues(func() (*template.Template, error) {
	return template.New("page").Parse(pageSource)
})

// maxOpen is the number of objects up to which a page shows all of them unfolded.
const maxOpen = 30

// What the page is made of.
type (
	page struct {
		Policy, Verdict, Counts string
		Signs                   [2]string
		Style                   template.CSS
		Script                  template.JS
		Facts                   []pageFact
		Errors, Notes, Advice   []string
		Objects                 []pageObject
		Suggested               string
	}
	pageFact   struct{ Name, Value string }
	pageObject struct {
		Class, State, Name, Place string
		Open                      bool
		Blocks                    []pageBlock
	}
	pageBlock struct {
		About, Facts string
		Whole        bool
		Lines        []pageLine
	}
	pageLine struct{ Class, Text string }
)

// HTML writes the report as a page of one file, which can be searched and read on a
// phone, by keyboard, and in the dark. It asks no server for anything, and its policy has
// the browser see to that.
func HTML(w io.Writer, r Report) error {
	t := r.teller(TextOptions{})
	p := page{
		Policy: "default-src 'none'; style-src " + hashOf(pageStyle) + "; script-src " + hashOf(pageScript) +
			"; img-src data:; base-uri 'none'; form-action 'none'",
		Style: template.CSS(pageStyle), Script: template.JS(pageScript), // #nosec -- our own files
		Verdict: r.verdict(), Counts: r.counts(), Facts: r.pageFacts(),
		Errors: readable(r.Errors), Notes: r.notes(), Advice: readable(r.advices()),
		Objects: t.pageObjects(r.told().subjects()), Signs: r.signs(),
	}
	if len(r.Suggested) > 0 {
		rules, err := rulesYAML(r.Suggested)
		if err != nil {
			return err
		}
		p.Suggested = strings.Join(readable(strings.Split(strings.TrimSpace(rules), "\n")), "\n")
	}
	parsed, err := pageTemplate()
	if err != nil {
		return err
	}
	return parsed.Execute(w, p)
}

// hashOf is how a content security policy names a text that it lets through.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func readable(lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, printable(line))
	}
	return all
}

// pageFacts say what was compared, and when.
func (r Report) pageFacts() []pageFact {
	commit := r.Source.Commit
	if r.Source.WorkTree && commit != "" {
		commit += ", and what the work tree has on top"
	}
	facts := []pageFact{
		{"Baseline", r.Baseline}, {"Repository", r.Source.Repository}, {"Directory", r.Source.Path},
		{"Ref", r.Source.Ref}, {"Commit", commit},
	}
	if r.Review != nil {
		facts = append(facts, pageFact{"Change since", since(r.Review)})
	}
	facts = append(facts, pageFact{"Compared", exact(r.At)})
	facts = slices.DeleteFunc(facts, func(f pageFact) bool { return f.Value == "" })
	for i := range facts {
		facts[i].Value = printable(facts[i].Value)
	}
	return facts
}

// pageObjects are those of which there is something to tell, the worst first.
func (t *text) pageObjects(all []subject) []pageObject {
	all = worstFirst(all)
	var objects []pageObject
	for _, s := range all {
		o := pageObject{Class: s.class(), State: s.state(), Name: s.name(), Open: len(all) <= maxOpen}
		if s.origin.File != "" {
			o.Place = t.place(s.origin.Position)
		}
		for _, b := range t.blocks(s) {
			o.Blocks = append(o.Blocks, b.page())
		}
		objects = append(objects, o)
	}
	return objects
}

// class names the state for the style sheet.
func (s subject) class() string {
	switch state := s.state(); state {
	case "critical", "warning", "info":
		return state
	case "overwrites":
		return "warning"
	case string(Created), string(Changed), string(Deleted):
		return "info"
	case "not compared":
		return "unknown"
	}
	return "quiet"
}

func (b block) page() pageBlock {
	p := pageBlock{About: b.about, Facts: b.facts, Whole: b.whole}
	for _, line := range b.lines {
		class := "other"
		switch {
		case strings.HasPrefix(line, "-"):
			class = "minus"
		case strings.HasPrefix(line, "+"):
			class = "plus"
		}
		p.Lines = append(p.Lines, pageLine{class, line})
	}
	return p
}
