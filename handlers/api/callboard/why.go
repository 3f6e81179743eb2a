package callboard

import (
	"fmt"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// why says in plain sentences what keeps the catalog from being what the
// repository's owner expects, the most important first. There is always one.
func why(d RepositoryDetail, now time.Time) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	name := d.Owner + "/" + d.Name

	switch d.State {
	case storage.RepositoryRemoved:
		say("GitHub said that %s was deleted or taken away from the App: its entities were removed with it.", name)
	case storage.RepositoryUnreachable:
		if d.Name == event.PeopleName {
			say("The members and teams of %s are as they were%s.", d.Owner, at(" at %s", d.AppliedAt))
			break
		}
		say("GitHub does not let Callboard read %s%s. What was read before stays in the catalog. Check that the App is installed on it.", name, at(" since %s", d.ErrorAt))
	}
	if d.Excluded != "" && d.State == storage.RepositoryActive {
		say("%s is not searched for catalog files: %s.", name, d.Excluded)
	}
	if d.Error != "" {
		say("The last refresh failed%s: %s", at(" at %s", d.ErrorAt), d.Error)
	}
	sayMessages(d, now, say)
	switch {
	case d.Behind && d.Applied == "":
		say("Commit %s is known%s, and nothing of the repository has been read yet.", short(d.Head), at(" since %s", d.HeadAt))
	case d.Behind:
		say("Commit %s is known%s, but the catalog still shows %s.", short(d.Head), at(" since %s", d.HeadAt), short(d.Applied))
	}
	sayFiles(d.Files, say)
	for _, c := range d.Lost {
		sayLost(c, say)
	}
	sayDelivery(d, say)
	if len(out) == 0 {
		sayFine(d, say)
	}
	return out
}

func sayMessages(d RepositoryDetail, now time.Time, say func(string, ...any)) {
	for _, m := range d.Messages {
		switch {
		case !m.ParkedAt.IsZero():
			say("A refresh (%s) was given up after %d attempts: %s. POST …/refresh tries again.", m.Cause.Reason, m.Attempts, m.Error)
		case m.RunAfter.After(now) && m.Error != "":
			say("A refresh (%s) waits until %s, after: %s", m.Cause.Reason, stamp(m.RunAfter), m.Error)
		case m.RunAfter.After(now):
			say("A refresh (%s) waits until %s.", m.Cause.Reason, stamp(m.RunAfter))
		default:
			say("A refresh (%s) asked for %s waits for its turn.", m.Cause.Reason, stamp(m.CreatedAt))
		}
	}
}

// sayFiles leaves files alone that are fine.
func sayFiles(files []File, say func(string, ...any)) {
	for _, f := range files {
		for _, target := range f.Unreadable {
			say("%s names %s, in a repository that Callboard cannot read. Check the name, and that the App is installed on it.", f.Path, target)
		}
		for _, target := range f.Absent {
			say("%s names %s, which the catalog does not have. Check path and branch: only the default branch is read.", f.Path, target)
		}
		switch f.Status {
		case storage.FileMissing:
			say("%s does not exist, but %s names it.", f.Path, reachedBy(f))
		case storage.FileIgnored:
			say("%s is ignored%s", f.Path, reason(f))
		case storage.FileBroken:
			said := false
			for _, diag := range f.Diagnostics {
				if diag.Severity == entity.SeverityError {
					say("%s was refused: %s%s", place(f, diag), diag.Message, hint(diag))
					said = true
				}
			}
			if !said {
				say("%s was refused%s", f.Path, reason(f))
			}
		}
	}
}

func sayLost(c LostClaim, say func(string, ...any)) {
	if c.WinnerPath == "" {
		say("%s declares %s, which another file declared before; it will be served at the next refresh.", c.Path, c.Ref)
		return
	}
	say("%s declares %s, but %s in %s declared it before and is served. Rename one, or remove the other.",
		c.Path, c.Ref, c.WinnerPath, c.WinnerRepository)
}

func sayDelivery(d RepositoryDetail, say func(string, ...any)) {
	if len(d.Deliveries) == 0 {
		return
	}
	switch newest := d.Deliveries[0]; newest.State {
	case storage.DeliveryIgnored:
		say("The newest delivery (%s %s, %s) changed nothing: %s", newest.Event, newest.GUID, stamp(newest.ReceivedAt), newest.Reason)
	case storage.DeliveryFailed, storage.DeliveryParked:
		say("The newest delivery (%s %s, %s) is %s: %s", newest.Event, newest.GUID, stamp(newest.ReceivedAt), newest.State, newest.Reason)
	}
}

func sayFine(d RepositoryDetail, say func(string, ...any)) {
	switch {
	case d.Applied == "":
		say("The repository is known, and nothing of it has been read yet.")
	case len(d.Files) == 0 && d.Discovered:
		say("Commit %s has no catalog file.", short(d.Applied))
	case len(d.Files) == 0:
		say("No location points into the repository, and the App does not send its webhooks.")
	default:
		say("Nothing is wrong: the catalog shows commit %s%s.", short(d.Applied), at(" since %s", d.AppliedAt))
	}
}

func reachedBy(f File) string {
	if f.Parent != "" {
		return f.Parent
	}
	return "a location"
}

func place(f File, d entity.Diagnostic) string {
	if d.Line == 0 {
		return f.Path
	}
	return fmt.Sprintf("%s:%d:%d", f.Path, d.Line, d.Column)
}

func hint(d entity.Diagnostic) string {
	if d.Hint == "" {
		return ""
	}
	return " (" + d.Hint + ")"
}

// reason ends a sentence about a file.
func reason(f File) string {
	if len(f.Diagnostics) == 0 {
		return "."
	}
	return ": " + f.Diagnostics[0].Message
}

func short(commit string) string {
	const enough = 10
	if len(commit) > enough {
		return commit[:enough]
	}
	return commit
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// at words a time, if there is one.
func at(format string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf(format, stamp(t))
}
