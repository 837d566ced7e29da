package report_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"plumbline.dev/plumbline/report"
)

// browser starts a Chromium that has nothing to do with another.
func browser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("there is no Chromium in PATH, so that no page was looked at in a browser: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // which does not start as root
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// watched opens a page and keeps what the browser complains of and asks for.
type watched struct {
	sync.Mutex
	complaints, requests []string
}

func (w *watched) listen(ctx context.Context) error {
	return chromedp.Listen(ctx, func(event any) {
		w.Lock()
		defer w.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			w.complaints = append(w.complaints, e.Entry.Text)
		case *runtime.EventExceptionThrown:
			w.complaints = append(w.complaints, e.ExceptionDetails.Text)
		case *page.EventJavascriptDialogOpening:
			w.complaints = append(w.complaints, "a dialog: "+e.Message)
		case *network.EventRequestWillBeSent:
			w.requests = append(w.requests, e.Request.URL)
		}
	})
}

// opened writes a page and opens it.
func opened(ctx context.Context, t *testing.T, r report.Report) (string, *watched) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte(htmlOf(t, r)), 0o600); err != nil {
		t.Fatal(err)
	}
	var w watched
	do(ctx, t, chromedp.Navigate("about:blank"))
	if err := w.listen(ctx); err != nil {
		t.Fatal(err)
	}
	called(ctx, t, network.Enable, network.EnableParams{})
	called(ctx, t, log.Enable, cdp.Empty{})
	called(ctx, t, runtime.Enable, cdp.Empty{})
	do(ctx, t, chromedp.Navigate("file://"+file))
	return "file://" + file, &w
}

// called sends a command of the browser's protocol.
func called[P, R any](ctx context.Context, t *testing.T, command cdp.Command[P, R], parameters P) {
	t.Helper()
	if _, err := chromedp.Call(ctx, command, parameters); err != nil {
		t.Fatal(err)
	}
}

func do(ctx context.Context, t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// asked evaluates an expression in the page.
func asked[T any](ctx context.Context, t *testing.T, expression string) T {
	t.Helper()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// TestBrowserHoldsAttacks opens a hostile report, beside a server that would notice.
func TestBrowserHoldsAttacks(t *testing.T) {
	ctx := browser(t)
	calls := make(chan string, 100)
	evil := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { calls <- r.URL.String() }))
	defer evil.Close()
	before := attacks
	defer func() { attacks = before }()
	for _, a := range before {
		attacks = append(attacks, strings.ReplaceAll(strings.ReplaceAll(a, "https://evil.example", evil.URL), "src=x", "src="+evil.URL))
	}
	file, w := opened(ctx, t, attacked())
	n := asked[int](ctx, t, `document.querySelectorAll("details.object").length`)
	if n < len(attacks) {
		t.Errorf("%d objects are shown of a report on %d and more", n, len(attacks))
	}
	if title := asked[string](ctx, t, "document.title"); !strings.HasPrefix(title, "Plumbline: ") {
		t.Errorf("the title is %q", title)
	}
	w.Lock()
	defer w.Unlock()
	for _, c := range w.complaints {
		t.Errorf("the browser says: %s", c)
	}
	for _, u := range w.requests {
		if u != file && u != "data:," {
			t.Errorf("the page asks for %s", u)
		}
	}
	select {
	case u := <-calls:
		t.Errorf("somebody else is asked for %s", u)
	default:
	}
}

// TestBrowserSearch uses the page by keyboard alone.
func TestBrowserSearch(t *testing.T) {
	ctx := browser(t)
	file, _ := opened(ctx, t, sample())
	const visible = `Array.from(document.querySelectorAll("details.object")).filter(d => d.offsetParent).map(d => d.querySelector(".name").textContent).join("|")`
	all := asked[string](ctx, t, visible)
	if n := strings.Count(all, "|"); n < 8 {
		t.Fatalf("few objects to begin with: %s", all)
	}
	do(ctx, t, chromedp.KeyEvent("/"), chromedp.KeyEvent("EVIL miner"))
	if got := asked[string](ctx, t, visible); got != "Deployment.apps shop/web" {
		t.Errorf("a search for two words of a value shows %q", got)
	}
	if got := asked[string](ctx, t, `document.querySelector("[role=status]").textContent`); !strings.HasPrefix(got, "1 of ") {
		t.Errorf("the page says %q", got)
	}
	do(ctx, t, chromedp.KeyEvent(kb.Escape))
	if got := asked[string](ctx, t, visible); got != all {
		t.Errorf("after Escape there is %q, want %q", got, all)
	}
	do(ctx, t, chromedp.Navigate(file+"#shop%2Ftoken"))
	if got := asked[string](ctx, t, visible); got != "Secret shop/token" {
		t.Errorf("a link to a search shows %q", got)
	}
	do(ctx, t, chromedp.Evaluate[chromedp.Void](`document.querySelector("#close").focus()`), chromedp.KeyEvent(kb.Enter))
	if asked[bool](ctx, t, `Array.from(document.querySelectorAll("details")).filter(d => d.offsetParent).some(d => d.open)`) {
		t.Error("something is still unfolded")
	}
	do(ctx, t, chromedp.Evaluate[chromedp.Void](`Array.from(document.querySelectorAll("summary")).find(s => s.offsetParent).focus()`), chromedp.KeyEvent(kb.Enter))
	if !asked[bool](ctx, t, `Array.from(document.querySelectorAll("details")).find(d => d.offsetParent).open`) {
		t.Error("a summary does not open by the keyboard")
	}
}

// TestBrowserLooks wants the page to fit a phone and a desk, in the light and in the dark,
// with what can be read against its background. With PLUMBLINE_SCREENSHOTS it leaves a
// picture of each in that directory.
func TestBrowserLooks(t *testing.T) {
	ctx := browser(t)
	for name, r := range map[string]report.Report{"sample": sample(), "hostile": attacked(), "review": reviewing()} {
		opened(ctx, t, r)
		for _, scheme := range []string{"light", "dark"} {
			for device, width := range map[string]int64{"phone": 360, "desk": 1280} {
				called(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
				do(ctx, t, chromedp.EmulateViewport(width, 800))
				if over := asked[int64](ctx, t, "document.documentElement.scrollWidth"); over > width {
					t.Errorf("%s on a %s: %d pixels wide", name, device, over)
				}
				if low := asked[[]string](ctx, t, contrast); len(low) > 0 {
					t.Errorf("%s, %s: hard to read: %s", name, scheme, strings.Join(low, "; "))
				}
				picture(ctx, t, strings.Join([]string{name, scheme, device}, "-"))
			}
		}
	}
}

// contrast lists the kinds of elements whose text has less than 4.5:1 to what is behind
// it (WCAG 2.2, 1.4.3).
const contrast = `(() => {
  const channels = (c) => c.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = channels(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const low = new Set();
  for (const e of document.querySelectorAll("body *")) {
    if (!Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.data.trim()) || e.tagName === "SCRIPT") continue;
    const [a, b] = [luminance(channels(getComputedStyle(e).color)), luminance(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.add(e.tagName + "." + e.className + " " + ((a + 0.05) / (b + 0.05)).toFixed(2));
  }
  return Array.from(low);
})()`

// picture leaves a screenshot, where somebody wants one.
func picture(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	data, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if len(data) < 10_000 {
		t.Errorf("%s: an empty picture of %d bytes", name, len(data))
	}
	if dir := os.Getenv("PLUMBLINE_SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), data, 0o600); err != nil {
			t.Error(err)
		}
	}
}
