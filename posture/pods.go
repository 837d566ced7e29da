package posture

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/pod-security-admission/api"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// template is what Pods are made of.
type template struct{ metadata, spec map[string]any }

type groupKind struct{ group, kind string }

// templates says where Kubernetes' own kinds have their template.
var templates = map[groupKind][]string{
	{"", "Pod"}:                   {},
	{"", "PodTemplate"}:           {"template"},
	{"", "ReplicationController"}: {"spec", "template"},
	{"apps", "Deployment"}:        {"spec", "template"},
	{"apps", "ReplicaSet"}:        {"spec", "template"},
	{"apps", "StatefulSet"}:       {"spec", "template"},
	{"apps", "DaemonSet"}:         {"spec", "template"},
	{"batch", "Job"}:              {"spec", "template"},
	{"batch", "CronJob"}:          {"spec", "jobTemplate", "spec", "template"},
}

func hasTemplate(id object.ID) bool {
	_, ok := templates[groupKind{id.Group, id.Kind}]
	return ok
}

// templateOf returns an object's template; without a spec where it has none.
func templateOf(o *object.Object) template {
	at := o.Content
	for _, step := range templates[groupKind{o.ID.Group, o.ID.Kind}] {
		at = object.Map(at, step)
	}
	return template{object.Map(at, "metadata"), object.Map(at, "spec")}
}

// workload is an object with a template, and what of it fails: in git, in the cluster,
// or in both.
type workload struct {
	id object.ID
	// uid is the live object's, and owner that of its controller.
	uid, owner string
	edited     bool // it fails in the cluster, and not as git declares it
	fails      []fail
}

// podSecurity judges all Pods and templates. What a template fails is told of the
// highest owner that fails it, with what is made of it as its children.
func (j *judge) podSecurity() {
	if j.pods == nil {
		return
	}
	var workloads []workload
	failing := false
	j.each(hasTemplate, func(declared, live *object.Object) {
		w := workload{id: either(declared, live).ID, uid: live.Metadata("uid"), owner: object.Text(live.Controller(), "uid")}
		w.fails = j.fails(declared, nil)
		w.edited = declared.Content != nil && len(w.fails) == 0
		if !retired(live) {
			w.fails = j.fails(live, w.fails)
		}
		workloads = append(workloads, w)
		failing = failing || len(w.fails) > 0
	})
	if failing {
		j.tellPods(workloads)
	}
	for _, name := range j.namespaces() {
		j.namespaceLabel(j.namespace(name))
	}
}

// tellPods tells what fails, each where it comes from.
func (j *judge) tellPods(workloads []workload) {
	byUID := map[string]*workload{}
	for i := range workloads {
		if uid := workloads[i].uid; uid != "" {
			byUID[uid] = &workloads[i]
		}
	}
	children := map[*workload][]object.ID{}
	for i := range workloads {
		w := &workloads[i]
		root, left := w.inherited(byUID)
		if root != nil {
			children[root] = append(children[root], w.id)
		}
		w.fails = left
	}
	for i := range workloads {
		j.tellPod(&workloads[i], children[&workloads[i]])
	}
}

// fails adds to what is known to fail what an object fails beside it.
func (j *judge) fails(o *object.Object, known []fail) []fail {
	if o.Content == nil {
		return known
	}
	t := templateOf(o)
	if t.spec == nil {
		// Of what a controller made, and was listed by its metadata alone, the Pods tell.
		if o.ID.Kind == "Pod" || o.Controller() == nil {
			j.fail(finding.PosturePodSecurity, *o, "it has no Pod specification, or that was not read")
		}
		return known
	}
	fails, err := j.judged(t)
	if err != nil {
		j.fail(finding.PosturePodSecurity, *o, "%v", err)
	}
	for _, f := range fails {
		if !slices.Contains(known, f) {
			known = append(known, f)
		}
	}
	return known
}

// inherited returns what of the fails no owner has, and the highest owner that has any
// of the others. UIDs cannot be chosen by who writes an object; but an owner reference
// can name any, so that it takes nothing away but what fails at the owner just so.
func (w *workload) inherited(byUID map[string]*workload) (root *workload, left []fail) {
	if left = w.fails; len(left) == 0 {
		return nil, nil
	}
	seen := map[*workload]bool{w: true}
	for o := byUID[w.owner]; o != nil && !seen[o]; o = byUID[o.owner] {
		seen[o] = true
		var rest []fail
		for _, f := range left {
			if !slices.Contains(o.fails, f) {
				rest = append(rest, f)
			}
		}
		if len(rest) < len(left) {
			root = o
		}
		left = rest
	}
	return root, left
}

func (j *judge) tellPod(w *workload, children []object.ID) {
	if len(w.fails) == 0 {
		return
	}
	slices.SortFunc(children, object.ID.Compare)
	severity := finding.Warning
	for _, f := range w.fails {
		if f.grave {
			severity = finding.Critical
		}
	}
	what := "its Pods are"
	if w.id.Kind == "Pod" {
		what = "it is"
	}
	if w.edited {
		what += unlikeGit
	}
	j.add(finding.Finding{
		Rule: finding.PosturePodSecurity, Severity: severity, Object: w.id, Children: children,
		Message: fmt.Sprintf("%s below the Pod Security Standard %s: %s", what, j.pods, brief(w.fails)),
		Advice:  "set the securityContext that the standard wants, or exempt the workload with the reason why it cannot",
	})
}

// brief names what fails: one check with its details; of more the worst by their names,
// and the containers that they name.
func brief(fails []fail) string {
	if len(fails) == 1 {
		return fails[0].String()
	}
	var names, containers []string
	for _, grave := range []bool{true, false} {
		for _, f := range fails {
			if f.grave != grave {
				continue
			}
			names = append(names, f.name)
			for _, list := range ofContainers.FindAllString(f.detail, -1) {
				containers = append(containers, quoted.FindAllString(list, -1)...)
			}
		}
	}
	if more := len(names) - 3; more > 0 {
		names = append(names[:3], fmt.Sprintf("and %d more", more))
	}
	text := strings.Join(names, ", ")
	slices.Sort(containers)
	if containers = slices.Compact(containers); len(containers) > 0 {
		text += " (container " + strings.Join(containers, ", ") + ")"
	}
	return text
}

// How the standards' own details name containers: container "a", containers "a", "b".
var (
	ofContainers = regexp.MustCompile(`\bcontainers? "[^"]*"(, "[^"]*")*`)
	quoted       = regexp.MustCompile(`"[^"]*"`)
)

// unlikeGit is said of what is wrong with a declared object in the cluster only.
const unlikeGit = ", in the cluster and not in git,"

func either(declared, live *object.Object) *object.Object {
	if declared.Content == nil {
		return live
	}
	return declared
}

// retired tells of a ReplicaSet that a rollout has left behind and that runs nothing.
func retired(o *object.Object) bool {
	return o.ID.Kind == "ReplicaSet" && o.Controller() != nil && object.Map(o.Content, "spec")["replicas"] == int64(0)
}

// namespaceLabel judges what a namespace has the API server let in. That only the
// cluster's own default holds is a hint: what that is cannot be read.
func (j *judge) namespaceLabel(namespace object.Object) {
	if namespace.Content == nil {
		return
	}
	f := finding.Finding{
		Rule: finding.PosturePodSecurity, Severity: finding.Warning, Object: namespace.ID, Subject: "enforce",
		Advice: fmt.Sprintf("set the label %s: %s in git", api.EnforceLevelLabel, j.pods.level.Level),
	}
	value, ok := object.Map(object.Map(namespace.Content, "metadata"), "labels")[api.EnforceLevelLabel].(string)
	level, err := api.ParseLevel(value)
	switch {
	case !ok:
		f.Severity = finding.Info
		f.Message = fmt.Sprintf("no label has the API server refuse Pods below the Pod Security Standard %s", j.pods.level.Level)
	case err != nil:
		f.Message = fmt.Sprintf("the label %s is none of the Pod Security Standards", api.EnforceLevelLabel)
	case api.CompareLevels(level, j.pods.level.Level) < 0:
		f.Message = fmt.Sprintf("the label %s is %s, which is weaker than %s", api.EnforceLevelLabel, level, j.pods.level.Level)
	default:
		return
	}
	j.add(f)
}
