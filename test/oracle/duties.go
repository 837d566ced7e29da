package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"plumbline.dev/plumbline/differ"
)

// declaredPart wants the differ to say of what git declares as much as an apply
// would change, and no more.
func (t truth) declaredPart(said []differ.Change) []string {
	var wrong []string
	changes := told(said, differ.Modified, differ.Removed, differ.Contested)
	added, lost := told(said, differ.Added), places{}
	for _, c := range said {
		if fresh := valuesAt(t.untouched.Object, c.Path); (c.Op == differ.Modified || c.Op == differ.Contested) && len(fresh) == 1 && loses(c.Declared, fresh[0]) {
			lost[spelled(c.Path)] = true
		}
	}
	beside := told(said, differ.Added, differ.Released) // where git says null, or one of two items with one key
	changed := t.byApply.present()
	for _, p := range changed.sorted() {
		if t.declared[p] && !t.admissions(p) && !changes.covered(p) && !beside.covered(p) && !t.leftTo(p) && (!t.null[p] || !t.updated()) {
			wrong = append(wrong, "declared: missed "+p)
		}
	}
	maps.Copy(changed, t.byApply.removed)
	for _, p := range changes.sorted() {
		if !changed.covered(p) && !t.ignored(p) && !t.dropped.covered(p) && !lost[p] && !added[twin(p)] && (twin(p) == p || !t.declared[twin(p)]) {
			wrong = append(wrong, "declared: false alarm about "+p)
		}
	}
	return wrong
}

// updated tells whether the deployer writes with updates: tools that do leave nulls
// out of what they send.
func (t truth) updated() bool {
	var updates, applies bool
	for _, m := range t.live.GetManagedFields() {
		updates = updates || m.Manager == ci && m.Operation == metav1.ManagedFieldsOperationUpdate
		applies = applies || m.Manager == ci && m.Operation == metav1.ManagedFieldsOperationApply
	}
	return updates && !applies
}

// loses tells whether the server stores a whole value without something that git
// says in it.
func loses(git, stored any) bool {
	switch g := git.(type) {
	case map[string]any:
		s, _ := stored.(map[string]any)
		for name, v := range g {
			if there, ok := s[name]; !ok && nonEmptyValue(v) || ok && loses(v, there) {
				return true
			}
		}
	case []any:
		s, _ := stored.([]any)
		for i, v := range g {
			if i < len(s) && loses(v, s[i]) {
				return true
			}
		}
	}
	return false
}

func nonEmptyValue(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return v != nil && v != "" && v != false && v != int64(0)
}

// ignored tells whether the server takes the field only when it creates the
// object, or never, and leaves it as it is without a word: it differs from git
// for ever, and an apply would not change it.
func (t truth) ignored(p string) bool {
	switch t.live.GetKind() {
	case "CertificateSigningRequest":
		return beneath(p, ".spec")
	case "Lease":
		return p == ".spec.preferredHolder" || p == ".spec.strategy" // behind a feature gate
	case "Node":
		return beneath(p, ".spec.configSource")
	}
	return false
}

// leftTo tells whether git leaves a place to be filled in, and a controller has.
func (t truth) leftTo(p string) bool {
	holds := t.ledger.around(p)
	byController := func(t touch) bool { return t.Role == Controller }
	if t.blank[p] && t.live.GetKind() == "ReplicationController" && p == ".spec.selector" {
		return true // an apply fills it in anew, from the labels that the template has by then
	}
	if t.zero[p] && t.serversChoice(p) {
		return true // an apply may choose anew, if something else of the item is another
	}
	return t.blank[p] && t.ledger.masked || t.blank[p] && len(holds) > 0 && t.ledger.touched(p, last(holds).number, byController)
}

// kept tells whether an apply of git keeps what is there, though git says zero: that
// leaves the choice to the server, and is as good as to say nothing.
func (t truth) kept(p string) bool {
	return t.zero[p] && !t.byApply.present()[p] && !t.byApply.removed[p]
}

// releases wants what is said to be released to have been the deployer's, and
// what a deployer's apply would remove to be said.
func (t truth) releases(said []differ.Change) (wrong []string, missed []omission) {
	released := told(said, differ.Released)
	all := told(said, differ.Released, differ.Added, differ.Modified, differ.Removed)
	for _, p := range t.byApply.removed.sorted() {
		inItem := strings.HasSuffix(parent(p), "]") && released.covered(parent(p)) // which goes as a whole: its defaults need not be named
		if onlyApplied(t.ledger.holds[p]) && t.duty(p) != liberty && !all.covered(p) && !inItem {
			missed = append(missed, omission{p, "released: missed " + p})
		}
	}
	for _, q := range released.sorted() {
		deploys := func(t touch) bool { return t.Role == Deployer || t.Role == Impostor }
		if who := roles(t.among(q)); !t.byApply.removed.covered(q) && !t.ledger.touched(q, 0, deploys) && !who[Deployer] && !who[Impostor] && !t.emptied.covered(q) && !t.ledger.masked {
			wrong = append(wrong, "released: false alarm about "+q)
		}
	}
	return wrong, missed
}

func onlyApplied(holds []hold) bool {
	return len(holds) > 0 && !slices.ContainsFunc(holds, func(h hold) bool {
		return h.Role != Deployer || h.Way != Apply || !h.recorded || !h.meant
	})
}

// among are the claims to what stands beside git at a place.
func (t truth) among(q string) []hold {
	var all []hold
	for _, p := range t.beside.present().sorted() {
		if related(p, q) {
			all = append(all, t.ledger.holds[p]...)
		}
	}
	return all
}

// duty is what the differ owes about a place beside git.
type duty int

const (
	silence     duty = iota // a default, or a controller's
	liberty                 // followed from an edit, or cannot be told
	mention                 // somebody's
	impostor                // a person's under the deployer's name
	releaseOnly             // the deployer's
)

func (t truth) duty(p string) duty {
	holds := t.ledger.holds[p]
	who := roles(holds)
	switch {
	case t.admissions(p):
		return liberty
	case len(holds) == 0, len(who) == 1 && who[server]:
		return silence
	case !meant(holds), who[server], t.emptied[p]:
		return liberty
	case t.ledger.masked, !recorded(holds) && (t.unrecorded(p) || t.serversChoice(p)):
		return liberty
	case t.serversChoice(p) && !who[Person]:
		return liberty // once chosen it stays
	case t.live.GetKind() == "Lease" && beneath(p, ".spec"):
		return liberty // is written by whoever holds the lease
	case who[Impostor] && !who[Person]:
		return impostor
	case t.ledger.touched(p, last(holds).number+1, func(t touch) bool { return t.Way != Apply && !who[t.Role] }):
		return liberty // somebody asked for what was there already, and the server may have recorded that
	case t.respelled(p) && t.ledger.converted():
		return liberty // of which the server loses records of another version
	case t.typedBeside(p, last(holds)):
		return liberty
	case who[Controller] && len(who) == 1 && recorded(holds):
		return silence
	case who[Controller], slices.ContainsFunc(holds, func(h hold) bool { return h.Way == Scale }):
		return liberty
	case who[Person]:
		return mention
	case slices.ContainsFunc(holds, func(h hold) bool { return h.Way == Update || h.Way == ClientSide && !h.recorded }):
		return liberty // perhaps a default, which a deployer that updates owns too
	}
	return releaseOnly
}

// typedBeside tells whether somebody else has written a Secret's value as well, in the same
// second as the last who did: of a stringData the record stays, and so both have one.
func (t truth) typedBeside(p string, last hold) bool {
	of := func(s Step) time.Time { return t.written(s.Manager, s.Way == Apply, "") }
	return t.live.GetKind() == "Secret" && beneath(p, ".data") && t.ledger.touched(p, 0, func(other touch) bool {
		return other.Role != last.Role && !of(other.Step).Before(of(last.Step))
	})
}

// admissions tells whether admission fills in a place in the name of whoever touches or
// moves it.
func (t truth) admissions(p string) bool {
	return t.live.GetKind() == "Pod" && (beneath(p, ".spec.volumes") || p == ".spec.tolerations")
}

// unrecorded tells whether the server fills a place in without a record, so that
// nothing tells its value from one whose record was removed.
func (t truth) unrecorded(p string) bool {
	switch t.live.GetKind() {
	case "Pod":
		return beneath(p, ".spec")
	case "Job", "ReplicationController":
		if beneath(p, ".metadata.labels") {
			return true // or copied from the Pods'
		}
	case "Ingress":
		return p == ".spec.ingressClassName"
	case "PersistentVolumeClaim":
		return p == ".spec.storageClassName"
	}
	own := t.live.GetAPIVersion()
	converted := func(m metav1.ManagedFieldsEntry) bool { return m.APIVersion != own }
	if strings.Contains(own, ".example.com/") && slices.ContainsFunc(t.live.GetManagedFields(), converted) {
		return true // a conversion may have made it of something that a record names otherwise
	}
	return p == ".spec.replicas" || p == ".spec.shards" || strings.HasSuffix(p, ".imagePullPolicy")
}

// undeclared wants the differ to say what stands beside git by anyone but
// controllers and the server, and nothing else.
func (t truth) undeclared(said []differ.Change) verdict {
	var v verdict
	mentioned, added := told(said, differ.Added, differ.Released), told(t.named(said), differ.Added)
	all, allowed, quiet := t.byApply.present(), places{}, places{}
	maps.Copy(all, t.byApply.removed)
	for _, p := range t.beside.present().sorted() {
		if t.declared[p] && !t.null[p] && !t.kept(p) {
			continue // what an apply would do with it was asked
		}
		d := t.duty(p)
		if d == silence {
			quiet[p] = true
		} else {
			allowed[p] = true
		}
		switch {
		case d == impostor && mentioned.covered(p):
			v.imposturesSaid++
		case d == impostor:
			v.imposturesMissed++
		case (d == mention || d == releaseOnly) && !mentioned.covered(p) && !mentioned.covered(twin(p)) && !all.covered(p):
			v.missed = append(v.missed, omission{p, fmt.Sprintf("undeclared: missed %s (%s)", p, writersOf(t.ledger.holds[p]))})
		}
	}
	for _, q := range added.sorted() {
		if !allowed.covered(q) && !t.emptied.covered(q) && !t.chosen(q) {
			v.wrong = append(v.wrong, fmt.Sprintf("undeclared: false alarm about %s (%s)", q, writersOf(t.ledger.around(q))))
		}
		for _, p := range quiet.sorted() {
			if holds := t.ledger.holds[p]; beneath(p, q) && roles(holds)[Controller] {
				v.wrong = append(v.wrong, fmt.Sprintf("undeclared: too wide %s, of which %s is a controller's", q, p))
			}
		}
	}
	return v
}

// named are the changes but for those that are said to be by nobody, where a record
// was given that name: what it is about may be anybody's.
func (t truth) named(said []differ.Change) []differ.Change {
	return slices.DeleteFunc(slices.Clone(said), func(c differ.Change) bool { return t.ledger.renamed && c.Writer.Manager == nobody })
}

// chosen tells whether somebody asked for what the server chooses itself where
// nobody does: whether that is another value than it would have chosen is known to
// nobody.
func (t truth) chosen(q string) bool {
	asked := t.ledger.touched(q, 0, func(t touch) bool { return t.Role != Deployer })
	return asked && (t.serversChoice(q) || t.declared.covered(q)) // or added the second of two items with one key
}

// serversChoice tells whether the server chooses a value of its own for a place, without
// a record, and keeps it.
func (t truth) serversChoice(p string) bool { return serversChoice(t.live.GetKind(), p) }

func serversChoice(kind, p string) bool {
	switch kind {
	case "Service":
		return slices.Contains([]string{".spec.clusterIP", ".spec.clusterIPs", ".spec.ipFamilies", ".spec.ipFamilyPolicy", ".spec.healthCheckNodePort"}, p) ||
			strings.HasSuffix(p, ".nodePort")
	case "Job":
		return p == ".spec.selector"
	case "Pod":
		return strings.HasPrefix(p, ".spec.") && strings.Contains(p, ".volumeMounts")
	}
	return false
}

// twin is the place at which the server keeps the same value under another name.
func twin(p string) string {
	if rest, ok := strings.CutSuffix(p, ".serviceAccount"); ok {
		return rest + ".serviceAccountName"
	}
	return p
}

// taken are the defaults that are gone because somebody asked for it, but for
// those that went with something that git declares.
func (t truth) taken() []string {
	var gone []string
	for _, p := range t.beside.removed.sorted() {
		if t.ledger.tookAway(p) && !t.declared.covered(t.goneWith(p)) {
			gone = append(gone, p)
		}
	}
	return gone
}

// goneWith is the highest place that is gone together with p.
func (t truth) goneWith(p string) string {
	for {
		above := parent(p)
		if above == "" || t.present.covered(above) {
			return p
		}
		p = above
	}
}

func writersOf(holds []hold) string {
	var names []string
	for _, h := range holds {
		name := fmt.Sprintf("%s %s by %s", h.Role, h.Manager, h.Way)
		if !h.meant {
			name += ", of itself"
		}
		if !h.recorded {
			name += ", records gone"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return fmt.Sprint(names)
}
