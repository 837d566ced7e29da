package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/gitsource/gitsourcetest"
	"plumbline.dev/plumbline/provenance/provenancetest"
	"plumbline.dev/plumbline/test/testenv"
)

var (
	env       *testenv.Env
	plumbline string // path of the binary
)

func TestMain(m *testing.M) { os.Exit(testenv.MainWithProgram(m, 1, 0, &env, &plumbline)) }

// stage is where an example happens: a repository of signed commits, a Baseline, and
// a namespace that takes the place of the example's.
type stage struct {
	finding.Help
	t           *testing.T
	ci, person  testenv.User
	key         ed25519.PrivateKey
	baseline    string // file
	repository  string // directory
	keyFile     string
	substitutes *strings.Replacer
}

// The keys that examples name, of which nobody has the private halves.
var (
	sshKeys = regexp.MustCompile(`ssh-ed25519 [\w+/=]+`)
	pemKeys = regexp.MustCompile(`MCowBQYDK2VwAyEA[\w+/=]+`)
)

// newStage prepares the repository; more are pairs of texts in the example and of
// what stands for them here.
func newStage(t *testing.T, e example, more ...string) *stage {
	t.Helper()
	t.Parallel()
	namespace := strings.ReplaceAll(string(e.Rule), "/", "-")
	s := &stage{
		Help: e.Help, t: t, repository: t.TempDir(),
		ci: env.User(t, "ci", "system:masters"), person: env.User(t, "somebody", "system:masters"),
		substitutes: strings.NewReplacer(append(more, "namespace: shop", "namespace: "+namespace, "-n shop", "-n "+namespace)...),
	}
	s.ci.Kubectl(t, "create", "namespace", namespace)
	public := s.makeKey()
	_, body, _ := strings.Cut(provenancetest.PEM(t, s.key), "\n")
	body, _, _ = strings.Cut(body, "\n")
	spec := pemKeys.ReplaceAllLiteralString(sshKeys.ReplaceAllLiteralString(e.Example.Baseline, public), body)
	s.baseline = s.file("baseline.yaml", baselineText("file://"+s.repository, s.substitutes.Replace(spec)))

	s.git("init", "-q", "-b", "main")
	for key, value := range map[string]string{"user.name": "Ada", "user.email": "ada@example.com", "gpg.format": "ssh", "user.signingkey": s.keyFile} {
		s.git("config", key, value)
	}
	for _, text := range []string{e.Example.Before, e.Example.Git} {
		if text != "" {
			gitsourcetest.WriteFiles(t, s.repository, map[string]string{"web.yaml": s.substitutes.Replace(text)})
			s.git("add", "-A")
			s.git("commit", "-q", "-S", "-m", "Declare it")
		}
	}
	return s
}

func (s *stage) git(args ...string) string { return gitsourcetest.Git(s.t, s.repository, args...) }

// file writes a file beside the repository.
func (s *stage) file(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// makeKey makes the key that signs commits and images, and returns its public half as
// ssh spells it.
func (s *stage) makeKey() string {
	s.t.Helper()
	public, private, err1 := ed25519.GenerateKey(rand.Reader)
	block, err2 := ssh.MarshalPrivateKey(private, "")
	line, err3 := ssh.NewPublicKey(public)
	if err := errors.Join(err1, err2, err3); err != nil {
		s.t.Fatal(err)
	}
	s.key = private
	s.keyFile = s.file("key", string(pem.EncodeToMemory(block)))
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(line)))
}

// deploy applies what git declares, or did.
func (s *stage) deploy(text string) {
	s.t.Helper()
	s.ci.KubectlIn(s.t, s.substitutes.Replace(text), "apply", "--server-side", "--field-manager=ci-deploy", "-f", "-")
}

// happen does what the example says that somebody does.
func (s *stage) happen() {
	s.t.Helper()
	root, err := testenv.Root()
	if err != nil {
		s.t.Fatal(err)
	}
	testenv.Poll(2*time.Second, func() bool { return false }) // records tell times to the second
	c := exec.Command("sh", "-ec", s.substitutes.Replace(s.Example.Run))
	c.Dir = s.repository
	c.Env = append(os.Environ(), "PATH="+filepath.Join(root, "bin")+":"+os.Getenv("PATH"), "KUBECONFIG="+s.person.Kubeconfig, "GIT_CONFIG_GLOBAL="+os.DevNull)
	if out, err := c.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", s.Example.Run, err, out)
	}
}

// found compares, and returns what is found beside what controllers own.
func (s *stage) found() []finding.Finding {
	s.t.Helper()
	args := []string{"diff", "-o", "json", "-f", s.baseline, "--cache-dir", s.t.TempDir()}
	switch s.Rule {
	case finding.DriftControlled:
		args = append(args, "--show=controllers")
	case finding.DriftReleased: // the commit is further back than that
		args = append(args, "--lag=0")
	}
	c := exec.Command(plumbline, args...)
	c.Env = append(os.Environ(), "KUBECONFIG="+s.person.Kubeconfig)
	var out, stderr bytes.Buffer
	c.Stdout, c.Stderr = &out, &stderr
	err := c.Run()
	if c.ProcessState != nil && c.ProcessState.ExitCode() == 2 && strings.Contains(stderr.String(), "commit "+s.git("rev-parse", "HEAD")+" by Ada") {
		return []finding.Finding{{Rule: finding.SourceCommit, Message: stderr.String()}}
	}
	var report struct {
		Findings []struct {
			Rule    finding.Rule
			Message string
		}
		Unknown, Errors []any
	}
	if bad := json.Unmarshal(out.Bytes(), &report); bad != nil || len(report.Unknown)+len(report.Errors) > 0 {
		s.t.Fatalf("plumbline %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), stderr.String())
	}
	var found []finding.Finding
	for _, f := range report.Findings {
		found = append(found, finding.Finding{Rule: f.Rule, Message: f.Message})
	}
	return found
}

// quiet wants nothing found.
func (s *stage) quiet(when string) {
	s.t.Helper()
	if found := s.found(); len(found) > 0 {
		s.t.Errorf("%s this is found: %+v", when, found)
	}
}

// eventually waits until the rule finds something: controllers take their time.
func (s *stage) eventually() (found []finding.Finding) {
	s.t.Helper()
	testenv.Poll(time.Minute, func() bool {
		found = s.found()
		return slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Rule == s.Rule })
	})
	return found
}

// staged deploys an example, has happen what happens in it, and returns what is found.
// Before that, or after what git declares is deployed, nothing may be.
func staged(t *testing.T, e example) []finding.Finding {
	s := newStage(t, e)
	switch {
	case e.Example.Before != "":
		s.deploy(e.Example.Before)
		found := s.eventually()
		s.deploy(e.Example.Git)
		s.quiet("as git declares it")
		return found
	case e.Example.Run != "":
		s.deploy(e.Example.Git)
		s.quiet("as it was deployed")
		s.happen()
		return s.eventually()
	}
	s.deploy(e.Example.Git)
	return s.eventually()
}

// unsigned has a registry take the place of the example's, with an image that is
// signed only after it was found.
func unsigned(t *testing.T, e example) []finding.Finding {
	registry := provenancetest.NewRegistry(t)
	image := registry.Push(t, "shop/web:1.4.2")
	s := newStage(t, e, "registry.example.com", registry.Host)
	s.deploy(e.Example.Git)
	found := s.eventually()
	provenancetest.Sign(t, image, s.key)
	s.quiet("once the image is signed")
	return found
}
