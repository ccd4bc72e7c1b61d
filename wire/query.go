package wire

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

// maxRows bounds what one answer of the history lists.
const maxRows = 5000

// parseQuery reads what a request asks of the history.
func parseQuery(r *http.Request) (q HistoryQuery, err error) {
	v := r.URL.Query()
	for name, to := range map[string]*time.Time{"from": &q.From, "until": &q.Until} {
		if *to, err = time.Parse(time.RFC3339, v.Get(name)); err != nil || to.Year() < 1970 || to.Year() > 9999 {
			return q, fmt.Errorf("%s is no time as 2026-11-22T14:00:00Z", name)
		}
	}
	if q.Until.Before(q.From) {
		return q, fmt.Errorf("until is before from")
	}
	if text := v.Get("target"); text != "" {
		if q.Target, err = netip.ParsePrefix(text); err != nil || q.Target.Addr().Is4In6() {
			return q, fmt.Errorf("target is no prefix as 192.0.2.0/24")
		}
		q.Target = q.Target.Masked()
	}
	if text := v.Get("rows"); text != "" {
		if q.Rows, err = strconv.Atoi(text); err != nil || q.Rows < 1 || q.Rows > maxRows {
			return q, fmt.Errorf("rows is no number of 1 to %d", maxRows)
		}
	}
	return q, nil
}

// values is the way back.
func (q *HistoryQuery) values() url.Values {
	v := url.Values{"from": {q.From.Format(time.RFC3339)}, "until": {q.Until.Format(time.RFC3339)}}
	if q.Target.IsValid() {
		v.Set("target", q.Target.String())
	}
	if q.Rows > 0 {
		v.Set("rows", strconv.Itoa(min(q.Rows, maxRows)))
	}
	return v
}
