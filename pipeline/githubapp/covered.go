package githubapp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/fault"
)

// Covered asks whether an App is installed on a repository right now. The
// answer no is evidence that it was taken away or deleted, even where everybody
// may read it, and where another repository has its name by now. Without an App
// there is nothing to ask, and the answer is yes.
func (c *Clients) Covered(ctx context.Context, n Name) (bool, error) {
	h, ok := c.hosts[strings.ToLower(n.Host)]
	if !ok || len(h.apps) == 0 {
		return true, nil
	}
	if absent, err := c.absent(ctx, h, n); err != nil || absent {
		return false, err
	}
	id, err := h.find(ctx, n.place())
	switch {
	case err != nil:
		return false, err
	case id == 0:
		return false, h.vouch(ctx, n.place())
	case n.ID == 0:
		return true, nil
	}
	return c.still(ctx, h, n, id)
}

// vouch asks GitHub for the Apps themselves. One that says 404 to everything has
// not taken anything away, nor has one that does not know the App any more. So
// it is asked after each 404 that is to be evidence.
func (h *host) vouch(ctx context.Context, p place) error {
	for _, a := range h.apps {
		var own struct {
			ID int64 `json:"id"`
		}
		_, err := a.jwt.get(ctx, "app", &own)
		switch _, decided := fault.Of(err); {
		case decided:
			return err
		case err != nil || own.ID != a.ID:
			return fault.Unavailable(fmt.Errorf("whether %s is covered cannot be known while GitHub does not know App %d", p, a.ID))
		}
	}
	return nil
}

// still asks whether the repository that is covered under the name is the one
// with the id. Where it is another one, the id leads to where the first is now:
// in any account of ours, or in one that shows it to everybody.
func (c *Clients) still(ctx context.Context, h *host, n Name, installation int64) (bool, error) {
	named, err := c.shown(ctx, h, installation, "repos/"+url.PathEscape(n.Owner)+"/"+url.PathEscape(n.Name))
	if err != nil || named.ID == 0 || named.ID == n.ID {
		return true, err
	}
	list, err := c.Installations(ctx, n.Host)
	if err != nil {
		return false, err
	}
	for _, in := range list {
		if in.Suspended {
			continue
		}
		now, err := c.shown(ctx, h, in.ID, fmt.Sprintf("repositories/%d", n.ID))
		if err != nil {
			return false, err
		}
		if now.ID == n.ID {
			at := place{host: n.Host, owner: now.Owner.Login, repo: now.Name}
			id, err := h.find(ctx, at)
			if err == nil && id == 0 {
				err = h.vouch(ctx, at)
			}
			return id != 0, err
		}
	}
	return false, nil
}

type shownJSON struct {
	ID    int64       `json:"id"`
	Name  string      `json:"name"`
	Owner accountJSON `json:"owner"`
}

// shown is what an installation is shown of a repository, zero where it is shown none.
func (c *Clients) shown(ctx context.Context, h *host, installation int64, path string) (r shownJSON, err error) {
	cl, err := h.installationClient(c, installation)
	if err != nil {
		return r, err
	}
	_, err = cl.get(ctx, path, &r)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrForbidden) {
		return shownJSON{}, nil
	}
	return r, err
}

// absenceLasts is how long GitHub's word that no App is on an account is kept:
// long enough for all of its repositories, which are asked about together. That
// the App is installed again ends it.
const absenceLasts = time.Minute

// absence is of an installation that is no more, on an account that has no other.
type absence struct {
	owner        string // lower case
	installation int64
}

// absences are the answers about accounts: whether they are absent, and when
// that was asked. ended counts what ended one, which voids the answers under way.
type absences struct {
	asked map[absence]answered
	ended int
}

type answered struct {
	absent bool
	at     time.Time
}

func (a *absences) end(owner string) {
	a.ended++
	maps.DeleteFunc(a.asked, func(k absence, v answered) bool { return v.absent && k.owner == strings.ToLower(owner) })
}

// absent says that no App is installed on the whole account any more, so that
// none of its repositories need be asked about: the installation that the
// repository came through does not exist, and the account has no other one. The
// installation's id is asked for because an account may be called otherwise by
// now.
func (c *Clients) absent(ctx context.Context, h *host, n Name) (bool, error) {
	if n.InstallationID == 0 {
		return false, nil
	}
	select {
	case h.asking <- struct{}{}:
		defer func() { <-h.asking }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	key := absence{strings.ToLower(n.Owner), n.InstallationID}
	h.mu.Lock()
	before, ok := h.absences.asked[key]
	ended := h.absences.ended
	h.mu.Unlock()
	if ok && c.now().Sub(before.at) < absenceLasts {
		return before.absent, nil
	}
	absent, err := h.askAbsence(ctx, n)
	if err != nil {
		return false, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := c.now()
	maps.DeleteFunc(h.absences.asked, func(_ absence, v answered) bool { return now.Sub(v.at) >= absenceLasts })
	if h.absences.asked == nil {
		h.absences.asked = map[absence]answered{}
	}
	if !absent || ended == h.absences.ended {
		h.absences.asked[key] = answered{absent, now}
	}
	return absent, nil
}

func (h *host) askAbsence(ctx context.Context, n Name) (bool, error) {
	for _, a := range h.apps {
		var in installationJSON
		res, err := a.jwt.get(ctx, fmt.Sprintf("app/installations/%d", n.InstallationID), &in)
		switch {
		case res != nil && res.StatusCode == http.StatusNotFound:
		case err != nil:
			return false, fmt.Errorf("ask for the installation on %s: %w", n.Owner, err)
		default:
			return false, nil
		}
	}
	account := place{host: n.Host, owner: n.Owner}
	id, err := h.find(ctx, account)
	if err != nil || id != 0 {
		return false, err
	}
	return true, h.vouch(ctx, account)
}
