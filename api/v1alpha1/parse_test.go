package v1alpha1_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/api/v1alpha1"
)

// edit is the example with one text replaced.
func edit(t *testing.T, old, text string) string {
	t.Helper()
	if !strings.Contains(whole, old) {
		t.Fatalf("the example has no %q", old)
	}
	return strings.Replace(whole, old, text, 1)
}

// broken are texts that are no Baseline, with all that is said of each.
func broken(t *testing.T) map[string]brokenCase {
	e := func(old, text string) string { return edit(t, old, text) }
	spec := func(text string) string { return whole + text }
	return map[string]brokenCase{
		// the form
		"empty":           {"", "1:1: the file is empty: write a Baseline, or let plumbline init print one to begin with"},
		"only comments":   {"# nothing\n", "1:1: the file is empty: write a Baseline, or let plumbline init print one to begin with"},
		"only a marker":   {"---\n", "1:1: the file is empty: write a Baseline, or let plumbline init print one to begin with"},
		"text":            {"hello", "1:1: the file is text: write fields, each with its value"},
		"a list":          {"- a", "1:1: the file is a list: write fields, each with its value"},
		"two documents":   {whole + "---\n" + whole, "13:1: the file holds more than one document: write each Baseline into a file of its own"},
		"unclosed":        {e("[shop]", "[shop"), "6:3: the list is not closed: write ] after its last item"},
		"tab":             {e("  confirm:", "\tconfirm:"), "9:1: a tab: indent with spaces"},
		"tab after space": {e("  confirm:", "  \tconfirm:"), "9:3: a tab: indent with spaces"},
		"two colons":      {e("DryRun", "a: b"), "9:3: a second colon: write the value in quotes, or begin a new line that is indented as its neighbours"},
		"at sign":         {e("DryRun", "@x"), "9:3: a value cannot begin with this character: write it in quotes"},
		"no such anchor":  {e("DryRun", "*x"), "9:12: there is no anchor &x above: write it in quotes if no alias is meant"},

		// fields
		"unknown field":   {e("  scope:", "  scopes:"), "6:3: unknown field spec.scopes (did you mean scope?)"},
		"other case":      {e("  scope:", "  Scope:"), "6:3: unknown field spec.Scope (did you mean scope?)"},
		"unknown, nested": {e("ref: main", "branch: main"), "5:59: unknown field spec.git.branch: write one of interval, path, ref, secretRef, url"},
		"in a rule":       {e("kind: Deployment, name", "kinds: Deployment, name"), "11:6: unknown field spec.ignore[0].kinds (did you mean kind?)"},
		"in a selector":   {e("name: web", "selector: {matchLabel: {a: b}}"), "11:35: unknown field spec.ignore[0].selector.matchLabel (did you mean matchLabels?)"},
		"in metadata":     {e("name: shop", "nam: shop"), "3:12: unknown field metadata.nam (did you mean name?)"},
		"misspelt reason": {e("reason:", "reasn:"), "11:60: unknown field spec.ignore[0].reasn (did you mean reason?)"},
		"duplicate key":   {e("  controllers:", "  deployer: {}\n  controllers:"), "8:3: spec.deployer stands twice: leave out this one or that of line 7"},
		"in quotes":       {e("  controllers:", "  \"deployer\": {}\n  controllers:"), "8:3: spec.deployer stands twice: leave out this one or that of line 7"},
		"key is a list":   {e("  confirm:", "  [a]:"), "9:3: a key of spec is a list: write a word"},

		// types
		"mapping for list":   {e("[cert-manager-cainjector]", "{a: b}"), `8:16: spec.controllers is a mapping: write a list, each item after "- "`},
		"text for list":      {e("[cert-manager-cainjector]", "cert"), `8:16: spec.controllers is text: write a list, each item after "- "`},
		"list for text":      {e("DryRun", "[DryRun]"), "9:12: spec.confirm is a list: write text"},
		"number for text":    {e("ref: main", "ref: 1.20"), `5:64: spec.git.ref is a number: write text, in quotes: "1.20"`},
		"bool for text":      {e("name: shop", "name: true"), `3:18: metadata.name is true or false: write text, in quotes: "true"`},
		"text for bool":      {spec("  posture: {secrets: sure}\n"), "12:22: spec.posture.secrets is text: write true or false"},
		"old word for bool":  {spec("  posture: {secrets: yes}\n"), "12:22: spec.posture.secrets is text: write true or false"},
		"bare Off":           {spec("  rules: {source/tag: Off}\n"), `12:23: spec.rules[source/tag] is a bare Off: write it in quotes, "Off", because kubectl reads the bare word as true or false`},
		"nothing":            {spec("  posture:\n"), "12:11: spec.posture has no value: give it one, or remove it"},
		"nothing in a list":  {spec("  - \n"), "12:4: spec.ignore[1] has no value: give it one, or remove it"},
		"a tag":              {e("DryRun", "!secret x"), "9:12: spec.confirm is of the type !secret: write text"},
		"binary":             {e("DryRun", "!!binary aGk="), "9:12: spec.confirm is of the type binary: write text"},
		"days":               {spec("  runtime: {maxAge: 7d}\n"), "12:21: spec.runtime.maxAge is text: write a duration in hours, minutes and seconds, such as 168h or 90m"},
		"seconds":            {spec("  runtime: {maxAge: 7}\n"), "12:21: spec.runtime.maxAge is a number: write a duration in hours, minutes and seconds, such as 168h or 90m"},
		"holds itself":       {e("[cert-manager-cainjector]", "&x [*x]"), "8:16: spec.controllers[0] is a list: write text"},
		"merges itself":      {e("{namespaces: [shop]}", "&x {<<: *x}"), "6:18: the anchor &x holds itself: write out what *x stands for"},
		"merges text":        {e("{namespaces: [shop]}", "{<<: x}"), "6:15: << is text: write an alias of a mapping, such as *common"},
		"error in an anchor": {e("{managers: [ci-deploy]}", "&d {manager: [ci-deploy]}") + "# *d\n", "7:17: unknown field spec.deployer.manager (did you mean managers?)"},

		// what it says
		"apiVersion":       {e("plumbline.dev/v1alpha1", "plumbline.dev/v1"), `1:13: apiVersion is "plumbline.dev/v1": write plumbline.dev/v1alpha1`},
		"kind":             {e("kind: Baseline", "kind: Deployment"), `2:7: kind is "Deployment": write Baseline`},
		"no kind":          {e("kind: Baseline\n", ""), `1:1: kind is "": write Baseline`},
		"no url":           {e("url: https://git.example.com/platform/config.git, ", ""), "5:8: spec.git.url is missing: name the repository, such as https://git.example.com/platform/config.git"},
		"mode":             {e("  confirm:", "  mode: Undo\n  confirm:"), `9:9: spec.mode is "Undo": write Report, Revert or Sync`},
		"quarantine alone": {e("  confirm:", "  quarantine: true\n  confirm:"), "9:15: spec.quarantine writes, and spec.mode is Report, which writes nothing: write mode: Revert or Sync"},
		"both":             {e("  confirm:", "  mode: Revert\n  prune: true\n  quarantine: true\n  confirm:"), "11:15: spec.quarantine keeps what spec.prune deletes: choose one of them"},
		"prune alone":      {e("  confirm:", "  prune: true\n  confirm:"), "9:10: spec.prune deletes, and spec.mode is Report, which writes nothing: write mode: Revert or Sync"},
		"an account":       {e("  confirm:", "  serviceAccountName: shop/deployer\n  confirm:"), `9:23: spec.serviceAccountName is "shop/deployer": write the name of a ServiceAccount beside the Baseline, without its namespace`},
		"too many writes":  {e("  confirm:", "  writesPerMinute: 6001\n  confirm:"), "9:20: spec.writesPerMinute is 6001: write how many objects may be written to in a minute, from 1 to 6000"},
		"confirm":          {e("DryRun", "Yess"), `9:12: spec.confirm is "Yess": write None or DryRun`},
		"confirm, case":    {e("DryRun", "dryrun"), `9:12: spec.confirm is "dryrun": did you mean DryRun?`},
		"ignore all":       {e("paths: [/spec/replicas], ", ""), `11:5: spec.ignore[0] has neither paths, managers nor when: name at least one field, such as /spec/replicas, or "/" for the whole object`},
		"no reason":        {e("reason: autoscaled, ", ""), "11:5: spec.ignore[0] has no reason: say why the differences are ignored"},
		"blank reason":     {e("autoscaled", `"  "`), "11:5: spec.ignore[0] has no reason: say why the differences are ignored"},
		"proposed reason":  {e("autoscaled", `"TODO: why?"`), "11:68: spec.ignore[0].reason is still to be written: say why the differences are ignored"},
		"until":            {e("2027-01-31", "31.1.2027"), `11:87: spec.ignore[0].until is "31.1.2027": write a day as 2027-01-31`},
		"second rule":      {spec("  - {paths: [/spec]}\n"), "12:5: spec.ignore[1] has no reason: say why the differences are ignored"},
		"password in url":  {e("https://git", "https://ci:hunter2@git"), "5:14: spec.git.url holds a password: take it out and set PLUMBLINE_GIT_PASSWORD or PLUMBLINE_GIT_TOKEN"},
		"all at once": {
			"kind: X\napiVersion: v1\nspec:\n  git: {ref: main}\n  scop: {}\n  controllers: 7\n  ignore: [{}]",
			`1:7: kind is "X": write Baseline
2:13: apiVersion is "v1": write plumbline.dev/v1alpha1
4:8: spec.git.url is missing: name the repository, such as https://git.example.com/platform/config.git
5:3: unknown field spec.scop (did you mean scope?)
6:16: spec.controllers is a number: write a list, each item after "- "
7:12: spec.ignore[0] has neither paths, managers nor when: name at least one field, such as /spec/replicas, or "/" for the whole object
7:12: spec.ignore[0] has no reason: say why the differences are ignored`,
		},
	}
}

type brokenCase struct{ text, want string }

// TestParseErrors wants each error to say where it is and what to write instead, and
// nothing that is not wrong to be said.
func TestParseErrors(t *testing.T) {
	for name, c := range broken(t) {
		t.Run(name, func(t *testing.T) {
			_, err := v1alpha1.Parse("dir/b.yaml", []byte(c.text))
			if err == nil {
				t.Fatal("no error")
			}
			if d := cmp.Diff(c.want, strings.ReplaceAll(err.Error(), "dir/b.yaml:", "")); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// TestParseAliases reads what aliases and merge keys stand for: a mapping's own
// fields go before those that it merges, and of these the first.
func TestParseAliases(t *testing.T) {
	b, err := v1alpha1.Parse("b.yaml", []byte(`apiVersion: plumbline.dev/v1alpha1
kind: Baseline
spec:
  ignore:
  - &a {kind: Deployment, paths: &p [/a], reason: one, name: x}
  - {<<: *a, reason: two, paths: *p}
  - <<: [{name: z}, *a]
    reason: three
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range b.Spec.Ignore {
		got = append(got, strings.Join([]string{i.Kind, i.Name, i.Paths[0], i.Reason}, " "))
	}
	if d := cmp.Diff([]string{"Deployment x /a one", "Deployment x /a two", "Deployment z /a three"}, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestParseBomb refuses aliases that expand to more than anybody would write, at once.
func TestParseBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("apiVersion: plumbline.dev/v1alpha1\nkind: Baseline\nmetadata: {annotations: &m {")
	for i := range 1000 {
		b.WriteString("k" + strings.Repeat("x", i) + ": v, ")
	}
	b.WriteString("}}\nspec:\n  ignore:\n  - selector: {matchLabels: {<<: [" + strings.Repeat("*m, ", 1000) + "]}}\n")
	_, err := v1alpha1.Parse("b.yaml", []byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "the aliases of the file expand to more than 100000 values") {
		t.Errorf("no word about aliases: %v", err)
	}
}

func TestLocate(t *testing.T) {
	text := []byte("spec:\n  sources:\n    registries:\n    - a\n    - b\n  rules: {a/b: Fail}\n")
	err := v1alpha1.Locate("b.yaml", text, errors.Join(
		errors.New("spec.rules[a/b]: no rule"),
		errors.Join(errors.New("spec.sources.registries[1]: not a registry\nat all"), errors.New("spec.sources.images[3].path is odd")),
		errors.New("something else"),
	))
	want := `b.yaml:1:1: something else
b.yaml:3:5: spec.sources.images[3].path is odd
b.yaml:5:7: spec.sources.registries[1]: not a registry; at all
b.yaml:6:16: spec.rules[a/b]: no rule`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %v", err, want)
	}
	if err := v1alpha1.Locate("b.yaml", text, nil); err != nil {
		t.Error(err)
	}
}
