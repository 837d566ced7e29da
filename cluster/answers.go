package cluster

import (
	"os"
	"path/filepath"
	"time"
)

// rememberFor is how long an answer is kept on disk. Most of what it hangs on is a
// part of its key, but not what a webhook does or which features a server has
// switched on.
const rememberFor = 24 * time.Hour

func (c *Cluster) answerFile(key string) string {
	if c.cacheDir == "" {
		return ""
	}
	return filepath.Join(c.cacheDir, "confirm", key+".json")
}

// kept reads an answer that is not too old.
func (c *Cluster) kept(key string, into *answered) bool {
	file := c.answerFile(key)
	info, err := os.Stat(file)
	if err != nil || time.Since(info.ModTime()) > rememberFor {
		return false
	}
	data, err := os.ReadFile(file)
	return err == nil && decode(data, into) == nil
}

// keepAnswer writes an answer, and removes those that are too old.
func (c *Cluster) keepAnswer(key string, a answered) {
	file := c.answerFile(key)
	if file == "" {
		return
	}
	c.tidy.Do(func() { removeOld(filepath.Dir(file)) })
	keep(file, a)
}

func removeOld(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > rememberFor {
			_ = os.Remove(filepath.Join(dir, e.Name())) // it costs space and nothing else
		}
	}
}
