package watch

import (
	"context"
	"time"

	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/report"
)

// Doctor asks the machine what it offers. It changes nothing.
func Doctor(ctx context.Context, h *host.Host, now time.Time) *report.Doctor {
	d := &report.Doctor{Schema: report.SchemaDoctor, Host: hostname(), Time: now, Probes: []report.Probe{}, Problems: []report.Problem{}}
	for _, p := range h.Probes(ctx) {
		d.Probes = append(d.Probes, report.Probe{
			Area: report.Clean(p.Area), Name: report.Clean(p.Name), Answer: p.Answer.String(), Why: report.Clean(p.Why),
		})
	}
	return d
}
