package commit

import (
	"slices"
	"strings"
	"testing"

	"picloud/internal/cloud"
)

// sized is a commit of an app with so many keys, each of so many bytes.
func sized(of cloud.AppID, keys, bytes int) *Commit {
	w := make([]cloud.Write, keys)
	for k := range w {
		w[k].Value = strings.Repeat("x", bytes)
	}

	x := commitOf(writes(w...))
	x.App = of
	return x
}

func queueOf(commits ...*Commit) *queue {
	q := newQueue()
	for _, x := range commits {
		q.add(x)
	}
	return q
}

// A group has at most maxGroup commits, maxGroupKeys keys and maxGroupBytes bytes, in the order of
// submission.
func TestSizeOfAGroup(t *testing.T) {
	t.Parallel()
	many := func(n, keys, bytes int) []*Commit {
		var list []*Commit
		for range n {
			list = append(list, sized(app, keys, bytes))
		}
		return list
	}

	for name, c := range map[string]struct {
		commits []*Commit
		want    []int
	}{
		"nothing waits":                  {nil, nil},
		"one":                            {many(1, 1, 0), []int{1}},
		"as many as a group takes":       {many(maxGroup, 1, 0), []int{maxGroup}},
		"more than a group takes":        {many(maxGroup+1, 1, 0), []int{maxGroup, 1}},
		"as many keys as a group takes":  {many(2, maxGroupKeys/2, 0), []int{2}},
		"more keys than a group takes":   {many(3, maxGroupKeys/2, 0), []int{2, 1}},
		"as many bytes as a group takes": {many(4, 1, maxSmallCommit), []int{4}},
		"more bytes than a group takes":  {many(9, 1, maxSmallCommit), []int{4, 4, 1}},
		"without keys":                   {many(3, 0, 0), []int{3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := queueOf(c.commits...)

			rest := c.commits
			for k, want := range c.want {
				group := q.nextGroup()
				if !slices.Equal(group, rest[:want]) {
					t.Fatalf("group %d has %d commits, want the next %d", k, len(group), want)
				}
				rest = rest[want:]
				q.done(group)
			}
			if q.nextGroup() != nil || q.list != nil || q.nextLarge() != nil {
				t.Errorf("%d commits are left", len(q.list))
			}
		})
	}
}

// A large commit goes alone. Those of its app that came before it are applied first, and those that came
// after it wait for it; other apps wait for none of this.
func TestLargeCommit(t *testing.T) {
	t.Parallel()

	for name, large := range map[string]*Commit{
		"of many bytes": sized(1, 2, maxSmallCommit),
		"of many keys":  sized(1, maxGroupKeys+1, 0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, after, other, late := sized(1, 1, 1), sized(1, 1, 1), sized(2, 1, 1), sized(2, 1, 1)
			q := queueOf(before, large, after, other)

			if q.nextLarge() != nil {
				t.Fatal("the large commit passed one of its app that waits")
			}
			first := q.nextGroup()
			if !slices.Equal(first, []*Commit{before, other}) {
				t.Fatalf("%d commits in the first group", len(first))
			}
			if q.nextLarge() != nil {
				t.Fatal("the large commit passed one of its app that is under way")
			}

			q.done(first)
			taken := q.nextLarge()
			if !slices.Equal(taken, []*Commit{large}) {
				t.Fatalf("%d commits beside the groups, want the large one", len(taken))
			}
			if q.nextGroup() != nil {
				t.Fatal("a commit passed the large one of its app")
			}

			q.add(late)
			beside := q.nextGroup()
			if !slices.Equal(beside, []*Commit{late}) {
				t.Fatalf("%d commits of the other app beside the large one", len(beside))
			}
			q.done(beside)

			q.done(taken)
			if last := q.nextGroup(); !slices.Equal(last, []*Commit{after}) || q.large != 0 {
				t.Fatalf("%d commits at the end, %d large ones", len(last), q.large)
			}
		})
	}
}

// Apps take turns with their large commits, however many one of them has.
func TestLargeCommitsTakeTurns(t *testing.T) {
	t.Parallel()
	large := func(app cloud.AppID) *Commit { return sized(app, maxGroupKeys+1, 0) }
	q := queueOf(large(1), large(1), large(1), large(2), large(3))

	var order []cloud.AppID
	for taken := q.nextLarge(); taken != nil; taken = q.nextLarge() {
		order = append(order, taken[0].App)
		q.done(taken)
	}
	if want := []cloud.AppID{1, 2, 1, 3, 1}; !slices.Equal(order, want) {
		t.Errorf("the apps came in the order %v, want %v", order, want)
	}
}
