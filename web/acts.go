package web

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/netip"

	"github.com/connwarden/connwarden/report"
)

// act is what a page sends to have something changed. Which fields are needed depends on the change.
type act struct {
	BlockRequest
	Change int64 `json:"change"`
}

func (s *Server) actRoutes() {
	desk := s.opt.Desk
	s.mux.HandleFunc("POST /api/block", s.change(func(ctx context.Context, r *http.Request, a *act) (*report.Blocks, error) {
		if why := s.lookingFrom(r, a.Target); why != "" {
			return &report.Blocks{
				Schema: report.SchemaBlocks, Time: s.opt.Clock(), Blocks: []report.Block{}, Problems: []report.Problem{},
				Refused: []report.Refused{{Target: a.Target, Why: why}},
			}, nil
		}
		return desk.Block(ctx, a.BlockRequest)
	}))
	s.mux.HandleFunc("POST /api/unblock", s.change(func(ctx context.Context, _ *http.Request, a *act) (*report.Blocks, error) {
		return desk.Unblock(ctx, a.Target, a.DryRun)
	}))
	s.mux.HandleFunc("POST /api/allow", s.change(func(ctx context.Context, _ *http.Request, a *act) (*report.Blocks, error) {
		return desk.Allow(ctx, a.Target, a.Why, a.DryRun)
	}))
	s.mux.HandleFunc("POST /api/disallow", s.change(func(ctx context.Context, _ *http.Request, a *act) (*report.Blocks, error) {
		return desk.Disallow(ctx, a.Target, a.DryRun)
	}))
	s.mux.HandleFunc("POST /api/confirm", s.change(func(ctx context.Context, _ *http.Request, a *act) (*report.Blocks, error) {
		return desk.Confirm(ctx, a.DryRun)
	}))
	s.mux.HandleFunc("POST /api/undo", s.change(func(ctx context.Context, _ *http.Request, a *act) (*report.Blocks, error) {
		return desk.Undo(ctx, a.Change, a.DryRun)
	}))
}

// change reads what is wanted and has it done, one after the other. Once begun it is brought to its end even if the
// page is closed meanwhile.
func (s *Server) change(do func(context.Context, *http.Request, *act) (*report.Blocks, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var a act
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			refuse(w, http.StatusUnsupportedMediaType, "send JSON")
			return
		}
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			fail(w, fmt.Errorf("%w: %w", ErrRequest, err))
			return
		}
		if a.Target != "" {
			target, err := parseTarget(a.Target)
			if err != nil {
				fail(w, err)
				return
			}
			a.Target = target
		}
		s.acting.Lock()
		defer s.acting.Unlock()
		doc, err := do(context.WithoutCancel(r.Context()), r, &a)
		if err != nil {
			fail(w, err)
			return
		}
		if !a.DryRun {
			s.opt.Log.Info("changed by the page", "path", r.URL.Path, "target", a.Target, "change", doc.Change, "from", r.RemoteAddr)
		}
		reply(w, doc)
	}
}

// lookingFrom says why a target must not be blocked by whoever asks: it holds the address that he looks from.
func (s *Server) lookingFrom(r *http.Request, target string) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	own, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	p, err := netip.ParsePrefix(target)
	if a, e := netip.ParseAddr(target); e == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil || !p.Contains(own.Unmap().WithZone("")) {
		return ""
	}
	return "it is where you are looking from"
}
