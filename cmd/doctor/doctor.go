// Package doctor looks whether everything that Callboard needs is in order, and
// says what to do about what is not. It changes nothing, other than that it asks
// GitHub to send one webhook again.
//
// It owns the questions and the advice. How an answer is printed is the command
// line's, and who answers is handed in.
//
//	report := doctor.Report{Result: print, Wait: spin}
//	d := doctor.Doctor{Config: cfg, GitHub: clients, Database: look}
//	d.Run(ctx, &report)
package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage/migrate"
)

// Status of a line.
type Status string

// The statuses. Warning is what works and could bite; Failed is what does not work.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failed  Status = "failed"
)

// Result is one line.
type Result struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
	// Do says what to do, where there is something.
	Do string `json:"do,omitempty"`
}

// Report takes the results as they come.
type Report struct {
	// Result is called for each line, Wait before something that may take time.
	Result func(Result)
	Wait   func(what string)

	secrets *strings.Replacer
	failed  bool
}

// Failed says whether anything failed.
func (r *Report) Failed() bool { return r.failed }

func (r *Report) add(check string, s Status, detail, do string) {
	r.failed = r.failed || s == Failed
	r.Result(Result{check, s, detail, do})
}

// section is a Report whose lines are all about one thing.
type section struct {
	*Report
	check string
}

func (s section) ok(format string, args ...any) { s.add(s.check, OK, s.text(format, args), "") }

func (s section) warn(do, format string, args ...any) {
	s.add(s.check, Warning, s.text(format, args), do)
}

func (s section) fail(do, format string, args ...any) {
	s.add(s.check, Failed, s.text(format, args), do)
}

// text takes secrets out of errors: drivers quote what they were given. Our own
// words have none, and a password such as "test" would blot them out.
func (r *Report) text(format string, args []any) string {
	for i, arg := range args {
		if err, ok := arg.(error); ok && r.secrets != nil {
			args[i] = r.secrets.Replace(err.Error())
		}
	}
	return fmt.Sprintf(format, args...)
}

func (r *Report) about(check string) section { return section{r, check} }

// GitHub answers questions about GitHub; *githubapp.Clients does.
type GitHub interface {
	Apps(host string) []int64
	App(ctx context.Context, host string, app int64) (githubapp.AppInfo, error)
	Installations(ctx context.Context, host string) ([]githubapp.Installation, error)
	Repositories(ctx context.Context, a githubapp.Account, q githubapp.PageQuery) (githubapp.Page, error)
	Deliveries(ctx context.Context, host string, app int64, cursor string) ([]githubapp.HookDelivery, string, error)
	Redeliver(ctx context.Context, host string, app, id int64) error
	Token(ctx context.Context, host string) (githubapp.TokenInfo, error)
	ClockSkew(ctx context.Context, host string) (time.Duration, error)
	Budgets() []githubapp.Budget
}

// Redis is what a Redis says of itself.
type Redis struct {
	Version string
	// Old says that it is older than 6.2, whose commands streams need.
	Old bool
	// Saves says that it keeps its data over a restart, where SavesKnown.
	Saves, SavesKnown bool
	// Policy is maxmemory-policy.
	Policy string
}

// Doctor asks. Config must be there; what is nil is not asked.
type Doctor struct {
	Config   *config.Config
	GitHub   GitHub
	Database func(context.Context) (migrate.Status, error)
	Redis    func(context.Context) (Redis, error)
	// Poll is the time between looks for a delivery: a second.
	Poll time.Duration
}

const (
	// patience bounds one question.
	patience = 10 * time.Second
	// deliveryPatience bounds the wait for a webhook that GitHub sends again.
	deliveryPatience = 20 * time.Second
)

// Run asks everything, the small and near things first. One thing that is out of
// order keeps nothing else from being looked at, as far as there is something to see.
func (d *Doctor) Run(ctx context.Context, r *Report) {
	r.secrets = redactor(d.Config)
	tell := r.Result
	r.Result = func(found Result) {
		if ctx.Err() == nil { // what fails because we were stopped says nothing
			tell(found)
		}
	}
	if d.Poll == 0 {
		d.Poll = time.Second
	}
	d.files(r)
	d.dataDir(r)
	d.database(ctx, r)
	d.bus(ctx, r)
	// The blob store of documentation is asked here once there is one.
	d.webhookSecret(r)
	if d.GitHub == nil {
		return
	}
	for _, h := range d.Config.GitHub {
		if ctx.Err() == nil {
			d.host(githubapp.WithPurpose(ctx, githubapp.PurposeManual), r, h)
		}
	}
}

// within asks one question in bounded time.
func within[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return ask(ctx)
}
