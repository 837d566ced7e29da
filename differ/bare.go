package differ

import (
	"encoding/json"
	"slices"
)

// serversOwn are the values that the API server itself puts into objects that
// declare nothing but their name. It keeps no records of such an object at all,
// so any other value is somebody's.
var serversOwn = map[string][]string{
	"Secret":    {`type "Opaque"`},
	"Namespace": {`spec {"finalizers":["kubernetes"]}`},
}

// fromServer tells whether an unowned value at the current place is the server's
// own in any such object.
func (w *walker) fromServer(live any) bool {
	id := w.live.ID
	if id.Group != "" || serversOwn[id.Kind] == nil {
		return false
	}
	path := pathOf(w.path).String()
	if id.Kind == "Namespace" && path == `metadata.labels["kubernetes.io/metadata.name"]` {
		return live == id.Name
	}
	text, err := json.Marshal(live)
	return err == nil && slices.Contains(serversOwn[id.Kind], path+" "+string(text))
}
