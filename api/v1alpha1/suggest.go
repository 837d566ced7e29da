package v1alpha1

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// didYouMean names the known word that an unknown one was likely meant to be.
func didYouMean[V any](word string, known map[string]V) string {
	words := slices.Sorted(maps.Keys(known))
	if w := nearest(word, words); w != "" {
		return fmt.Sprintf(" (did you mean %s?)", w)
	}
	if len(words) == 0 || len(words) > 12 {
		return ": remove it"
	}
	return ": write one of " + strings.Join(words, ", ")
}

// nearest returns the word that differs the least, by case or by a third of its
// letters at most; "" where none does.
func nearest(word string, known []string) string {
	best, least := "", len(word)/3+1
	for _, k := range known {
		if strings.EqualFold(k, word) {
			return k
		}
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the number of letters to add, remove or replace to make b of a
// (Levenshtein's).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			row[j+1] = min(above, row[j]) + 1
			if a[i] == b[j] {
				row[j+1] = min(row[j+1], diagonal)
			} else {
				row[j+1] = min(row[j+1], diagonal+1)
			}
			diagonal = above
		}
	}
	return row[len(b)]
}
