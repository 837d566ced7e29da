package posture

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	"plumbline.dev/plumbline/finding"
)

// credential is a kind of credential, as a sentence names one of it.
type credential struct {
	kind     string
	severity finding.Severity
}

var (
	privateKey    = credential{"a private key", finding.Critical}
	googleKey     = credential{"a key of a Google Cloud service account", finding.Critical}
	jsonWebToken  = credential{"a JSON Web Token", finding.Warning}
	urlPassword   = credential{"a URL with a password", finding.Warning}
	literal       = credential{"a password", finding.Warning}
	literalSecret = credential{"a secret key or token", finding.Warning}
)

func kindsText(kinds []credential) string {
	var words []string
	for _, c := range kinds {
		words = append(words, c.kind)
	}
	slices.Sort(words)
	return strings.Join(words, " and ")
}

// detector finds one kind of credential by the form that its issuer gives it. The
// markers are texts of which each match has one: looking for those is what it costs
// where there is nothing to be found.
type detector struct {
	credential
	markers []string
	form    *regexp.Regexp
	check   func(match string) bool // nil means that varied is enough
}

// The forms are those that the issuers document, or that begin with a mark that they
// chose to be found by.
var detectors = []detector{
	{privateKey, []string{"PRIVATE KEY"},
		// RFC 7468, with the line ends as they are or as JSON escapes them.
		regexp.MustCompile(`-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n|\\r)*(?:[A-Za-z-]+: [^\n]*(?:\s|\\n|\\r)+)*[A-Za-z0-9+/]{32}`), nil},
	{credential{"an AWS access key", finding.Critical}, []string{"AKIA", "ASIA"},
		regexp.MustCompile(`\bA[KS]IA[A-Z2-7]{16}\b`), func(match string) bool { return !strings.HasSuffix(match, "EXAMPLE") && varied(match) }},
	{credential{"a GitHub token", finding.Critical}, []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"},
		regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b`), nil},
	{credential{"a GitLab token", finding.Critical}, []string{"glpat-"},
		regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`), nil},
	{credential{"a Slack token", finding.Critical}, []string{"xox", "hooks.slack.com/services/"},
		regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]*[0-9]{6}[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{20,}`), nil},
	{credential{"a Stripe key", finding.Critical}, []string{"sk_live_", "rk_live_"},
		regexp.MustCompile(`\b[rs]k_live_[A-Za-z0-9]{20,}`), nil},
	{jsonWebToken, []string{"eyJ"},
		// RFC 7519: a header and claims, which are JSON, and a signature.
		regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}`), isJWT},
}

// shortest is the length of the shortest credential that has a form.
const shortest = 16

// detect returns the kinds of credential that a text holds.
func detect(text string) []credential {
	if len(text) < shortest {
		return nil
	}
	var kinds []credential
	for _, d := range detectors {
		if !slices.ContainsFunc(d.markers, func(m string) bool { return strings.Contains(text, m) }) {
			continue
		}
		check := d.check
		if check == nil {
			check = varied
		}
		if slices.ContainsFunc(d.form.FindAllString(text, -1), check) {
			kinds = append(kinds, d.credential)
		}
	}
	if i := slices.Index(kinds, privateKey); i >= 0 && strings.Contains(text, `"service_account"`) {
		kinds[i] = googleKey
	}
	if passwordURL(text) {
		kinds = append(kinds, urlPassword)
	}
	return kinds
}

// varied tells a token from "xxxxxxxx" and "0000", which stand for one.
func varied(match string) bool {
	// The last part is the secret one; what is before it may vary for other reasons.
	tail := match[max(0, len(match)-16):]
	seen := map[rune]bool{}
	for _, r := range tail {
		seen[r] = true
	}
	return len(seen) >= 6
}

// isJWT tells whether the first part of what looks like a token is a header.
func isJWT(match string) bool {
	header, _, _ := strings.Cut(match, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(header)
	return err == nil && strings.Contains(string(decoded), `"alg"`) && varied(match)
}

// passwordURL tells whether a text has a URL with a password in it (RFC 3986, 3.2.1).
func passwordURL(text string) bool {
	for {
		_, after, ok := strings.Cut(text, "://")
		if !ok {
			return false
		}
		text = after
		if end := strings.IndexAny(after, "/?# \t\r\n\"'`<>\\|"); end >= 0 {
			after = after[:end]
		}
		at := strings.LastIndexByte(after, '@')
		if at < 0 || at+1 == len(after) {
			continue
		}
		user, password, _ := strings.Cut(after[:at], ":")
		if !strings.ContainsAny(user, "[({") && isLiteral(password) {
			return true
		}
	}
}
