package report_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"plumbline.dev/plumbline/report"
)

func htmlOf(t *testing.T, r report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestHTMLIsOneFile wants nothing that a browser would fetch, whoever wrote the values.
func TestHTMLIsOneFile(t *testing.T) {
	for name, r := range map[string]report.Report{"sample": sample(), "hostile": attacked(), "empty": {At: at}} {
		page, err := html.Parse(strings.NewReader(htmlOf(t, r)))
		if err != nil {
			t.Fatal(err)
		}
		for n := range page.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if slices.Contains([]string{"img", "iframe", "object", "embed", "a", "form", "base", "audio", "video", "svg", "math"}, n.Data) {
				t.Errorf("%s: there is an element <%s>", name, n.Data)
			}
			for _, a := range n.Attr {
				if (a.Key == "src" || a.Key == "href") && a.Val != "data:," || strings.HasPrefix(a.Key, "on") || a.Key == "style" {
					t.Errorf("%s: <%s> has %s=%q", name, n.Data, a.Key, a.Val)
				}
			}
		}
	}
}

// TestHTMLTellsAll compares with the text, which is known to.
func TestHTMLTellsAll(t *testing.T) {
	r := attacked()
	page, err := html.Parse(strings.NewReader(htmlOf(t, r)))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	objects := 0
	for n := range page.Descendants() {
		if n.Type == html.TextNode {
			text.WriteString(n.Data)
		}
		if n.Type == html.ElementNode && n.Data == "details" {
			objects++
		}
	}
	told := map[string]bool{}
	for _, f := range r.Findings {
		told[f.Object.String()] = true
	}
	for _, f := range r.Ignored {
		told[f.Object.String()] = true
	}
	for _, u := range r.Unknown {
		told[u.Object.String()] = true
	}
	if objects != len(told) {
		t.Errorf("%d objects are told, want %d", objects, len(told))
	}
	if n := strings.Count(text.String(), "evil"); n < 10*len(attacks) {
		t.Errorf("%d attacks are told: not much of the report", n)
	}
}

// TestHTMLPolicy holds the page's policy to the style and the script that it has.
func TestHTMLPolicy(t *testing.T) {
	page := htmlOf(t, sample())
	if !strings.Contains(page, `content="default-src &#39;none&#39;; style-src &#39;sha256-`) {
		t.Errorf("no policy that forbids all else: %.300s", page)
	}
	for _, file := range []string{"html/style.css", "html/script.js"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(page, ">"+string(text)+"</") {
			t.Errorf("%s is not in the page as it is", file)
		}
		for _, word := range []string{"http:", "https:", "url(", "@import", "fetch(", "innerHTML", "eval("} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s has %s", file, word)
			}
		}
	}
}
