package testenv

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"

	admissionv1 "k8s.io/api/admission/v1"
)

// Webhooks is a server of mutating webhooks, one for each path.
type Webhooks struct {
	*httptest.Server
	mu      sync.Mutex
	patches map[string]string // JSON, by path
	calls   map[string]int
}

// ServeWebhooks starts a server, which its user closes.
func ServeWebhooks() *Webhooks {
	w := &Webhooks{patches: map[string]string{}, calls: map[string]int{}}
	w.Server = httptest.NewUnstartedServer(w)
	w.Config.ErrorLog = log.New(io.Discard, "", 0)
	w.StartTLS()
	return w
}

// CA is the certificate to trust, in PEM.
func (w *Webhooks) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.Certificate().Raw})
}

// Set has a path answer with a JSON patch, in which $COUNT is the number of the call.
func (w *Webhooks) Set(path, patch string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.patches[path] = patch
}

// Called tells whether anybody has asked.
func (w *Webhooks) Called(path string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[path] > 0
}

// ServeHTTP admits every object, with the path's patch.
func (w *Webhooks) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
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

func (w *Webhooks) next(path string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[path]++
	return strings.ReplaceAll(w.patches[path], "$COUNT", strconv.Itoa(w.calls[path]))
}
