package controller

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"plumbline.dev/plumbline/finding"
	"plumbline.dev/plumbline/object"
	"plumbline.dev/plumbline/report"
)

// board has a Baseline's open findings by fingerprint, and tells the log of each when it
// comes, when it is another and when it goes.
type board struct {
	log *slog.Logger
	// file keeps them for the next process; empty keeps none.
	file string
	open map[string]open
}

// open is a finding as it was last told.
type open struct {
	Rule     finding.Rule
	Severity string
	Object   object.ID // zero for what is about no single object
	Message  string
	Since    time.Time
}

// newBoard returns what the last process left in a file.
func newBoard(log *slog.Logger, file string) board {
	b := board{log: log, file: file}
	text, err := os.ReadFile(file)
	switch {
	case file == "" || errors.Is(err, fs.ErrNotExist):
	case err != nil:
		log.Error("the findings that were open are not known, and are told again", "error", err)
	default:
		if err := json.Unmarshal(text, &b.open); err != nil {
			log.Error("the findings that were open are not known, and are told again", "file", file, "error", err)
			b.open = nil
		}
	}
	return b
}

// update takes in what was found. Of objects that could not be compared nothing is said to
// be gone.
func (b *board) update(r report.Report) {
	unknown := map[object.ID]bool{} // the zero ID stands for what is about no single object
	for _, u := range r.Unknown {
		unknown[u.Object] = true
	}
	before, now, news := b.open, map[string]open{}, false
	for _, f := range r.Findings {
		key := f.Fingerprint()
		o := open{Rule: f.Rule, Severity: f.Severity.String(), Object: f.Object, Message: f.Message, Since: time.Now()}
		if was, known := before[key]; known {
			o.Since = was.Since
		}
		now[key] = o
	}
	for _, key := range sorted(before) {
		was := before[key]
		if _, still := now[key]; still {
			continue
		}
		if unknown[was.Object] || unknown[object.ID{}] || len(r.Errors) > 0 {
			now[key] = was
			continue
		}
		b.log.Info("finding resolved", was.attributes(key)...)
		news = true
	}
	for _, key := range sorted(now) {
		switch was, known := before[key]; {
		case !known:
			b.log.Warn("finding", now[key].attributes(key)...)
		case was.Message != now[key].Message || was.Severity != now[key].Severity:
			b.log.Warn("finding changed", now[key].attributes(key)...)
		default:
			continue
		}
		news = true
	}
	b.open = now
	if news {
		b.keep()
	}
}

// keep writes the board for the next process, whole or not at all. What was told before a
// crash and not written is told again: nothing is lost.
func (b *board) keep() {
	if b.file == "" {
		return
	}
	text, err := json.Marshal(b.open)
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(b.file), 0o700), os.WriteFile(b.file+".new", text, 0o600), os.Rename(b.file+".new", b.file))
	}
	if err != nil {
		b.log.Error("the open findings cannot be kept, and are told again after a restart", "error", err)
	}
}

// forget takes away what is kept.
func (b *board) forget() {
	if b.file != "" {
		_ = os.Remove(b.file) // another Baseline has another
	}
}

// sorted are the keys of findings in the order of their objects and rules.
func sorted(all map[string]open) []string {
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(all[a].Object.Compare(all[b].Object), cmp.Compare(all[a].Rule, all[b].Rule), cmp.Compare(a, b))
	})
}

func (o open) attributes(key string) []any {
	return []any{"fingerprint", key, "rule", o.Rule, "severity", o.Severity, "object", o.Object.String(), "message", o.Message, "since", o.Since.UTC().Format(time.RFC3339)}
}
