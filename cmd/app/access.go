package app

import (
	"context"
	"log/slog"
	"net"
	"net/netip"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/handlers/access"
)

func accessConfig(cfg config.Auth) access.Config {
	out := access.Config{Open: cfg.Open, Site: cfg.Site, AnonymousRead: cfg.AnonymousRead}
	for _, e := range cfg.External {
		external := access.External{Subject: e.Subject, Token: e.Token.Reveal(), Key: []byte(e.Key.Reveal())}
		for plugin, limit := range e.Restrictions {
			if external.Restrictions == nil {
				external.Restrictions = map[string]access.Restriction{}
			}
			external.Restrictions[plugin] = access.Restriction(limit)
		}
		out.External = append(out.External, external)
	}
	return out
}

// sayAccess tells, at the start, what would surprise.
func sayAccess(ctx context.Context, log *slog.Logger, address string, cfg config.Auth) {
	if cfg.Open && loopback(address) && loopback(net.JoinHostPort(cfg.Site, "")) {
		return // for this machine alone, and says so twice
	}
	if cfg.Open && cfg.Site == "" {
		log.WarnContext(ctx, "pages of other sites may change the catalog through a browser that reaches this address, by a name of theirs that leads to it: set backend.baseUrl")
	}
	switch {
	case cfg.Open:
		log.WarnContext(ctx, "everybody who reaches this address may read the catalog and change it: backend.auth.dangerouslyDisableDefaultAuthPolicy is on")
	case len(cfg.External) == 0 && cfg.AnonymousRead:
		log.InfoContext(ctx, "everybody may read and nobody may change anything through the API: no token is in backend.auth.externalAccess")
	case len(cfg.External) == 0:
		log.WarnContext(ctx, "nobody may call the API: set a token in backend.auth.externalAccess, or callboard.auth.anonymousRead: true")
	}
}

// loopback says whether an address, host:port, leads to this machine only.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip, bad := netip.ParseAddr(host)
	return err == nil && (host == "localhost" || bad == nil && ip.IsLoopback())
}
