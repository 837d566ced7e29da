package mirror

import (
	"strings"

	"plumbline.dev/plumbline/object"
)

// told are the fields of a status that rules look into, by kind. Of Kubernetes' other
// kinds none is kept, so that what controllers write there all day changes nothing; of
// custom resources all.
var told = map[string][]string{
	"Deployment.apps":  {"observedGeneration", "replicas", "updatedReplicas"},
	"Job.batch":        {"active"},
	"Node":             {"images", "nodeInfo"},
	"Pod":              {"phase", "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"},
	"ReplicaSet.apps":  {"replicas"},
	"StatefulSet.apps": {"updateRevision"},
}

// ofContainer are the fields of a container's status that rules look into.
var ofContainer = []string{"name", "image", "imageID", "restartCount", "state", "volumeMounts"}

// trim returns what is kept of an object: without the status that nobody looks into, and,
// unless it is wanted, without the version, which changes whenever anything does. It takes
// the content for its own.
func trim(o object.Object, versioned bool) map[string]any {
	content := o.Content
	if status, ok := content["status"].(map[string]any); ok && builtin(o.ID.Group) {
		content["status"] = trimStatus(o.ID, status)
	}
	if metadata, ok := content["metadata"].(map[string]any); ok {
		if !versioned {
			delete(metadata, "resourceVersion")
		}
		trimRecords(metadata)
	}
	return content
}

// builtin tells whether a group is one of Kubernetes' own.
func builtin(group string) bool {
	return !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io")
}

func trimStatus(id object.ID, status map[string]any) map[string]any {
	kind := id.Kind
	if id.Group != "" {
		kind += "." + id.Group
	}
	kept := only(status, told[kind])
	if kind != "Pod" {
		return kept
	}
	for _, name := range told[kind][1:] {
		list, _ := kept[name].([]any)
		for i, item := range list {
			if container, ok := item.(map[string]any); ok {
				list[i] = only(container, ofContainer)
			}
		}
	}
	return kept
}

func only(m map[string]any, names []string) map[string]any {
	kept := make(map[string]any, len(names))
	for _, name := range names {
		if v, ok := m[name]; ok {
			kept[name] = v
		}
	}
	return kept
}

// trimRecords leaves out who wrote a status: records of nothing else go as a whole.
func trimRecords(metadata map[string]any) {
	records, ok := metadata["managedFields"].([]any)
	if !ok {
		return
	}
	kept := records[:0]
	for _, r := range records {
		record, _ := r.(map[string]any)
		fields, _ := record["fieldsV1"].(map[string]any)
		_, status := fields["f:status"]
		delete(fields, "f:status")
		if !status || len(fields) > 0 {
			kept = append(kept, r)
		}
	}
	metadata["managedFields"] = kept
}

// forgetTimes takes out when those wrote who write a status beside other things: it is
// mostly of the status. It tells whether there are any.
func forgetTimes(content map[string]any) bool {
	metadata, _ := content["metadata"].(map[string]any)
	records, _ := metadata["managedFields"].([]any)
	found := false
	for _, r := range records {
		record, _ := r.(map[string]any)
		if record["subresource"] == "status" {
			delete(record, "time")
			found = true
		}
	}
	return found
}
