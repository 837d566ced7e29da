package rogue

import (
	"strconv"
	"strings"
	"time"

	"plumbline.dev/plumbline/finding"
)

// hashLabel is what a Deployment tells its ReplicaSets apart by.
const hashLabel = "pod-template-hash"

// fitsDeployment wants a ReplicaSet to have the Deployment's template, or to be one
// of its earlier ones: with the Deployment's marks, and without Pods unless there is
// a rollout. A Deployment adopts every ReplicaSet that its selector matches.
func (j *judge) fitsDeployment(deployment, set *item) check {
	want, have := fieldsAt(deployment.content(), "spec", "template"), fieldsAt(set.content(), "spec", "template")
	if want == nil || have == nil {
		j.unsure(set, "its template, or its Deployment's, was not read")
		return check{unjudged: true}
	}
	if sameTemplate(want, have) {
		return check{}
	}
	hash := set.label(hashLabel)
	switch {
	case hash == "" || set.ID.Name != deployment.ID.Name+"-"+hash || text(have, "metadata", "labels", hashLabel) != hash:
		return but("it has another template, and is none of those that the Deployment has made: it was adopted")
	case revision(set) == 0 || revision(set) >= revision(deployment):
		return but("it has another template, and none of the Deployment's earlier revisions")
	case j.isForeign(set, "spec", "template"):
		return but("its template is another, and was written by others than the cluster's controllers")
	case number(at(set.content(), "spec", "replicas")) == 0 && number(at(set.content(), "status", "replicas")) == 0:
		return check{}
	case !rollsOut(deployment):
		return but("it has Pods of another template, and the Deployment's rollout is over")
	}
	return check{}
}

func revision(i *item) int {
	n, _ := strconv.Atoi(i.annotation("deployment.kubernetes.io/revision")) // 0 where there is none
	return n
}

// rollsOut tells whether a Deployment has not replaced all of its Pods yet.
func rollsOut(deployment *item) bool {
	status := fieldsAt(deployment.content(), "status")
	updated := number(status["updatedReplicas"])
	return number(status["observedGeneration"]) < number(at(deployment.content(), "metadata", "generation")) ||
		updated != number(at(deployment.content(), "spec", "replicas")) || updated != number(status["replicas"])
}

// sameTemplate compares two templates of Pods but for the labels that controllers
// put into their copy.
func sameTemplate(want, have map[string]any) bool {
	return same(want["spec"], have["spec"]) &&
		same(at(want, "metadata", "annotations"), at(have, "metadata", "annotations")) &&
		same(withoutMarks(fieldsAt(want, "metadata", "labels")), withoutMarks(fieldsAt(have, "metadata", "labels")))
}

func withoutMarks(labels map[string]any) map[string]any {
	result := make(map[string]any, len(labels))
	for name, v := range labels {
		switch name {
		case hashLabel, "controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name":
		default:
			result[name] = v
		}
	}
	return result
}

// isForeign tells whether somebody else than deployers and controllers wrote a field.
func (j *judge) isForeign(i *item, field ...string) bool {
	for _, w := range j.policy.writers.Writers(i.open(), field...) {
		if w.Foreign {
			return true
		}
	}
	return false
}

// lastWritten is when a field was last written, as far as the records tell.
func (j *judge) lastWritten(i *item, field ...string) time.Time {
	var last time.Time
	for _, w := range j.policy.writers.Writers(i.open(), field...) {
		if w.Time.After(last) {
			last = w.Time
		}
	}
	return last
}

const (
	manualRun    = "cronjob.kubernetes.io/instantiate"
	scheduledFor = "batch.kubernetes.io/cronjob-scheduled-timestamp"
)

// fitsCronJob wants a Job to be one that its CronJob's controller has made when it was
// due, of the CronJob's template. Source of the name and the annotation:
// pkg/controller/cronjob in k8s.io/kubernetes.
func (j *judge) fitsCronJob(cron, job *item) check {
	want, have := fieldsAt(cron.content(), "spec", "jobTemplate", "spec", "template"), fieldsAt(job.content(), "spec", "template")
	if want == nil || have == nil {
		j.unsure(job, "its template, or its CronJob's, was not read")
		return check{unjudged: true}
	}
	fits := sameTemplate(want, have)
	switch {
	case job.annotation(manualRun) != "" && fits:
		return check{is: "it is a run of " + cron.ID.String() + " that somebody started by hand", severity: finding.Warning}
	case job.annotation(manualRun) != "":
		return check{is: "it says that it is a run of " + cron.ID.String() + " by hand, and has another template"}
	case !wasDue(cron, job):
		return but("its name is none that the CronJob gives")
	case fits:
		return check{}
	case j.isForeign(job, "spec", "template"):
		return but("its template is not the CronJob's, and was written by others than the cluster's controllers")
	case !job.created().Before(j.lastWritten(cron, "spec", "jobTemplate")) && !j.mutated(job.ID):
		return but("its template is not the CronJob's")
	case number(at(job.content(), "status", "active")) > 0:
		j.unsure(job, "its template is not its CronJob's, which may have been written since, or a webhook changed it")
	}
	return check{} // and it is over: nothing tells what the template was
}

// wasDue tells whether a Job is named for the minute for which it was scheduled.
func wasDue(cron, job *item) bool {
	minutes, ok := strings.CutPrefix(job.ID.Name, cron.ID.Name+"-")
	if !ok || !isOrdinal(minutes) {
		return false
	}
	due, err := time.Parse(time.RFC3339, job.annotation(scheduledFor))
	if err != nil {
		return job.annotation(scheduledFor) == "" // as of clusters before 1.28
	}
	if due.After(job.created().Add(time.Minute)) {
		return false
	}
	return strconv.FormatInt(due.Unix()/60, 10) == minutes
}

// fitsClaim wants a claim to have a name and labels that its StatefulSet gives.
func (j *judge) fitsClaim(set, claim *item) check {
	prefix := claimKey(claim)
	fits := false
	for _, c := range listAt(set.content(), "spec", "volumeClaimTemplates") {
		fits = fits || prefix.name == text(c, "metadata", "name")+"-"+set.ID.Name
	}
	if !fits {
		return but("the StatefulSet has no such claim")
	}
	for name, v := range fieldsAt(set.content(), "spec", "selector", "matchLabels") {
		if claim.label(name) != v {
			return but("it has not the labels that the StatefulSet gives")
		}
	}
	return j.isByControllers(set, claim)
}

// fitsPodsVolume wants a claim to be that of a Pod's generic ephemeral volume.
func (j *judge) fitsPodsVolume(pod, claim *item) check {
	for _, v := range listAt(pod.content(), "spec", "volumes") {
		if at(v, "ephemeral") != nil && claim.ID.Name == pod.ID.Name+"-"+text(v, "name") {
			return check{}
		}
	}
	return but("the Pod has no such volume")
}

// fitsService wants an EndpointSlice to be one that the cluster's controllers keep:
// they undo what others write into those, and leave all other slices alone.
func (j *judge) fitsService(owner, slice *item) check {
	managers := map[string]string{
		"Service": "endpointslice-controller.k8s.io", "Endpoints": "endpointslicemirroring-controller.k8s.io",
	}
	switch {
	case slice.label("endpointslice.kubernetes.io/managed-by") != managers[owner.kind]:
		return but("the cluster's controller does not keep it: whoever wrote it directs the Service's traffic")
	case slice.label("kubernetes.io/service-name") != owner.ID.Name:
		return but("it is labelled as another Service's")
	}
	return check{}
}

// fitsNode wants a Pod to be the mirror of one that a node runs from a file. Only the
// nodes' own namespaces hold what belongs to a node and not to a workload.
func (j *judge) fitsNode(node, pod *item) check {
	switch {
	case pod.annotation("kubernetes.io/config.mirror") == "":
		return but("it is no mirror of a static Pod")
	case text(pod.content(), "spec", "nodeName") != node.ID.Name || !strings.HasSuffix(pod.ID.Name, "-"+node.ID.Name):
		return but("it runs on another node")
	case !isSystemNamespace(pod.ID.Namespace):
		return check{is: "it is a static Pod, that " + node.ID.String() + " runs from a file of its own", severity: finding.Info}
	}
	return check{}
}

func isSystemNamespace(namespace string) bool {
	return namespace == "kube-system" || strings.HasPrefix(namespace, "openshift-")
}
