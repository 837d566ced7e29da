package alarms

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/test/testenv"
)

// webhooks is one server of mutating webhooks for all fixtures, each under the
// path of its namespace.
type webhooks struct {
	server  *httptest.Server
	mu      sync.Mutex
	patches map[string]string // JSON, by path
	calls   map[string]int
}

func serveWebhooks() *webhooks {
	w := &webhooks{patches: map[string]string{}, calls: map[string]int{}}
	w.server = httptest.NewUnstartedServer(w)
	w.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	w.server.StartTLS()
	return w
}

func (w *webhooks) ca() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.server.Certificate().Raw})
}

// ServeHTTP admits every object, with the fixture's patch.
func (w *webhooks) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
		http.Error(rw, "not an AdmissionReview", http.StatusBadRequest)
		return
	}
	jsonPatch := admissionv1.PatchTypeJSONPatch
	review.Response = &admissionv1.AdmissionResponse{
		UID: review.Request.UID, Allowed: true, PatchType: &jsonPatch, Patch: []byte(w.next(r.URL.Path)),
	}
	review.Request = nil
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(review)
}

// next counts a call and returns its patch, of which $COUNT is the number.
func (w *webhooks) next(path string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[path]++
	return strings.ReplaceAll(w.patches[path], "$COUNT", strconv.Itoa(w.calls[path]))
}

func (w *webhooks) called(path string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[path] > 0
}

// installWebhook installs webhook configurations and waits until the API server
// asks the webhook about what is in git.
func installWebhook(p *player, ts *testscript.TestScript, args []string) error {
	patch, err := yaml.YAMLToJSON([]byte(ts.ReadFile(args[1])))
	if err != nil {
		return err
	}
	path := "/" + p.namespace
	hooks.mu.Lock()
	hooks.patches[path] = string(patch)
	hooks.mu.Unlock()
	if _, err := p.kubectl("apply", "--server-side", "--field-manager=platform", "-f", args[0]); err != nil {
		return err
	}
	ok := testenv.Poll(within, func() bool {
		_, err := p.deploy("--dry-run=server")
		return err == nil && hooks.called(path)
	})
	if !ok {
		return fmt.Errorf("the API server does not ask the webhook of %s", args[0])
	}
	return nil
}
