package provenance_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/provenance"
)

func TestFindings(t *testing.T) {
	web := object.ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	job := object.ID{Group: "batch", Version: "v1", Kind: "Job", Namespace: "shop", Name: "job"}
	origin := object.Origin{Position: object.Position{File: "web.yaml", Line: 3}}
	results := map[string]provenance.Result{
		"good":     {Digest: "sha256:1", Signed: true, Key: "SHA256:k"},
		"bad":      {Digest: "sha256:2", Reason: "is not signed: its registry has no signature of it"},
		"unbuilt":  {Digest: "sha256:3", Key: "SHA256:k", Reason: "is not signed as asked: its signature has no SLSA provenance"},
		"down":     {Err: errors.New("asking registry r: it cannot be reached")},
		"nothing":  {},
		"\x1bevil": {Digest: "sha256:4", Reason: "is not signed"},
	}
	uses := []provenance.Use{
		{Object: web, Origin: origin, Subject: "containers[web]", Image: "unbuilt"},
		{Object: job, Subject: "containers[b]", Image: "bad"},
		{Object: job, Subject: "containers[a]", Image: "bad"},
		{Object: job, Subject: "containers[a]", Image: "bad"},
		{Object: job, Subject: "containers[c]", Image: "good"},
		{Object: job, Subject: "containers[d]", Image: "down"},
		{Object: job, Subject: "containers[e]", Image: "nobody looked"},
		{Object: job, Subject: "containers[f]", Image: "nothing"},
		{Object: job, Subject: "containers[g]", Image: "\x1bevil"},
	}
	findings, unjudged := provenance.Findings(uses, results)
	var got []string
	for _, f := range findings {
		if f.Rule != finding.SourceSignature || f.Severity != finding.Warning || f.Advice == "" {
			t.Errorf("%+v", f)
		}
		got = append(got, f.Object.Name+" "+f.Subject+": "+f.Message)
	}
	for _, u := range unjudged {
		got = append(got, u.Error())
	}
	want := []string{
		"web containers[web]: Image unbuilt (sha256:3) is not signed as asked: its signature has no SLSA provenance.",
		"job containers[a]: Image bad (sha256:2) is not signed: its registry has no signature of it.",
		"job containers[b]: Image bad (sha256:2) is not signed: its registry has no signature of it.",
		"job containers[g]: Image evil (sha256:4) is not signed.",
		"Job.batch shop/job containers[d]: image down: asking registry r: it cannot be reached",
		"Job.batch shop/job containers[e]: image nobody looked: nobody has looked who signed it",
		"Job.batch shop/job containers[f]: image nothing: nobody has looked who signed it",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if findings[0].Origin.File != "web.yaml" {
		t.Errorf("origin %v", findings[0].Origin)
	}
}
