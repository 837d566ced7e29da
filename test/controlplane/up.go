package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	serverFile = "server" // the API server's address, within the directory

	readyWithin   = 90 * time.Second
	pollInterval  = 50 * time.Millisecond
	shutdownGrace = 5 * time.Second
	attempts      = 3 // a free port can be taken before its component listens
)

// errInterrupted says that a signal or the caller's end stopped the control
// plane; it is not a failure worth a message.
var errInterrupted = errors.New("interrupted")

type upOptions struct {
	dir             string
	nodes           int
	auditLog        string
	untilStdinEnds  bool
	progress, ready io.Writer
}

func newUpCommand() *cobra.Command {
	var o upOptions
	c := &cobra.Command{
		Use:   "up",
		Short: "Run a control plane in the foreground until interrupted",
		Long: `Run a control plane in the foreground until interrupted.

It listens on loopback at free ports. DIR/kubeconfig is an administrator's;
"ready" on a line of its own says that the cluster answers, its controllers run
and its nodes are Ready. Without --dir everything lives in a temporary directory
that is removed at the end.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.ready, o.progress = cmd.OutOrStdout(), cmd.ErrOrStderr()
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			return up(ctx, o)
		},
	}
	c.Flags().StringVar(&o.dir, "dir", "", "directory for certificates, data and logs (default: a temporary one)")
	c.Flags().IntVar(&o.nodes, "nodes", 0, "fake nodes whose pods become Running")
	c.Flags().StringVar(&o.auditLog, "audit-log", "", "file to which the API server writes one line of JSON per request")
	c.Flags().BoolVar(&o.untilStdinEnds, "until-stdin-ends", false, "stop also when standard input ends, as it does when the caller dies")
	return c
}

func up(ctx context.Context, o upOptions) error {
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "controlplane-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.dir = dir
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	o.dir = dir
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.untilStdinEnds {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	for attempt := 1; ; attempt++ {
		err := run(ctx, o)
		if !errors.Is(err, errNotReady) || attempt == attempts || ctx.Err() != nil {
			return err
		}
		fmt.Fprintf(o.progress, "starting again: %v\n", err)
	}
}

// errNotReady marks a failure to start, as opposed to one while running.
var errNotReady = errors.New("the control plane did not become ready")

// run starts one control plane and keeps it until ctx ends or a component does.
func run(ctx context.Context, o upOptions) error {
	logs := filepath.Join(o.dir, "logs")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return err
	}
	plane, err := prepare(o)
	if err != nil {
		return fmt.Errorf("preparing %s: %w", o.dir, err)
	}
	s, err := newSupervisor(logs)
	if err != nil {
		return err
	}
	defer s.stop(shutdownGrace)
	if err := plane.start(ctx, s, o); err != nil {
		if ctx.Err() != nil {
			return errInterrupted
		}
		return errors.Join(errNotReady, err)
	}
	fmt.Fprintf(o.ready, "kubeconfig %s\nready\n", filepath.Join(o.dir, "kubeconfig"))
	select {
	case <-ctx.Done():
		return nil
	case p := <-s.failed:
		return p.failure()
	}
}

// plane is where the parts of one control plane find each other.
type plane struct {
	dir        string
	etcd       string // URL
	etcdPeer   string // URL
	port       int    // of the API server
	server     string // URL
	controller string // path of a kubeconfig; likewise the next two
	scheduler  string
	nodes      string
	admin      *kubernetes.Clientset
}

// serviceRange is where Services get their addresses. It is within loopback, so
// that an API server that calls a webhook's Service reaches nobody else's machine.
const serviceRange = "127.96.0.0/16"

var serviceIP = net.IPv4(127, 96, 0, 1)

// prepare makes everything that the components read: keys, certificates,
// kubeconfigs and the audit policy.
func prepare(o upOptions) (*plane, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	p := &plane{
		dir:      o.dir,
		etcd:     fmt.Sprintf("http://127.0.0.1:%d", ports[0]),
		etcdPeer: fmt.Sprintf("http://127.0.0.1:%d", ports[1]),
		port:     ports[2],
		server:   fmt.Sprintf("https://127.0.0.1:%d", ports[2]),
	}
	authority, err := newAuthority(o.dir)
	if err != nil {
		return nil, err
	}
	cert, key, err := authority.server(serviceIP)
	if err != nil {
		return nil, err
	}
	tokenKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tokenPEM, err := encodeKey(tokenKey)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"server.crt":         cert,
		"server.key":         key,
		"serviceaccount.key": tokenPEM,
		"audit-policy.yaml":  []byte(auditPolicy),
		"kwok.yaml":          kwokConfig(),
		serverFile:           []byte(p.server + "\n"),
	}
	for name, identity := range map[string][]string{
		"kubeconfig":              {"admin", "system:masters"},
		"kwok.kubeconfig":         {"kwok", "system:masters"},
		"kube-scheduler.conf":     {"system:kube-scheduler"},
		"controller-manager.conf": {"system:kube-controller-manager"},
	} {
		if files[name], err = authority.kubeconfig(p.server, identity[0], identity[1:]...); err != nil {
			return nil, err
		}
	}
	for name, content := range files {
		if err := os.WriteFile(p.path(name), content, 0o600); err != nil {
			return nil, err
		}
	}
	p.controller, p.scheduler, p.nodes = p.path("controller-manager.conf"), p.path("kube-scheduler.conf"), p.path("kwok.kubeconfig")
	config, err := clientcmd.RESTConfigFromKubeConfig(files["kubeconfig"])
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	p.admin, err = kubernetes.NewForConfig(config)
	return p, err
}

func (p *plane) path(name string) string { return filepath.Join(p.dir, name) }

// start brings the components up in order and returns when the cluster is
// usable.
func (p *plane) start(ctx context.Context, s *supervisor, o upOptions) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()

	fmt.Fprintln(o.progress, "starting etcd and the API server")
	if err := s.start(self, "etcd", p.etcdArgs()...); err != nil {
		return err
	}
	if err := s.start(self, "kube-apiserver", p.apiserverArgs(o.auditLog)...); err != nil {
		return err
	}
	if err := s.until(ctx, "the API server is ready", p.apiserverReady); err != nil {
		return err
	}
	fmt.Fprintf(o.progress, "starting the controllers, the scheduler and %d nodes\n", o.nodes)
	if err := s.start(self, "kube-controller-manager", p.controllerManagerArgs()...); err != nil {
		return err
	}
	if err := s.start(self, "kube-scheduler", p.schedulerArgs()...); err != nil {
		return err
	}
	if o.nodes > 0 {
		if err := p.startNodes(ctx, s, o.nodes); err != nil {
			return err
		}
	}
	return s.until(ctx, "the controllers run", p.controllersReady)
}

// startNodes creates count nodes and starts kwok, which plays their kubelets.
func (p *plane) startNodes(ctx context.Context, s *supervisor, count int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	self, err = filepath.EvalSymlinks(self)
	if err != nil {
		return err
	}
	kwok := filepath.Join(filepath.Dir(self), "kwok")
	if _, err := os.Stat(kwok); err != nil {
		return fmt.Errorf("nodes need kwok beside this binary: %w", err)
	}
	for i := range count {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
			Name:   fmt.Sprintf("node-%d", i),
			Labels: map[string]string{"kubernetes.io/hostname": fmt.Sprintf("node-%d", i), "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
		}}
		_, err := p.admin.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating node %s: %w", node.Name, err)
		}
	}
	if err := s.start(kwok, "kwok", "--kubeconfig", p.nodes, "--config", p.path("kwok.yaml"), "--manage-all-nodes", "--node-lease-duration-seconds=40"); err != nil {
		return err
	}
	return s.until(ctx, "every node is Ready", p.nodesReady)
}

func (p *plane) apiserverReady(ctx context.Context) error {
	_, err := p.admin.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

// controllersReady waits for what the controller manager makes in every
// namespace, so that whoever comes next finds it there.
func (p *plane) controllersReady(ctx context.Context) error {
	if _, err := p.admin.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{}); err != nil {
		return err
	}
	_, err := p.admin.CoreV1().ConfigMaps("default").Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	return err
}

func (p *plane) nodesReady(ctx context.Context) error {
	nodes, err := p.admin.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, node := range nodes.Items {
		if !ready(node) {
			return fmt.Errorf("node %s is not Ready", node.Name)
		}
	}
	return nil
}

func ready(node corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue && len(node.Spec.Taints) == 0
		}
	}
	return false
}

// until polls check until it succeeds, ctx ends or a component dies.
func (s *supervisor) until(ctx context.Context, what string, check func(context.Context) error) error {
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w: %w", what, ctx.Err(), err)
		case p := <-s.failed:
			return p.failure()
		case <-time.After(pollInterval):
		}
	}
}

// freePorts returns n ports of loopback that nobody listens on now.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer l.Close() // held until all are chosen, so that they differ
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}
