package running

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
)

// digest reads what a node says that a container runs: "repository@sha256:…", with
// "docker-pullable://" before it in older clusters. Of an image that came from no
// registry, or from some runtimes, it is the digest of the image's configuration, which
// compares with no manifest's: comparable tells.
func digest(imageID string) (value string, comparable bool) {
	if _, after, ok := strings.Cut(imageID, "://"); ok {
		imageID = after
	}
	if _, after, ok := strings.Cut(imageID, "@"); ok {
		return after, true
	}
	return imageID, false
}

// group is what the Pods of one workload share: by workload and container.
type group struct {
	workload  object.ID
	container string
}

// share is one of these, with the Pods and the extremes among them.
type share struct {
	pods   []object.ID
	since  time.Time // the oldest start
	image  string
	digest string // of the first that runs
}

// expired tells of containers that have run for longer than they may.
func (j *judge) expired() {
	old := map[group]*share{}
	for _, p := range j.pods {
		for _, c := range p.containers {
			started := object.Text(object.Map(object.Map(c.status, "state"), "running"), "startedAt")
			if started == "" {
				continue
			}
			since, err := time.Parse(time.RFC3339, started)
			if err != nil {
				j.fail(finding.RuntimeExpired, p.id, "container %q does not say in a known form when it started", c.name)
				continue
			}
			if j.world.Now.Sub(since) <= j.spec.MaxAge.Duration {
				continue
			}
			s := shared(old, group{j.workload(p), c.name}, p)
			if s.since.IsZero() || since.Before(s.since) {
				s.since = since
			}
		}
	}
	for g, s := range old {
		j.tell(g, s, finding.Finding{
			Rule: finding.RuntimeExpired, Severity: finding.Warning,
			Message: fmt.Sprintf("container %q has run since %s, and may for %s", g.container, s.since.UTC().Format(time.RFC3339), hours(j.spec.MaxAge.Duration)),
			Advice:  "replace the Pods (kubectl rollout restart), and find out what keeps them from being deployed anew",
		})
	}
}

// hours spells a duration as people write it: 168h, 1h30m.
func hours(d time.Duration) string {
	text := d.String()
	for _, none := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, none) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// behind tells of containers whose image's tag names another image by now. It says
// nothing of images that are pinned by digest, and judges no digest that compares with
// none: of a configuration, or of a platform where the index's are not known.
func (j *judge) behind() {
	old := map[group]*share{}
	for _, p := range j.pods {
		for _, c := range p.containers {
			image, id := object.Text(c.spec, "image"), object.Text(c.status, "imageID")
			newest, ok := j.world.Newest[image]
			if !ok || id == "" || strings.Contains(image, "@") || object.Map(c.status, "state")["terminated"] != nil {
				continue
			}
			running, comparable := digest(id)
			switch {
			case running == newest.Digest || slices.Contains(newest.Platforms, running):
			case !comparable:
				j.fail(finding.RuntimeBehind, p.id, "the node gives the image of container %q by the digest of its configuration, which cannot be compared with a tag", c.name)
			case newest.Index && len(newest.Platforms) == 0:
				j.fail(finding.RuntimeBehind, p.id, "the image of container %q has one for each platform, and which these are is not known", c.name)
			default:
				if s := shared(old, group{j.workload(p), c.name}, p); s.image == "" {
					s.image, s.digest = image, running
				}
			}
		}
	}
	for g, s := range old {
		j.tell(g, s, finding.Finding{
			Rule: finding.RuntimeBehind, Severity: finding.Warning,
			Message: fmt.Sprintf("container %q runs %s, and %s names %s by now", g.container, s.digest, s.image, j.world.Newest[s.image].Digest),
			Advice:  "deploy the newest image, best by its digest, so that git says what runs",
		})
	}
}

func shared(all map[group]*share, g group, p *pod) *share {
	if all[g] == nil {
		all[g] = &share{}
	}
	all[g].pods = append(all[g].pods, p.id)
	return all[g]
}

func (j *judge) tell(g group, s *share, f finding.Finding) {
	f.Object, f.Subject = g.workload, g.container
	if g.workload != s.pods[0] {
		f.Children = slices.Clone(s.pods)
		slices.SortFunc(f.Children, object.ID.Compare)
		f.Message += fmt.Sprintf(", in %d of its Pods", len(s.pods))
	}
	j.add(f)
}
