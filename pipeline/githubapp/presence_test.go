package githubapp_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/test/githubsim"
)

func TestPresent(t *testing.T) {
	f := simulator(t)
	f.staff(t, 3, 2)
	all := func(string) bool { return true }
	f.SetListingFaults(githubsim.ListingFaults{HideMember: all, HideTeam: all}) // lists say nothing about it
	c := f.clients(t)
	whom := []string{"members/user001", "members/nobody", "teams/team001", "teams/no-team"}
	got, err := c.Present(t.Context(), f.host, "acme", whom)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"members/user001": true, "teams/team001": true}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	f.Inject(githubsim.Fault{Match: "*/members/*", Status: http.StatusInternalServerError})
	if got, err := c.Present(t.Context(), f.host, "acme", whom); err == nil {
		t.Errorf("a 500 is %v", got)
	} else if _, decided := fault.Of(err); !decided {
		t.Errorf("a 500 is %v", err)
	}
	f.ClearFaults()

	// Who may not know the members is told about public ones: no no at all.
	anybody, err := githubapp.New([]githubapp.Host{{Host: f.host, BaseURL: f.URL()}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := anybody.Present(t.Context(), f.host, "acme", whom[:1]); !errors.Is(err, githubapp.ErrForbidden) {
		t.Errorf("a stranger is told %v, %v", got, err)
	}
}
