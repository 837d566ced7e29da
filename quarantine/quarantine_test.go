package quarantine_test

import (
	"encoding/json"
	"strings"
	"testing"

	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/quarantine"
)

func objects(t *testing.T, text string) []object.Object {
	t.Helper()
	all, err := object.Decode("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const (
	service = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}}}"
	allows  = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: allows, namespace: shop}, spec: {podSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}, ingress: [{}]}}"
	denies  = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: denies, namespace: shop}, spec: {podSelector: {matchLabels: {app: web}}}}"
	all     = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: all, namespace: shop}, spec: {podSelector: {}, egress: [{}]}}"
	policy  = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: plumbline-quarantine, namespace: shop}, spec: {podSelector: {matchExpressions: [{key: plumbline.dev/quarantined, operator: Exists}]}, policyTypes: [Ingress, Egress]}}"
)

func pod(name, controller, labels string) string {
	owner := ""
	if controller != "" {
		owner = ", ownerReferences: [{uid: " + controller + ", controller: true}]"
	}
	return "{apiVersion: v1, kind: Pod, metadata: {name: " + name + ", namespace: shop, uid: " + name + ", labels: " + labels + owner + "}, spec: {}}"
}

func deployment(selector, labels string) string {
	return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: miner, namespace: shop, uid: d1, labels: {plumbline.dev/quarantined: 'true'}}, spec: {selector: " + selector + ", template: {metadata: {labels: " + labels + "}, spec: {hostNetwork: true}}}}"
}

const set = "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: miner-1, namespace: shop, uid: r1, ownerReferences: [{uid: d1, controller: true}]}}"

// TestPlan wants Pods to get the label, to lose those that others choose them by, and to
// keep those that their own workload needs.
func TestPlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		live, beside string
		want         string // step by step
		still        string
		err          string
	}{
		"a Pod loses what a Service chooses it by": {
			live: pod("p", "", "{app: web, run: p}"), beside: service,
			want: `p metadata {"plumbline.dev/quarantined":"true","run":"p"}`,
		},
		"a Pod without labels": {
			live: pod("p", "", "{}"), beside: service,
			want: `p metadata {"plumbline.dev/quarantined":"true"}`,
		},
		"a Pod loses what a policy allows it something by": {
			live: pod("p", "", "{app: web}"), beside: allows + "\n---\n" + denies,
			want: `p metadata {"plumbline.dev/quarantined":"true"}`,
		},
		"what only denies is let be": {
			live: pod("p", "", "{app: web}"), beside: denies,
			want: `p metadata {"app":"web","plumbline.dev/quarantined":"true"}`,
		},
		"what is for all stays": {
			live: pod("p", "", "{app: web}"), beside: all,
			want: `p metadata {"app":"web","plumbline.dev/quarantined":"true"}`, still: "all",
		},
		"another value of the label is one": {
			live: pod("p", "", "{plumbline.dev/quarantined: 'no'}"), beside: service,
		},
		"a workload, what it is made of, and its Pods": {
			live: deployment("{matchLabels: {run: m}}", "{run: m, app: web}"), beside: strings.Join([]string{service, set, pod("p1", "r1", "{run: m, app: web, pod-template-hash: x}"), pod("p2", "other", "{app: web}")}, "\n---\n"),
			want: `miner spec.template.metadata {"plumbline.dev/quarantined":"true","run":"m"} p1 metadata {"plumbline.dev/quarantined":"true","pod-template-hash":"x","run":"m"}`,
		},
		"what it knows them by stays": {
			live: deployment("{matchLabels: {app: web}}", "{app: web}"), beside: service,
			want: `miner spec.template.metadata {"app":"web","plumbline.dev/quarantined":"true"}`, still: "web",
		},
		"what git declares is let be": {
			live: deployment("{matchLabels: {run: m}}", "{run: m, plumbline.dev/quarantined: ''}"), beside: pod("declared", "d1", "{run: m}"),
		},
		"it is all done": {
			live: deployment("{matchLabels: {run: m}}", "{run: m, plumbline.dev/quarantined: ''}"), beside: policy,
		},
		"who makes others anew": {
			live: deployment("{matchExpressions: [{key: plumbline.dev/quarantined, operator: DoesNotExist}]}", "{run: m}"), beside: service, err: "delete it",
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			p, err := quarantine.New(quarantine.Rogue{
				Live: objects(t, c.live)[0], Beside: objects(t, c.beside), Declared: func(id object.ID) bool { return id.Name == "declared" },
			})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v", err)
				}
				return
			}
			var got, still []string
			for _, s := range p.Steps {
				got = append(got, s.Object.ID.Name)
				for _, l := range s.Labels {
					text, _ := json.Marshal(l.Now)
					got = append(got, strings.Join(l.Path, "."), string(text))
				}
			}
			for _, id := range p.Still {
				still = append(still, id.Name)
				if !strings.Contains(p.String(), id.String()) {
					t.Errorf("%s says nothing of %s", p, id)
				}
			}
			if strings.Join(got, " ") != c.want || strings.Join(still, " ") != c.still || err != nil {
				t.Errorf("%s, and %v still, want\n%s, and %s; %v", strings.Join(got, " "), still, c.want, c.still, err)
			}
			if (p.Policy == nil) != strings.Contains(c.beside, "plumbline-quarantine") {
				t.Errorf("the policy: %v", p.Policy)
			}
			if p.OnNode != strings.Contains(c.live, "hostNetwork") || p.OnNode != strings.Contains(p.String(), "on their node's network") {
				t.Errorf("on its node's network: %t, %s", p.OnNode, p)
			}
		})
	}
}

// TestIsPolicy wants nothing but what denies to be taken for the quarantine's.
func TestIsPolicy(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		policy: true,
		strings.Replace(policy, "Exists", "DoesNotExist", 1):                                false,
		strings.Replace(policy, "[Ingress, Egress]", "[Ingress]", 1):                        false,
		strings.Replace(policy, "policyTypes", "ingress: [{}], policyTypes", 1):             false,
		strings.Replace(policy, "podSelector: {", "podSelector: {matchLabels: {a: b}, ", 1): false,
		strings.Replace(policy, "name: plumbline-quarantine", "name: another", 1):           false,
	} {
		o := objects(t, text)[0]
		if quarantine.IsPolicy(o) != want {
			t.Errorf("%t of %s", !want, text)
		}
	}
	made := object.Object{ID: quarantine.PolicyID("shop"), Content: quarantine.Policy("shop")}
	if !quarantine.IsPolicy(made) {
		t.Error("it is not what it makes")
	}
}
