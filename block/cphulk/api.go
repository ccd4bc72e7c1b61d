package cphulk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block/span"
)

// answer is what whmapi1 prints, as far as we read it.
type answer struct {
	Data struct {
		Enabled truth    `json:"is_enabled"`
		InList  comments `json:"ips_in_list"`
		Added   []string `json:"ips_added"`
		Removed []string `json:"ips_removed"`
		Failed  comments `json:"ips_failed"`
	} `json:"data"`
	Metadata struct {
		Result truth  `json:"result"`
		Reason string `json:"reason"`
	} `json:"metadata"`
}

// truth is a number, text or truth of Perl's: 1 and "1" are yes.
type truth bool

// UnmarshalJSON never fails: what is not yes is no.
func (v *truth) UnmarshalJSON(text []byte) error {
	word := string(bytes.Trim(text, `"`))
	*v = word == "1" || word == "true"
	return nil
}

// comments are texts by address. A list that is empty may be an array or null.
type comments map[string]string

// UnmarshalJSON takes what is no object for nothing.
func (m *comments) UnmarshalJSON(text []byte) error {
	if len(text) == 0 || text[0] != '{' {
		*m = nil
		return nil
	}
	var values map[string]any
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	*m = make(comments, len(values))
	for k, v := range values {
		(*m)[k], _ = v.(string)
	}
	return nil
}

// call calls a function of the API. A refusal is in the answer; the program may end with status 0 all the same.
func (d *Driver) call(ctx context.Context, function string, args ...string) (answer, error) {
	out, failed := d.run(ctx, "whmapi1", append([]string{"--output=json", function}, args...)...)
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		if failed != nil {
			return answer{}, failed
		}
		return answer{}, fmt.Errorf("whmapi1 %s answers %.80q: %w", function, out, err)
	}
	if bool(a.Metadata.Result) {
		return a, nil
	}
	err := fmt.Errorf("whmapi1 %s: %s", function, a.Metadata.Reason)
	switch reason := strings.ToLower(a.Metadata.Reason); {
	case strings.Contains(reason, "disabled"):
		err = fmt.Errorf("%w: %w", err, connwarden.ErrUnsupported)
	case strings.Contains(reason, "access") || strings.Contains(reason, "permission"):
		err = fmt.Errorf("%w: %w", err, connwarden.ErrDenied)
	}
	return a, err
}

// failed is the first of the targets that a call did not take.
func (a answer) failed() error {
	if len(a.Data.Failed) == 0 {
		return nil
	}
	first := slices.Min(slices.Collect(maps.Keys(a.Data.Failed)))
	return fmt.Errorf("%d targets were not taken: %s: %s", len(a.Data.Failed), first, a.Data.Failed[first])
}

// record is a line of one of cPHulk's lists.
type record struct {
	text    string // as the list has it
	span    span.Span
	comment string
}

// read asks for a list, "black" or "white". A line that is no address, prefix or range is passed over.
func (d *Driver) read(ctx context.Context, list string) ([]record, error) {
	a, err := d.call(ctx, "read_cphulk_records", "list_name="+list, "skip_enabled_check=1")
	if err != nil {
		return nil, err
	}
	var records []record
	for text, comment := range a.Data.InList {
		if s, ok := span.Parse(text); ok {
			records = append(records, record{text, s, comment})
		}
	}
	return records, nil
}
