package signature

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// signer is one line of a list of allowed signers.
type signer struct {
	line       int
	principals []string // patterns
	namespaces []string // patterns; none means all
	authority  bool     // key signs certificates, not commits
	key        ssh.PublicKey
	// after and before bound the time of signing, both included. Zero is no bound.
	after, before time.Time
}

func readSigners(text string) ([]signer, error) {
	var signers []signer
	var errs []error
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s, err := readSigner(line)
		if err != nil {
			errs = append(errs, fmt.Errorf("allowedSigners, line %d: %w", number, err))
			continue
		}
		s.line = number
		signers = append(signers, s)
	}
	return signers, errors.Join(errs...)
}

func readSigner(line string) (signer, error) {
	principals, rest, err := firstField(line)
	if err != nil {
		return signer{}, err
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(rest))
	if err != nil {
		return signer{}, errors.New(`it has no public key: write "ada@example.com ssh-ed25519 AAAA…", with the content of a .pub file after the name`)
	}
	if _, ok := key.(*ssh.Certificate); ok {
		return signer{}, errors.New("it holds a certificate: write the key of the authority that signed it, with the option cert-authority")
	}
	s := signer{principals: strings.Split(principals, ","), key: key}
	for _, option := range options {
		if err := s.set(option); err != nil {
			return signer{}, err
		}
	}
	if !s.after.IsZero() && !s.before.IsZero() && !s.before.After(s.after) {
		return signer{}, errors.New("valid-after is not earlier than valid-before, so that the key is never valid")
	}
	return s, nil
}

// firstField cuts the principals off, which may stand in quotes.
func firstField(line string) (field, rest string, err error) {
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		field, rest, ok = strings.Cut(quoted, `"`)
		if !ok {
			return "", "", errors.New("its quotation marks do not close")
		}
		return field, rest, nil
	}
	if i := strings.IndexAny(line, " \t"); i > 0 {
		return line[:i], line[i:], nil
	}
	return "", "", errors.New(`write "ada@example.com ssh-ed25519 AAAA…": who may sign, then the public key`)
}

// set applies one option. What is not known is refused: it may have been meant to
// narrow what the key may sign.
func (s *signer) set(option string) error {
	name, value, _ := strings.Cut(option, "=")
	value = strings.Trim(value, `"`)
	var err error
	switch strings.ToLower(name) {
	case "cert-authority":
		s.authority = true
	case "namespaces":
		s.namespaces = strings.Split(value, ",")
	case "valid-after":
		s.after, err = readTime(value)
	case "valid-before":
		s.before, err = readTime(value)
	default:
		return fmt.Errorf("its option %q is not one of cert-authority, namespaces, valid-after and valid-before; to revoke a key take its line out", name)
	}
	if err != nil {
		return fmt.Errorf("its option %s: %w", name, err)
	}
	return nil
}

// readTime reads YYYYMMDD[Z] and YYYYMMDDHHMM[SS][Z].
func readTime(text string) (time.Time, error) {
	digits := strings.TrimSuffix(strings.TrimSuffix(text, "Z"), "z")
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if t, err := time.Parse(layout, digits); err == nil && len(digits) == len(layout) {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time: write YYYYMMDDZ or YYYYMMDDHHMMSSZ", text)
}

// matches reports whether a list of patterns takes name, as PATTERNS in
// ssh_config(5) says: one of them fits, and none that begins with "!".
func matches(patterns []string, name string) bool {
	found := false
	for _, p := range patterns {
		if p, negated := strings.CutPrefix(p, "!"); negated {
			if wildcard(p, name) {
				return false
			}
		} else if wildcard(p, name) {
			found = true
		}
	}
	return found
}

// wildcard matches "*" with anything and "?" with one byte. It remembers only the
// last star, so that no pattern takes long.
func wildcard(pattern, name string) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
