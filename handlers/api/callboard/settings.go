package callboard

import (
	"net/http"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/pipeline/rule"
)

// Settings say how the repositories of an owner are read, so that others can
// read them alike: callboard diff does.
type Settings struct {
	// Pattern is where descriptors lie: a path, or a glob, with alternatives where
	// several entries of the configuration are about the owner.
	Pattern string `json:"pattern"`
	// Rules say which kinds may come from where.
	Rules rule.Rules `json:"rules"`
	// OwnerPolicy is off, warn or enforce.
	OwnerPolicy string `json:"ownerPolicy"`
}

// Settings is GET settings?host=&owner=.
func (a *API) Settings(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "host", "owner")
	if err != nil {
		return err
	}
	return respond.JSON(w, r, http.StatusOK, a.settings(q.Get("host"), q.Get("owner")))
}
