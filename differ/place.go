package differ

// inMetadata tells whether the walk stands on a field of the object's metadata.
func (w *walker) inMetadata() bool {
	return len(w.path) == 2 && w.path[0].field == "metadata"
}

// atMetadata tells whether the walk stands on the metadata of a template.
func (w *walker) atMetadata() bool { return w.path[len(w.path)-1].field == "metadata" }

// atLabels tells whether the walk stands on labels or annotations: the object's
// own or those of a template. They are told one by one, whoever owns them: each
// means something of its own.
func (w *walker) atLabels() bool {
	last := len(w.path) - 1
	return last >= 1 && areLabels(w.path[last-1:])
}

// areLabels tells whether two steps lead to labels or annotations.
func areLabels(path []step) bool {
	return path[0].field == "metadata" && (path[1].field == "labels" || path[1].field == "annotations")
}

// isLabel tells whether the walk stands on one label or annotation, of the object
// or of a template.
func (w *walker) isLabel() bool {
	last := len(w.path) - 1
	return last >= 2 && areLabels(w.path[last-2:last])
}

// atMark tells whether the walk stands on a label or annotation by which deployers
// mark what they deploy.
func (w *walker) atMark(p place) bool {
	return len(w.path) == 3 && w.isLabel() && isMark(w.path[2].field, w.lastWriter(p).writer)
}

// atLeader tells whether the walk stands where a controller's replicas write which
// of them leads, under whatever name; but people do not lead.
func (w *walker) atLeader() bool {
	if w.live.ID.Group == "coordination.k8s.io" && w.live.ID.Kind == "Lease" && w.path[0].field == "spec" {
		return true
	}
	return len(w.path) == 3 && w.path[0].field == "metadata" && w.path[1].field == "annotations" &&
		w.path[2].field == "control-plane.alpha.kubernetes.io/leader"
}

// inData tells whether the walk stands on or in the data of a ConfigMap or a
// Secret, in which the server puts nothing of its own.
func (w *walker) inData() bool {
	id := w.live.ID
	return id.Group == "" && (id.Kind == "ConfigMap" || id.Kind == "Secret") &&
		(w.path[0].field == "data" || w.path[0].field == "binaryData")
}
