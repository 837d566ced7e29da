package lag_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/differ"
	"plumbline.dev/plumbline/lag"
	"plumbline.dev/plumbline/object"
)

var schemas = sync.OnceValues(func() (*differ.Schemas, error) {
	components, err := differ.Builtin()
	if err != nil {
		return nil, err
	}
	s := differ.NewSchemas()
	return s, s.Add(components)
})

func parse(t *testing.T, text string) object.Object {
	t.Helper()
	objects, err := object.Decode("test.yaml", []byte(text))
	if err != nil || len(objects) != 1 {
		t.Fatalf("%d objects, %v, in:\n%s", len(objects), err, text)
	}
	return objects[0]
}

// settings is a ConfigMap with the given data.
func settings(data string) string {
	return "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop%s}, data: {" + data + "}}"
}

// clock is a time of the tests' day.
func clock(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, day+text+":00Z")
	if err != nil {
		t.Fatal(err)
	}
	return at
}

const day = "2026-03-04T"

// record spells a record of managedFields: "ci-deploy Apply 10:00 a b".
func record(text string) string {
	words := strings.Fields(text)
	fields := map[string]any{}
	for _, key := range words[3:] {
		fields["f:"+key] = map[string]any{}
	}
	written, _ := json.Marshal(map[string]any{
		"manager": words[0], "operation": words[1], "time": day + words[2] + ":00Z",
		"fieldsV1": map[string]any{"f:data": fields},
	})
	return string(written)
}

// commit is what a commit declares: data, or nothing, or what nobody knows.
type commit struct{ at, data string }

const (
	absent  = "absent"
	unknown = "unknown"
)

type test struct {
	live    string
	records []string
	commits []commit // the newest first
	want    map[string]int
	looked  int // at how many commits, where not at all of them
}

func cases() map[string]test {
	const ci = "ci-deploy Apply "
	return map[string]test{
		"a changed value": {
			live: "a: '1'", records: []string{ci + "10:30 a"},
			commits: []commit{{"12:00", "a: '2'"}, {"11:00", "a: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"modified data.a": 1}, looked: 2,
		},
		"values of two commits": {
			live: "a: '1', b: '1'", records: []string{ci + "10:30 a b"},
			commits: []commit{{"13:00", "a: '2', b: '2'"}, {"12:00", "a: '1', b: '2'"}, {"11:00", "a: '0', b: '2'"}, {"10:00", "a: '1', b: '1'"}},
			want:    map[string]int{"modified data.a": 1, "modified data.b": 3},
		},
		"an old value that a person set": {
			live: "a: '1'", records: []string{ci + "12:30", "kubectl-edit Update 13:00 a"},
			commits: []commit{{"12:00", "a: '2'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"modified data.a": -1}, looked: 0,
		},
		"an old value that a person set in the same second": {
			live: "a: '1'", records: []string{ci + "12:30 a", "kubectl-edit Update 12:30 a"},
			commits: []commit{{"12:00", "a: '2'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"modified data.a": -1}, looked: 0,
		},
		"a value that no commit has": {
			live: "a: x", records: []string{ci + "10:30 a"},
			commits: []commit{{"12:00", "a: '2'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"modified data.a": -1}, looked: 2,
		},
		"a dropped field": {
			live: "a: '1', b: '1'", records: []string{ci + "10:30 a b"},
			commits: []commit{{"12:00", "a: '1'"}, {"11:00", "a: '1'"}, {"10:00", "a: '1', b: '1'"}},
			want:    map[string]int{"released data.b": 2},
		},
		"a dropped field with a value that git never had": {
			live: "a: '1', b: x", records: []string{ci + "10:30 a b"},
			commits: []commit{{"12:00", "a: '1'"}, {"10:00", "a: '1', b: '1'"}},
			want:    map[string]int{"released data.b": -1},
		},
		"a dropped field that a person changed": {
			live: "a: '1', b: '1'", records: []string{ci + "10:30 a", "kubectl-edit Update 10:40 b"},
			commits: []commit{{"12:00", "a: '1'"}, {"10:00", "a: '1', b: '1'"}},
			want:    map[string]int{"added data.b": -1}, looked: 0,
		},
		"an addition of somebody's that git has had": {
			live: "a: '1', b: '1'", records: []string{ci + "12:30 a", "kubectl-edit Update 12:40 b"},
			commits: []commit{{"12:00", "a: '1'"}, {"10:00", "a: '1', b: '1'"}},
			want:    map[string]int{"added data.b": -1}, looked: 0,
		},
		"an old value that a person applied to what a deployer deploys": {
			live: "a: '1'", records: []string{ci + "12:30", "kubectl Apply 13:00 a"},
			commits: []commit{{"12:00", "a: '2'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"modified data.a": -1}, looked: 0,
		},
		"a dropped field that a person applied to what a deployer deploys": {
			live: "a: '1', b: '1'", records: []string{"pulumi-kubernetes-1a2b Apply 12:30 a", "kubectl Apply 13:00 b"},
			commits: []commit{{"12:00", "a: '1'"}, {"10:00", "a: '1', b: '1'"}},
			want:    map[string]int{"added data.b": -1}, looked: 0,
		},
		"deployed with kubectl and nothing else": {
			live: "a: '1'", records: []string{"before-first-apply Update 09:00 a", "kubectl Apply 10:30 a"},
			commits: []commit{{"12:00", "a: '2'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"modified data.a": 1},
		},

		// Nobody knows who took a field away.
		"a new field": {
			live: "a: '1'", records: []string{ci + "10:30 a"},
			commits: []commit{{"12:00", "a: '1', b: '1'"}, {"11:00", "a: '1', b: '1'"}, {"10:00", "a: '1'"}, {"09:00", "a: '1'"}},
			want:    map[string]int{"removed data.b": 2}, looked: 3,
		},
		"a new field, deployed before all commits at hand": {
			live: "a: '1'", records: []string{ci + "06:30 a"},
			commits: []commit{{"12:00", "a: '1', b: '1'"}, {"11:00", "a: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"removed data.b": 1},
		},
		"a new field that was deployed and taken away": {
			live: "a: '1'", records: []string{ci + "12:30 a"},
			commits: []commit{{"12:00", "a: '1', b: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"removed data.b": -1}, looked: 1,
		},
		"deployed in the minute of the commit": {
			live: "a: '1'", records: []string{ci + "12:00 a"},
			commits: []commit{{"12:00", "a: '1', b: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"removed data.b": -1}, looked: 1,
		},
		"a field of all commits that was taken away": {
			live: "a: '1'", records: []string{ci + "08:30 a"},
			commits: []commit{{"12:00", "a: '1', b: '1'"}, {"10:00", "a: '1', b: '1'"}},
			want:    map[string]int{"removed data.b": -1},
		},
		"a field that git took out and in again, and a person away": {
			live: "a: '1'", records: []string{ci + "09:30 a"},
			commits: []commit{{"12:00", "a: '1', b: '1'"}, {"11:00", "a: '1'"}, {"10:00", "a: '1'"}, {"09:00", "a: '1', b: '1'"}},
			want:    map[string]int{"removed data.b": -1},
		},
		"no record of any deployment": {
			live: "a: '1'", records: []string{"kubectl-edit Update 09:00 a"},
			commits: []commit{{"12:00", "a: '1', b: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"removed data.b": -1}, looked: 0,
		},
		"no records": {
			live:    "a: '1'",
			commits: []commit{{"12:00", "a: '1', b: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"removed data.b": -1}, looked: 0,
		},

		// A commit dated ahead must not make a deployment look older than it.
		"a commit dated ahead, with others since": {
			live: "a: '1'", records: []string{ci + "12:30 a"},
			commits: []commit{{"12:10", "a: '1', b: '1'"}, {"23:00", "a: '1', b: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"removed data.b": -1}, looked: 1,
		},
		"a commit dated ahead, of which another value is there": {
			live: "a: '2'", records: []string{ci + "12:30 a"},
			commits: []commit{{"23:00", "a: '2', b: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"removed data.b": -1},
		},
		"a commit dated ahead, of which a dropped field is gone": {
			live: "a: '1'", records: []string{ci + "12:30 a"},
			commits: []commit{{"23:00", "a: '1', b: '1'"}, {"10:00", "a: '1', c: '1'"}},
			want:    map[string]int{"removed data.b": -1},
		},
		"a commit dated ahead, of which another new field is there": {
			live: "a: '1', c: '1'", records: []string{ci + "12:30 a c"},
			commits: []commit{{"23:00", "a: '1', b: '1', c: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"removed data.b": -1},
		},
		"a commit dated ahead, of which a value is there that git has since changed": {
			live: "a: '2'", records: []string{ci + "12:30 a"},
			commits: []commit{{"23:30", "a: '3', b: '1'"}, {"23:00", "a: '2', b: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"modified data.a": 1, "removed data.b": -1},
		},
		"what a person has set does not date a deployment": {
			live: "a: '2'", records: []string{ci + "10:30", "kubectl-edit Update 10:40 a"},
			commits: []commit{{"12:00", "a: '2', b: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"removed data.b": 1},
		},

		// Another value shows which commit was applied, whatever the time.
		"an old commit deployed late": {
			live: "a: '1'", records: []string{ci + "15:00 a"},
			commits: []commit{{"12:00", "a: '2', b: '1'"}, {"11:00", "a: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"modified data.a": 1, "removed data.b": 1}, looked: 2,
		},
		"an old commit deployed late, and a field of it taken away": {
			live: "a: '1'", records: []string{ci + "15:00 a"},
			commits: []commit{{"12:00", "a: '2', b: '1'"}, {"11:00", "a: '1', b: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"modified data.a": 1, "removed data.b": -1}, looked: 2,
		},
		"the oldest of two values counts": {
			live: "a: '1', c: '1'", records: []string{ci + "15:00 a c"},
			commits: []commit{{"12:00", "a: '2', c: '3', b: '1'"}, {"11:00", "a: '1', c: '2'"}, {"10:00", "a: '1', c: '1', b: '1'"}},
			want:    map[string]int{"modified data.a": 1, "modified data.c": 2, "removed data.b": -1},
		},
		"a person's value shows nothing": {
			live: "a: '1'", records: []string{ci + "15:00", "kubectl-edit Update 15:30 a"},
			commits: []commit{{"12:00", "a: '2', b: '1'"}, {"10:00", "a: '1'"}},
			want:    map[string]int{"modified data.a": -1, "removed data.b": -1}, looked: 1,
		},

		// What is not known is never lag.
		"a commit that is not known": {
			live: "a: '1'", records: []string{ci + "10:30 a"},
			commits: []commit{{"12:00", "a: '2'"}, {"11:00", unknown}, {"10:00", "a: '1'"}},
			want:    map[string]int{"modified data.a": 2},
		},
		"the only commit with the value is not known": {
			live: "a: '1'", records: []string{ci + "10:30 a"},
			commits: []commit{{"12:00", "a: '2'"}, {"10:00", unknown}},
			want:    map[string]int{"modified data.a": -1},
		},
		"the commit of the day is not known": {
			live: "a: '1'", records: []string{ci + "10:30 a"},
			commits: []commit{{"12:00", "a: '1', b: '1'"}, {"11:00", "a: '1'"}, {"10:00", unknown}, {"09:00", "a: '1'"}},
			want:    map[string]int{"removed data.b": -1}, looked: 3,
		},
		"which commit was applied is not known": {
			live: "a: '1'", records: []string{ci + "15:00 a"},
			commits: []commit{{"12:00", "a: '2', b: '1'"}, {"11:00", unknown}, {"10:00", "a: '1'"}},
			want:    map[string]int{"modified data.a": 2, "removed data.b": -1},
		},
		"a commit without the object": {
			live: "a: '1'", records: []string{ci + "10:30 a"},
			commits: []commit{{"12:00", "a: '2', b: '1'"}, {"11:00", absent}, {"10:00", "a: '1'"}},
			want:    map[string]int{"modified data.a": 2, "removed data.b": 2},
		},
		"no commit of the day has the object": {
			live: "a: '1'", records: []string{ci + "10:30 a"},
			commits: []commit{{"12:00", "a: '1', b: '1'"}, {"11:00", "a: '1'"}, {"10:00", absent}},
			want:    map[string]int{"removed data.b": -1},
		},
	}
}

// TestLag wants of each change the number of commits that it is behind, or -1
// for drift, and no commit looked at that cannot matter.
func TestLag(t *testing.T) {
	t.Parallel()
	for name, c := range cases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var records []string
			for _, r := range c.records {
				records = append(records, record(r))
			}
			live := parse(t, fmt.Sprintf(settings(c.live), ", managedFields: ["+strings.Join(records, ", ")+"]"))
			got, looked := walk(t, live, c.commits)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
			want := c.looked
			if _, ok := noLook[name]; want == 0 && !ok {
				want = len(c.commits)
			}
			if looked != want {
				t.Errorf("looked at %d commits, want %d", looked, want)
			}
		})
	}
}

// noLook are the cases that no commit could change.
var noLook = map[string]bool{
	"an old value that a person set":                                   true,
	"an old value that a person set in the same second":                true,
	"an old value that a person applied to what a deployer deploys":    true,
	"a dropped field that a person applied to what a deployer deploys": true,
	"a dropped field that a person changed":                            true,
	"an addition of somebody's that git has had":                       true,
	"no record of any deployment":                                      true,
	"no records":                                                       true,
}

// walk holds a live object against commits, and returns how far each change is
// behind and how many commits it took to tell.
func walk(t *testing.T, live object.Object, commits []commit) (behind map[string]int, looked int) {
	t.Helper()
	s, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	comparison := lag.Comparison{Live: live, Type: s.Type(live.ID.Group, live.ID.Version, live.ID.Kind)}
	head := declared(t, commits[0])
	k := lag.NewCase(comparison, head, differ.Compare(head, live, comparison.Type, comparison.Options))
	for i, c := range commits {
		if !k.Open() {
			break
		}
		looked++
		at := lag.Commit{Hash: fmt.Sprint("commit ", i), Behind: i, Time: clock(t, c.at)}
		switch c.data {
		case unknown:
			k.Skip(at)
		case absent:
			k.Absent(at)
		default:
			k.Look(at, new(object.Packer).Pack(declared(t, c)))
		}
	}
	behind = map[string]int{}
	for _, c := range k.Changes() {
		n := -1
		if c.Pending.Commit != "" {
			n = c.Pending.Behind
			if c.Pending.Commit != fmt.Sprint("commit ", n) {
				t.Errorf("%v is pending as of %+v", c.Path, c.Pending)
			}
		}
		behind[fmt.Sprint(c.Op, " ", c.Path)] = n
	}
	return behind, looked
}

// declared is what a commit declares: a ConfigMap's data, or a whole object.
func declared(t *testing.T, c commit) object.Object {
	t.Helper()
	if strings.HasPrefix(c.data, "{") {
		return parse(t, c.data)
	}
	return parse(t, fmt.Sprintf(settings(c.data), ""))
}

// deployment is a Deployment with the given containers, and replicas if any.
func deployment(containers, spec, metadata string) string {
	return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop" + metadata + "}, " +
		"spec: {selector: {matchLabels: {app: web}}, " + spec +
		"template: {metadata: {labels: {app: web}}, spec: {containers: [" + containers + "]}}}}"
}

// TestLagWithoutAWriter wants a list's order, and a value of the server's choice
// where git has since declared one, to be judged by time: neither has a writer.
func TestLagWithoutAWriter(t *testing.T) {
	t.Parallel()
	const a, b = "{name: a, image: a}", "{name: b, image: b}"
	managed := func(at string) string {
		return `, managedFields: [{manager: ci-deploy, operation: Apply, time: '` + day + at + `:00Z', fieldsV1: {"f:spec": {"f:selector": {}, "f:template": {"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": {"f:containers": {
			'k:{"name":"a"}': {".": {}, "f:name": {}, "f:image": {}}, 'k:{"name":"b"}': {".": {}, "f:name": {}, "f:image": {}}}}}}}}]`
	}
	for name, c := range map[string]struct {
		head, before, live string
		want               string
	}{
		"order":    {deployment(a+","+b, "", ""), deployment(b+","+a, "", ""), b + "," + a, "reordered spec.template.spec.containers"},
		"replicas": {deployment(a+","+b, "replicas: 3, ", ""), deployment(a+","+b, "", ""), a + "," + b, "modified spec.replicas"},
	} {
		for at, behind := range map[string]int{"10:30": 1, "12:30": -1} {
			t.Run(name+" deployed at "+at, func(t *testing.T) {
				t.Parallel()
				live := parse(t, deployment(c.live, "replicas: 1, ", managed(at)))
				got, _ := walk(t, live, []commit{{"12:00", c.head}, {"10:00", c.before}})
				if d := cmp.Diff(map[string]int{c.want: behind}, got); d != "" {
					t.Errorf("changes (-want +got):\n%s", d)
				}
			})
		}
	}
}

// TestSince wants the commit that introduced an object, and no word where that is
// not known.
func TestSince(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		declares string // of each commit: y, n, or ? where it is not known
		behind   int
		known    bool
		looked   int
	}{
		"since the newest commit":    {"yn", 0, true, 2},
		"since an older one":         {"yyyny", 2, true, 4},
		"longer than is known":       {"yyy", 0, false, 3},
		"a commit that is not known": {"yy?n", 0, false, 3},
		"in no commit":               {"nn", 0, false, 1},
	} {
		var s lag.Since
		looked := 0
		for i, word := range c.declares {
			if !s.Open() {
				break
			}
			looked++
			at := lag.Commit{Hash: "abc", Behind: i}
			if word == '?' {
				at.Err = errors.New("broken")
			}
			s.Look(at, word == 'y')
		}
		got, known := s.Commit()
		if known != c.known || known && got != (differ.Pending{Commit: "abc", Behind: c.behind}) || looked != c.looked {
			t.Errorf("%s: %+v, %v after %d commits", name, got, known, looked)
		}
	}
}
