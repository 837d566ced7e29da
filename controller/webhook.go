package controller

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"plumbline.dev/plumbline/api/v1alpha1"
)

const (
	// maxPush bounds the body of a webhook, in bytes.
	maxPush = 4 << 20
	// rememberPushes is how many webhooks are known again.
	rememberPushes = 10_000
	// keyOfPushes is where the Secret of spec.git.secretRef holds what forges sign with.
	keyOfPushes = "webhook"
)

// webhooks takes from forges, at /hooks/NAMESPACE/NAME, that a Baseline's repository has
// news. What they say of the news is not looked at: the repository is asked.
type webhooks struct {
	address   string
	baselines client.Reader // which asks nobody: whoever reaches the port may name any
	secrets   client.Reader
	// hurry has a Baseline's repository be asked now.
	hurry func(types.NamespacedName)
	// acts is closed once this controller does; until then pushes are relayed.
	acts  <-chan struct{}
	relay relay

	mu   sync.Mutex
	seen map[[sha256.Size]byte]bool
}

// Start serves until ctx ends.
func (w *webhooks) Start(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("POST /hooks/{namespace}/{name}", w)
	server := http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", w.address)
	if err != nil {
		return fmt.Errorf("listening for webhooks: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // nobody waits for an answer
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving webhooks: %w", err)
	}
	return nil
}

// ServeHTTP answers 202 to a push; 401 to what is not signed with the Baseline's secret,
// be it that there is no such Baseline; 409 to what was sent before; 413 to what is too large;
// 503 where no controller acts.
func (w *webhooks) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	key := types.NamespacedName{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
	body, err := io.ReadAll(http.MaxBytesReader(answer, r.Body, maxPush))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		http.Error(answer, "the body is too large", http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(answer, "the body ends too early", http.StatusBadRequest)
	case !claimed(r.Header), !signed(r.Header, body, w.secret(r.Context(), key)):
		http.Error(answer, "not signed with the Baseline's secret: see spec.git.secretRef", http.StatusUnauthorized)
	case !w.acting():
		w.relay.pass(answer, r, body)
	case !w.first(key, r.Header, body):
		http.Error(answer, "sent before", http.StatusConflict)
	default:
		w.hurry(key)
		answer.WriteHeader(http.StatusAccepted)
	}
}

func (w *webhooks) acting() bool {
	select {
	case <-w.acts:
		return true
	default:
		return false
	}
}

// NeedLeaderElection is false: every controller takes pushes.
func (w *webhooks) NeedLeaderElection() bool { return false }

// secret returns what a Baseline's forge signs with; nothing where that is not known.
func (w *webhooks) secret(ctx context.Context, key types.NamespacedName) []byte {
	var b v1alpha1.Baseline
	if err := w.baselines.Get(ctx, key, &b); err != nil || b.Spec.Git.SecretRef == nil {
		return nil
	}
	var secret corev1.Secret
	if err := w.secrets.Get(ctx, types.NamespacedName{Namespace: key.Namespace, Name: b.Spec.Git.SecretRef.Name}, &secret); err != nil {
		return nil
	}
	return secret.Data[keyOfPushes]
}

// signatures are the headers in which forges sign a body with HMAC-SHA256: GitHub,
// Bitbucket, Gitea, Forgejo.
var signatures = []string{"X-Hub-Signature-256", "X-Hub-Signature", "X-Gitea-Signature", "X-Forgejo-Signature"}

// tokenHeader is where GitLab sends the secret itself.
const tokenHeader = "X-Gitlab-Token"

// claimed tells whether a request says that it is signed: of others no Secret is read.
func claimed(h http.Header) bool {
	return h.Get(tokenHeader) != "" || slices.ContainsFunc(signatures, func(name string) bool { return h.Get(name) != "" })
}

// signed tells whether a request is from somebody who knows the secret.
func signed(h http.Header, body, secret []byte) bool {
	if len(secret) == 0 {
		return false
	}
	if token := h.Get(tokenHeader); token != "" {
		got, want := sha256.Sum256([]byte(token)), sha256.Sum256(secret)
		return hmac.Equal(got[:], want[:]) // of one length, so that the time tells nothing
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	want := mac.Sum(nil)
	for _, name := range signatures {
		got, err := hex.DecodeString(strings.TrimPrefix(h.Get(name), "sha256="))
		if err == nil && hmac.Equal(got, want) {
			return true
		}
	}
	return false
}

// first tells whether a push was not sent before. Its identity is what is signed, and
// nothing that whoever sends it again could change: a forge never pushes the same twice. Who
// sends GitLab's token knows the secret anyway, and tells its pushes apart itself.
func (w *webhooks) first(key types.NamespacedName, h http.Header, body []byte) bool {
	sum := sha256.New()
	fmt.Fprintln(sum, key)
	if h.Get(tokenHeader) != "" {
		fmt.Fprintln(sum, h.Get("X-Gitlab-Event-UUID"))
	}
	sum.Write(body)
	push := [sha256.Size]byte(sum.Sum(nil))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[push] {
		return false
	}
	if w.seen == nil || len(w.seen) >= rememberPushes {
		w.seen = map[[sha256.Size]byte]bool{}
	}
	w.seen[push] = true
	return true
}
