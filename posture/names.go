package posture

import (
	"regexp"
	"slices"
	"strings"
)

// Names that end so, whatever stands between the words, are those of passwords; of
// them any literal counts. Names of the second list may also be those of something
// else: the name of a Secret, a switch; of them only what looks random counts.
var (
	passwordNames = []string{"password", "passwd", "passphrase", "clientsecret", "secretaccesskey"}
	secretNames   = []string{"secret", "token", "apikey", "secretkey", "accesskey", "privatekey", "encryptionkey", "signingkey"}
)

// named tells whether a value is a credential by the name that it has.
func named(name, value string) (credential, bool) {
	switch {
	case len(value) < minimum || len(name) < minimum || strings.Contains(value, "\n") || encrypted(value):
	case endsIn(name, passwordNames) && isLiteral(value):
		return literal, true
	case endsIn(name, secretNames) && isLiteral(value) && random(value):
		return literalSecret, true
	}
	return credential{}, false
}

// endsIn compares without regard to case, and to what parts words: DB_PASSWORD,
// db.password, dbPassword.
func endsIn(name string, words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool {
		i := len(name) - 1
		for w := len(word) - 1; w >= 0; i-- {
			switch {
			case i < 0:
				return false
			case name[i]|0x20 == word[w]:
				w--
			case name[i] != '_' && name[i] != '-' && name[i] != '.':
				return false
			}
		}
		return true
	})
}

// minimum is how long a password must be to be told from a word like "on".
const minimum = 4

// isLiteral tells whether a value can be a credential itself: it does not refer to one,
// stands for none, and is no word of a configuration's.
func isLiteral(value string) bool {
	if len(value) < minimum || reference(value) || pointer(value) || placeholder(value) || strings.ContainsAny(value, " \t(),;") {
		return false
	}
	lower := strings.ToLower(value)
	return !slices.Contains(settings, lower) && !slices.ContainsFunc(mentions, func(word string) bool { return strings.Contains(lower, word) })
}

var (
	// settings are values of switches and types, not of passwords.
	settings = []string{
		"true", "false", "none", "null", "undefined", "enabled", "disabled", "enable", "disable", "required",
		"optional", "string", "text", "auto", "default", "plain", "plaintext", "basic", "bearer", "prompt",
		"always", "never", "pass", "user", "username",
	}
	// mentions are in values that speak of a password and are none: of samples, and of
	// the names of Secrets and their keys.
	mentions = []string{"password", "passwd", "secret", "token", "credential", "example", "sample", "dummy", "todo", "insert"}
	// stands are in values that are to be replaced.
	stands = []string{
		"changeme", "change-me", "change_me", "changeit", "replaceme", "replace-me", "replace_me", "placeholder",
		"redacted", "your-", "your_", "<your", "xxxx", "****", "....",
	}
	// elsewhere is how values begin that lead to others: paths, keys of a vault, tags of
	// YAML, parts of programs.
	elsewhere = []string{
		"env:", "file:", "secret:", "secretref:", "arn:", "projects/", "azurekms:",
		"/", "./", "../", "~/", "!", "*", "&", "@", "%", "<", "{", "[", "|", ">", "$", "#", "\\", "`",
	}
	// identifier is how programs name a value: config.db.pass, get_pass.
	identifier = regexp.MustCompile(`^[A-Za-z_]+(\.[A-Za-z_]+)+$`)
)

// filled is a value of which something else fills in a part: ${PASSWORD}, {{ .pass }},
// <path:…#key>, vault:secret/data/x#y.
var filled = regexp.MustCompile(`\$\{[A-Za-z_][^}]*\}|\$\([A-Za-z_][^)]*\)|\{\{.*\}\}|^<[^<>]+>$|^(?:vault:|ref\+|op://)\S+$`)

// reference tells of a single value that refers to one that is elsewhere.
func reference(value string) bool {
	return !strings.Contains(value, "\n") && filled.MatchString(value)
}

// pointer tells of a value that, where a password is expected, refers to one.
func pointer(value string) bool {
	lower := strings.ToLower(value)
	return slices.ContainsFunc(elsewhere, func(mark string) bool { return strings.HasPrefix(lower, mark) }) || identifier.MatchString(value)
}

// placeholder tells of a value that says that it is to be replaced.
func placeholder(value string) bool {
	const longest = 40 // a file may well have such a word somewhere
	if len(value) > longest {
		return false
	}
	lower := strings.ToLower(value)
	return slices.ContainsFunc(stands, func(word string) bool { return strings.Contains(lower, word) }) ||
		strings.Trim(value, value[:1]) == ""
}

// random tells what a machine has drawn from what a person has named.
func random(value string) bool {
	if len(value) < shortest || identifier.MatchString(value) {
		return false
	}
	var digits, upper, lower, marks int
	seen := map[byte]bool{}
	for i := range len(value) {
		c := value[i]
		seen[c] = true
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'A' && c <= 'Z':
			upper++
		case c >= 'a' && c <= 'z':
			lower++
		case strings.IndexByte("+/=_", c) >= 0:
		default:
			marks++
		}
	}
	return digits >= 3 && upper+lower >= 3 && marks == 0 && len(seen) >= 9
}

var (
	comment = regexp.MustCompile(`^(#|;|//|--|\*|<!)`)
	setting = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
)

// lines looks for settings in a file: "name = value", "name: value" and as JSON has
// them, one on a line. It returns the kinds of credential and the settings' names.
func lines(file string) (kinds []credential, names []string) {
	for line := range strings.Lines(file) {
		i := strings.IndexAny(line, "=:")
		if i < minimum {
			continue
		}
		name := strings.Trim(line[:i], " \t\"'")
		name = strings.TrimPrefix(strings.TrimPrefix(name, "- "), "export ")
		if !endsIn(name, passwordNames) && !endsIn(name, secretNames) {
			continue
		}
		value := strings.Trim(strings.TrimRight(strings.TrimSpace(line[i+1:]), ",;"), `"'`)
		if !setting.MatchString(name) || comment.MatchString(strings.TrimSpace(line)) {
			continue
		}
		if c, ok := named(name, value); ok {
			kinds, names = append(kinds, c), append(names, name)
		}
	}
	return kinds, names
}
