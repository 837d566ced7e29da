package posture

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"plumbline.dev/plumbline/object"
)

// newest is the last minor version of Kubernetes whose standards the library knows.
const newest = 37

// standard is one of the Pod Security Standards
// (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
type standard struct {
	level api.LevelVersion
	all   policy.Evaluator
	// grave has the checks of what lets a Pod out of its containers and onto its node.
	grave policy.Evaluator
}

// newStandard returns nil for a level that forbids nothing.
func newStandard(level, version string) (*standard, error) {
	if level == "" {
		if version != "" {
			return nil, fmt.Errorf("spec.posture.podSecurityVersion is %q and there is no spec.posture.podSecurity: write %s or %s there", version, api.LevelBaseline, api.LevelRestricted)
		}
		return nil, nil
	}
	l, err := api.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("spec.posture.podSecurity is %q: write %s, %s or %s", level, api.LevelPrivileged, api.LevelBaseline, api.LevelRestricted)
	}
	v, err := parseVersion(version)
	if err != nil || l == api.LevelPrivileged {
		return nil, err
	}
	s := &standard{level: api.LevelVersion{Level: l, Version: v}}
	grave := []policy.Check{policy.CheckPrivileged(), policy.CheckHostNamespaces(), policy.CheckHostPathVolumes(), policy.CheckWindowsHostProcess()}
	if s.all, err = policy.NewEvaluator(policy.DefaultChecks(), nil); err != nil {
		return nil, fmt.Errorf("reading the Pod Security Standards: %w", err)
	}
	if s.grave, err = policy.NewEvaluator(grave, nil); err != nil {
		return nil, fmt.Errorf("reading the Pod Security Standards: %w", err)
	}
	return s, nil
}

// parseVersion reads a version of the standards. A later one than the library knows
// would be judged by the last that it does, without a word.
func parseVersion(version string) (api.Version, error) {
	if version == "" {
		return api.LatestVersion(), nil
	}
	v, err := api.ParseVersion(version)
	if err != nil {
		return v, fmt.Errorf("spec.posture.podSecurityVersion is %q: write %s, or a version such as v1.%d", version, api.VersionLatest, newest)
	}
	if last := api.MajorMinorVersion(1, newest); !v.Latest() && last.Older(v) {
		return v, fmt.Errorf("spec.posture.podSecurityVersion is %q, and the last that is known here is v1.%d: write that or an earlier one", version, newest)
	}
	return v, nil
}

func (s *standard) String() string {
	if s.level.Latest() {
		return string(s.level.Level)
	}
	return fmt.Sprintf("%s of %s", s.level.Level, s.level.Version)
}

// fail is a check that a Pod does not pass.
type fail struct {
	name, detail string
	grave        bool
}

func (f fail) String() string {
	if f.detail == "" {
		return f.name
	}
	return f.name + " (" + f.detail + ")"
}

// judge returns the checks that a Pod or a template fails, in the standard's order.
func (s *standard) judge(t template) ([]fail, error) {
	pod, err := convert(t)
	if err != nil {
		return nil, err
	}
	fails := failed(s.all.EvaluatePod(s.level, &pod.ObjectMeta, &pod.Spec))
	if len(fails) == 0 {
		return nil, nil
	}
	// The restricted standard has a check of its own for volumes, which does not tell a
	// hostPath from others.
	baseline := api.LevelVersion{Level: api.LevelBaseline, Version: s.level.Version}
	for _, g := range failed(s.grave.EvaluatePod(baseline, &pod.ObjectMeta, &pod.Spec)) {
		if i := slices.Index(fails, g); i >= 0 {
			fails[i].grave = true
		} else {
			g.grave = true
			fails = append(fails, g)
		}
	}
	return fails, nil
}

func failed(results []policy.CheckResult) []fail {
	var fails []fail
	for _, r := range results {
		if !r.Allowed {
			fails = append(fails, fail{name: r.ForbiddenReason, detail: r.ForbiddenDetail})
		}
	}
	return fails
}

// errShape stands for what the converter says, which may quote values.
var errShape = errors.New("its Pod specification has not the form that Kubernetes gives it")

// What the standards speak of. Converting the rest, which is most of a Pod, would take
// most of the time; upstream's own fixtures hold that nothing is missing here.
var (
	podFields       = [...]string{"hostNetwork", "hostPID", "hostIPC", "hostUsers", "os", "securityContext"}
	containerFields = []string{"name", "securityContext"}
	handlers        = []string{"livenessProbe", "readinessProbe", "startupProbe"}
	containerLists  = [...]string{"initContainers", "containers", "ephemeralContainers"}
	// allowedVolumes are allowed by every version of every standard.
	allowedVolumes = []string{"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)

// convert gives a template its type, as far as the standards look at it.
func convert(t template) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	for name, value := range object.Map(t.metadata, "annotations") {
		if value, ok := value.(string); ok && ofSecurity(name) {
			metav1.SetMetaDataAnnotation(&pod.ObjectMeta, name, value)
		}
	}
	spec := only(t.spec, podFields[:])
	err := items(t.spec, "volumes", spec, slimVolume)
	for _, field := range containerLists {
		err = errors.Join(err, items(t.spec, field, spec, slimContainer))
	}
	if err != nil || runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &pod.Spec) != nil {
		return nil, errShape
	}
	return pod, nil
}

// slimVolume leaves out what is allowed. A volume that says nothing of its source is an
// emptyDir to the API server.
func slimVolume(volume map[string]any) map[string]any {
	for field, source := range volume {
		if field != "name" && source != nil && !slices.Contains(allowedVolumes, field) {
			return volume
		}
	}
	return nil
}

func slimContainer(container map[string]any) map[string]any {
	return only(container, containerFieldsOf(container, nil))
}

// containerFieldsOf adds to the names those of a container's fields that matter.
func containerFieldsOf(container map[string]any, names []string) []string {
	names = append(names, containerFields...)
	for _, field := range handlers {
		if h, ok := container[field].(map[string]any); ok && namesHost(h) {
			names = append(names, field)
		}
	}
	if l := object.Map(container, "lifecycle"); namesHost(object.Map(l, "postStart")) || namesHost(object.Map(l, "preStop")) {
		names = append(names, "lifecycle")
	}
	for _, port := range object.List(container, "ports") {
		if p, ok := port.(map[string]any); ok && p["hostPort"] != nil {
			return append(names, "ports")
		}
	}
	return names
}

// namesHost tells of a probe or a hook that may be about another host than its Pod.
func namesHost(handler map[string]any) bool {
	return object.Map(handler, "httpGet")["host"] != nil || object.Map(handler, "tcpSocket")["host"] != nil
}

// items puts a list's items into another mapping, without those for which slim returns
// nil.
func items(from map[string]any, field string, to map[string]any, slim func(map[string]any) map[string]any) error {
	all, ok := from[field].([]any)
	if !ok && from[field] != nil {
		return errShape
	}
	var kept []any
	for _, item := range all {
		item, ok := item.(map[string]any)
		if !ok {
			return errShape
		}
		if item = slim(item); item != nil {
			kept = append(kept, item)
		}
	}
	if kept != nil {
		to[field] = kept
	}
	return nil
}

// only returns the fields of a mapping that have the names.
func only(m map[string]any, fields []string) map[string]any {
	result := make(map[string]any, len(fields))
	for _, field := range fields {
		if value, ok := m[field]; ok {
			result[field] = value
		}
	}
	return result
}
