package main

import (
	_ "embed"
	"strings"

	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	nodeheartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
)

//go:embed podstages.yaml
var podStages string

// kwokConfig is what the fake nodes and their pods do: kwok's own stages for
// nodes, ours for pods, since kwok's report no image ids.
func kwokConfig() []byte {
	return []byte(strings.Join([]string{nodefast.DefaultNodeInit, nodeheartbeat.DefaultNodeHeartbeatWithLease, podStages}, "\n---\n"))
}
