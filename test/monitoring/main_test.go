package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"plumbline.dev/plumbline/test/testenv"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "manifests/components/monitoring", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestBothHaveTheSameRules wants the custom resource to hold what the plain file does.
func TestBothHaveTheSameRules(t *testing.T) {
	var plain any
	var custom struct{ Spec any }
	for file, into := range map[string]any{"rules.yaml": &plain, "prometheusrule.yaml": &custom} {
		if err := yaml.Unmarshal(read(t, file), into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	if diff := cmp.Diff(plain, custom.Spec); diff != "" {
		t.Errorf("run \"go generate ./...\": rules.yaml (-), prometheusrule.yaml (+):\n%s", diff)
	}
}

// TestEachAlertSaysWhatToDo wants what whoever is woken by one needs.
func TestEachAlertSaysWhatToDo(t *testing.T) {
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert               string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(read(t, "rules.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if !slices.Contains([]string{"critical", "warning", "info"}, rule.Labels["severity"]) || !strings.HasPrefix(rule.Alert, "Plumbline") {
				t.Errorf("%s has the severity %q", rule.Alert, rule.Labels["severity"])
			}
			for _, name := range []string{"summary", "description", "runbook"} {
				if len(rule.Annotations[name]) < 20 {
					t.Errorf("%s: the annotation %s is %q", rule.Alert, name, rule.Annotations[name])
				}
			}
		}
	}
}

// dashboard is what Grafana reads of one, as far as it matters here.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct{ List []variable }
	Panels        []panel
}

type variable struct {
	Name, Type, Definition string
	Query                  any
	Datasource             *source
}

type source struct{ Type, UID string }

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Datasource               *source
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			Thresholds *struct {
				Steps []struct {
					Color string
					Value *float64
				}
			}
		}
	}
	Targets []struct {
		RefID, Expr, LegendFormat, Format string
		Datasource                        *source
	}
	Panels []panel
}

// units are those of Grafana's that are in use.
var units = []string{"none", "short", "s", "bytes", "reqps"}

// TestDashboard wants Grafana to find its way: every panel with an id, a place, a unit and
// a query of its own, of the data source that is chosen, and every variable to exist.
func TestDashboard(t *testing.T) {
	text := read(t, "dashboard.json")
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 36 || len(d.Panels) < 10 {
		t.Errorf("it is %q, %q of schema %d with %d panels", d.UID, d.Title, d.SchemaVersion, len(d.Panels))
	}
	known := []string{"__rate_interval"}
	for i, v := range d.Templating.List {
		known = append(known, v.Name)
		if i == 0 && (v.Name != "datasource" || v.Type != "datasource") || i > 0 && (v.Datasource == nil || v.Datasource.UID != "${datasource}") {
			t.Errorf("variable %s is a %s of %v", v.Name, v.Type, v.Datasource)
		}
	}
	for _, used := range regexp.MustCompile(`\$\{?(\w+)`).FindAllSubmatch(text, -1) {
		if !slices.Contains(known, string(used[1])) {
			t.Errorf("nobody declares the variable %s", used[0])
		}
	}
	ids, titles, taken := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] || p.Title == "" || titles[p.Title] {
			t.Errorf("panel %d %q is not the only one, or has no name", p.ID, p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		occupy(t, taken, p)
		if p.Type != "row" {
			p.check(t)
		}
	}
	if indented := new(bytes.Buffer); json.Indent(indented, text, "", "  ") != nil || !bytes.Equal(bytes.TrimSpace(indented.Bytes()), bytes.TrimSpace(text)) {
		t.Error("it is not indented by two")
	}
}

// occupy takes the place of a panel, which nobody else may have.
func occupy(t *testing.T, taken map[[2]int]string, p panel) {
	t.Helper()
	g := p.GridPos
	if g.W < 1 || g.H < 1 || g.X < 0 || g.Y < 0 || g.X+g.W > 24 {
		t.Errorf("panel %q has no place in 24 columns: %+v", p.Title, g)
	}
	for x := g.X; x < g.X+g.W; x++ {
		for y := g.Y; y < g.Y+g.H; y++ {
			if other, ok := taken[[2]int{x, y}]; ok {
				t.Errorf("panel %q lies on %q at %d, %d", p.Title, other, x, y)
				return
			}
			taken[[2]int{x, y}] = p.Title
		}
	}
}

func (p panel) check(t *testing.T) {
	t.Helper()
	if !slices.Contains([]string{"stat", "timeseries", "table"}, p.Type) || p.Description == "" {
		t.Errorf("panel %q is a %s, described as %q", p.Title, p.Type, p.Description)
	}
	if !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
		t.Errorf("panel %q has the unit %q", p.Title, p.FieldConfig.Defaults.Unit)
	}
	if steps := p.FieldConfig.Defaults.Thresholds; steps != nil && (len(steps.Steps) == 0 || steps.Steps[0].Value != nil) {
		t.Errorf("panel %q: the first threshold is the base and has no value", p.Title)
	}
	if p.Datasource == nil || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
		t.Errorf("panel %q asks %v for %d queries", p.Title, p.Datasource, len(p.Targets))
	}
	for i, target := range p.Targets {
		if target.RefID != fmt.Sprintf("%c", 'A'+i) || target.Expr == "" || target.LegendFormat == "" || *target.Datasource != *p.Datasource {
			t.Errorf("panel %q: query %d is %+v", p.Title, i, target)
		}
		if (p.Type == "table") != (target.Format == "table") {
			t.Errorf("panel %q: query %d is for a %s", p.Title, i, target.Format)
		}
	}
}
