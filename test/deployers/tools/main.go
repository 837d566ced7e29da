// Gitops deploys manifests as the GitOps controllers do, with their own engines,
// for tests: "gitops argo" as Argo CD, "gitops flux" as Flux's
// kustomize-controller and "gitops helm" as its helm-controller. It reads YAML
// from standard input.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/fluxcd/pkg/ssa/utils"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// sync is one deployment: these objects, by an application of this name, into
// this namespace.
type sync struct {
	config     *rest.Config
	app        string
	namespace  string
	serverSide bool // for Argo CD
	replace    bool // the same
	byLabel    bool // the same
	objects    []*unstructured.Unstructured
}

var engines = map[string]func(context.Context, sync) error{"argo": argo, "flux": flux, "helm": helm}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "gitops:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, manifests io.Reader) error {
	if len(args) == 0 || engines[args[0]] == nil {
		return fmt.Errorf("usage: gitops argo|flux|helm [flags] < manifests")
	}
	var s sync
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.StringVar(&s.app, "app", "app", "name of the application")
	flags.StringVar(&s.namespace, "namespace", "default", "where its objects go")
	flags.BoolVar(&s.serverSide, "server-side", false, "sync with ServerSideApply=true")
	flags.BoolVar(&s.replace, "replace", false, "sync with Replace=true")
	flags.BoolVar(&s.byLabel, "track-by-label", false, "mark the objects by a label, as Argo CD did before version 3")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	var err error
	if s.config, err = clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG")); err != nil {
		return err
	}
	s.config.QPS = -1
	if s.objects, err = utils.ReadObjects(manifests); err != nil {
		return fmt.Errorf("reading manifests: %w", err)
	}
	return engines[args[0]](ctx, s)
}
