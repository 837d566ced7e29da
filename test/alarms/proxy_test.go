package alarms

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/yaml"
)

// answer changes what the API server answers to requests for a path.
type answer struct {
	Path  string // its end
	Patch json.RawMessage
}

// changeAnswers lets plumbline, from here on, see an API server whose answers are
// changed as a file says: one of a later version.
func changeAnswers(p *player, ts *testscript.TestScript, args []string) error {
	var answers []answer
	if err := yaml.UnmarshalStrict([]byte(ts.ReadFile(args[0])), &answers); err != nil {
		return err
	}
	server, err := p.user.Proxy(func(next http.Handler) http.Handler { return changing(answers, next) })
	if err != nil {
		return err
	}
	ts.Defer(server.Close)
	ca := filepath.Join(p.dir, "proxy.pem")
	p.connection = []string{"--server=" + server.URL, "--certificate-authority=" + ca}
	return os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600)
}

func changing(answers []answer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Accept-Encoding") // compressed answers cannot be patched
		for _, a := range answers {
			if strings.HasSuffix(r.URL.Path, a.Path) {
				a.serve(w, r, next)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (a answer) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	recorded := httptest.NewRecorder()
	next.ServeHTTP(recorded, r)
	body, err := io.ReadAll(recorded.Body)
	if err == nil {
		body, err = a.apply(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", recorded.Header().Get("Content-Type"))
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(recorded.Code)
	_, _ = io.Copy(w, bytes.NewReader(body))
}

func (a answer) apply(body []byte) ([]byte, error) {
	patch, err := jsonpatch.DecodePatch(a.Patch)
	if err != nil {
		return nil, fmt.Errorf("reading the change of %s: %w", a.Path, err)
	}
	body, err = patch.Apply(body)
	if err != nil {
		return nil, fmt.Errorf("changing the answer of %s: %w", a.Path, err)
	}
	return body, nil
}
