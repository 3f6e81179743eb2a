package catalog

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage/entity"
)

// Validate is POST /validate-entity (contract catalog 4.16): 200 without a body
// for a good entity, and 400 with {errors}, which is not the usual envelope, for
// one that is not.
func (a *Locations) Validate(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r, nil); err != nil {
		return err
	}
	b, err := readBody(r)
	if err != nil {
		return err
	}
	for _, name := range []string{"entity", "location"} {
		if _, given := b[name]; !given {
			return respond.Input("request/body must have required property '%s'", name)
		}
	}
	if _, err := b.object("entity"); err != nil {
		return err
	}
	ref, _, err := b.string("location")
	if err != nil {
		return err
	}
	errs := badLocationRef(ref)
	if errs == nil {
		err = a.inspect(w, r, func(ctx context.Context, turn func() error) (err error) {
			errs, err = a.Inspector.Validate(ctx, b["entity"], strings.TrimPrefix(ref, "url:"), turn)
			return err
		})
	}
	switch {
	case err != nil:
		return err
	case len(errs) > 0:
		return respond.JSON(w, r, http.StatusBadRequest, map[string][]*entity.Error{"errors": errs})
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// badLocationRef refuses what is not url:<target>.
func badLocationRef(ref string) []*entity.Error {
	typ, target, ok := strings.Cut(ref, ":")
	message := ""
	switch {
	case !ok || typ == "" || target == "":
		message = fmt.Sprintf("Unable to parse location ref '%s', expected '<type>:<target>', e.g. 'url:https://host/path'", ref)
	case typ == "http" || typ == "https":
		message = fmt.Sprintf("Invalid location ref '%s', please prefix it with 'url:', e.g. 'url:%s'", ref, ref)
	case typ != "url":
		message = fmt.Sprintf("Invalid location ref %s, only 'url:<target>' is supported, e.g. url:https://host/path", ref)
	default:
		return nil
	}
	return []*entity.Error{{Name: "TypeError", Message: message}}
}
