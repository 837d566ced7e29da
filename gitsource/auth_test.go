package gitsource_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"plumbline.dev/plumbline/gitsource"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
)

const (
	user   = "robot-7f3a"
	secret = "hunter2-c0ffee"
)

// oneCommit returns a repository with one file.
func oneCommit(t *testing.T) *gitsourcetest.Repo {
	t.Helper()
	repo := gitsourcetest.NewRepo(t)
	repo.Commit(gitsourcetest.Commit{Files: files("1")})
	return repo
}

// withUserinfo puts a user and password into a URL.
func withUserinfo(url, userinfo string) string {
	return strings.Replace(url, "://", "://"+userinfo+"@", 1)
}

func TestHTTPCredentials(t *testing.T) {
	t.Parallel()
	repo := oneCommit(t)
	basic := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{Username: user, Password: secret})
	bearer := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{Token: secret})
	for name, c := range map[string]struct {
		url  string
		auth gitsource.Auth
		says []string // empty: it is let in
	}{
		"basic":            {url: basic.Repo(), auth: gitsource.Auth{Username: user, Password: secret}},
		"basic in the URL": {url: withUserinfo(basic.Repo(), user+":"+secret)},
		"token":            {url: bearer.Repo(), auth: gitsource.Auth{Token: secret}},
		"none":             {url: basic.Repo(), says: []string{"authentication failed", "none are given"}},
		"wrong password": {
			url: basic.Repo(), auth: gitsource.Auth{Username: user, Password: secret + "!"},
			says: []string{"authentication failed", "does not accept", basic.Repo()},
		},
		"wrong password in the URL": {
			url:  withUserinfo(basic.Repo(), user+":"+secret+"!"),
			says: []string{"authentication failed", withUserinfo(basic.Repo(), "***")},
		},
		"wrong token": {
			url: bearer.Repo(), auth: gitsource.Auth{Token: secret + "!"},
			says: []string{"authentication failed", "does not accept"},
		},
		"token as the user": {
			url:  withUserinfo(bearer.Repo(), secret),
			says: []string{"authentication failed", "***@"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := gitsource.Options{URL: c.url, Auth: c.auth}
			if len(c.says) == 0 {
				s := fetch(t, opts)
				hidesSecrets(t, fmt.Sprintf("%s %v %+v %#v %+v", s.URL, s, *s, s, opts), user, secret)
				return
			}
			err := failure(t, opts, c.says...)
			hidesSecrets(t, fmt.Sprintf("%v %+v %#v", err, err, err), user, secret, base64.StdEncoding.EncodeToString([]byte(user+":"+secret+"!")))
			_, err = gitsource.Resolve(t.Context(), opts)
			says(t, err, "authentication failed")
			hidesSecrets(t, err.Error(), user, secret)
		})
	}
}

func TestNothingPrintsCredentials(t *testing.T) {
	t.Parallel()
	opts := gitsource.Options{
		URL:  "https://" + user + ":" + secret + "@git.example.com/shop.git",
		Ref:  "main",
		Auth: gitsource.Auth{Username: user, Password: secret, SSHKey: []byte(secret), SSHPassphrase: secret},
	}
	var out bytes.Buffer
	for _, v := range []any{opts, &opts, opts.Auth, &opts.Auth} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("fetching", "options", v)
		}
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	hidesSecrets(t, out.String(), user, secret, fmt.Sprintf("%x", secret), base64.StdEncoding.EncodeToString([]byte(secret)))
	says(t, fmt.Errorf("%v", opts), "https://***@git.example.com/shop.git@main")
}

func TestOptionsThatAreRefused(t *testing.T) {
	t.Parallel()
	for url, part := range map[string]string{
		"":                         "no URL",
		"-oProxyCommand=x@h:p":     "dash",
		"ext::sh -c touch% /tmp/x": "remote helper",
		"fd::3":                    "remote helper",
		"ftp://h/p":                `scheme "ftp"`,
		"http://git.example.com/p": "plain http",
		"https://git.example.com":  "no repository",
		"https://" + user + ":" + secret + "@h/p?token=x": "query",
		"https://" + user + ":" + secret + "@h:port/p":    "malformed",
		"https://" + user + ":" + secret + "@h/%zz":       "malformed",
		"git://h/p\nhost=other":                           "control characters",
		"git://h/p%0ahost=other":                          "control characters",
		"file://server/share":                             "only local files",
		"ssh://-oProxyCommand=x/p":                        "usable host",
	} {
		err := gitsource.Options{URL: url}.Validate()
		says(t, err, part)
		hidesSecrets(t, err.Error(), user, secret)
	}
	for _, o := range []gitsource.Options{
		{URL: "https://h/p", Depth: -2},
		{URL: "https://h/p", Limits: gitsource.Limits{Files: -1}},
		{URL: "https://h/p", Auth: gitsource.Auth{Token: "a", Password: "b"}},
		{URL: "https://h/p", Auth: gitsource.Auth{CABundle: []byte("not PEM")}},
	} {
		if o.Validate() == nil {
			t.Errorf("%+v is valid", o)
		}
	}
	for _, url := range []string{"https://h/p", "ssh://git@h:2222/p", "git@h:org/p.git", "git://h/p", "file:///p", "/p", "./p", "http://127.0.0.1:3000/p", "http://[::1]:3000/p"} {
		if err := (gitsource.Options{URL: url}).Validate(); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestRedirectsKeepCredentialsAtHome(t *testing.T) {
	t.Parallel()
	repo := oneCommit(t)
	var seen http.Header
	other := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{
		Intercept: func(_ http.ResponseWriter, req *http.Request) bool {
			if h := req.Header.Get("Authorization"); h != "" {
				seen = req.Header.Clone()
			}
			return false
		},
	})
	home := gitsourcetest.Serve(t, repo, gitsourcetest.ServerOptions{
		Intercept: func(w http.ResponseWriter, req *http.Request) bool {
			http.Redirect(w, req, other.URL+req.URL.RequestURI(), http.StatusFound)
			return true
		},
	})
	fetch(t, gitsource.Options{URL: home.Repo(), Auth: gitsource.Auth{Username: user, Password: secret}})
	if len(seen) > 0 {
		t.Errorf("the other host was sent credentials: %v", seen)
	}
}

func TestCABundle(t *testing.T) {
	t.Parallel()
	server := gitsourcetest.Serve(t, oneCommit(t), gitsourcetest.ServerOptions{TLS: true})
	refused(t, gitsource.Options{URL: server.Repo()}, "unknown authority", "CA bundle", "127.0.0.1")
	fetch(t, gitsource.Options{URL: server.Repo(), Auth: gitsource.Auth{CABundle: server.CA}})
}

func TestFailuresAreTold(t *testing.T) {
	t.Parallel()
	answer := func(status int, kind, body string) string {
		return gitsourcetest.Serve(t, oneCommit(t), gitsourcetest.ServerOptions{
			Intercept: func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Type", kind)
				w.WriteHeader(status)
				fmt.Fprint(w, body)
				return true
			},
		}).Repo()
	}
	closed := gitsourcetest.Serve(t, oneCommit(t), gitsourcetest.ServerOptions{})
	empty := gitsourcetest.NewRepo(t)
	git := "application/x-git-upload-pack-advertisement"
	for name, c := range map[string]struct{ url, says string }{
		"not found":       {closed.URL + "/other.git", "repository not found"},
		"denied":          {answer(403, "text/plain", "no"), "access denied"},
		"server error":    {answer(500, "text/plain", "oops"), "status 500"},
		"rate limit":      {answer(429, "text/plain", ""), "limits the rate"},
		"a web page":      {answer(200, "text/html", "<html>log in</html>"), "not as a git server"},
		"nonsense":        {answer(200, git, "nonsense \x1b[31m"), "fetching"},
		"empty":           {gitsourcetest.Serve(t, empty, gitsourcetest.ServerOptions{}).Repo(), "repository is empty"},
		"empty on disk":   {empty.Dir, "repository is empty"},
		"unreachable":     {"https://127.0.0.1:1/p", "host unreachable"},
		"unknown host":    {"https://git.invalid/p", "host unreachable"},
		"unreachable ssh": {"ssh://127.0.0.1:1/p", ""},
		"unreachable git": {"git://127.0.0.1:1/p", "host unreachable"},
		"no directory":    {t.TempDir(), "repository not found"},
		"no TLS":          {strings.Replace(closed.Repo(), "http", "https", 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := failure(t, gitsource.Options{URL: c.url}, c.says)
			if strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%q holds control characters", err)
			}
			t.Log(err)
		})
	}
}

func TestLocalRepositories(t *testing.T) {
	t.Parallel()
	repo := oneCommit(t)
	for _, url := range []string{repo.Dir, "file://" + repo.Dir, repo.Clone()} {
		s := fetch(t, gitsource.Options{URL: url})
		if got := contents(t, s.FS())["a.yaml"]; got != "1" {
			t.Errorf("%s: got %q", url, got)
		}
		if again, err := gitsource.Fetch(t.Context(), gitsource.Options{URL: url}, s); err != nil || again != s {
			t.Errorf("%s: fetched again: %v", url, err)
		}
	}
}
