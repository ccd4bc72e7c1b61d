package fleet

import (
	"fmt"
	"slices"

	"github.com/connwarden/connwarden"
)

// Policy is what this host takes of what others decide. The zero value takes all within the defaults.
type Policy struct {
	Kinds     []Kind   // nil: all
	Groups    []string // words; nil: all
	Score     int      // blocks by verdicts below it are left out
	Agree     int      // as many hosts must want a block; 0 is 1
	PerMinute int      // decisions of one host in a minute of the engine's clock; 0: PerMinute
	Most      int      // decisions of one host at a time; 0: MostOfHost
	Widest4   int      // prefixes that are shorter are left out; 0: Widest4
	Widest6   int      // likewise; 0: Widest6
}

// Defaults of a policy.
const (
	// PerMinute is what a host's own guard lets its judge block in a minute.
	PerMinute = 2000
	// MostOfHost times a /24 is some thousandth of all IPv4 addresses: what a stolen host can cut off at worst.
	MostOfHost = 20_000
	Widest4    = 24
	Widest6    = 48
	// maxPardons bounds what each block is compared with.
	maxPardons = 1000
	// maxPlaces bounds memory: some 15 MB.
	maxPlaces = 200_000
)

// unwanted says why the policy leaves a decision about a place out; nothing if it does not.
func (t *table) unwanted(p *peer, d *Decision, where place) string {
	widest := t.policy.Widest6
	if d.Target.Addr().Is4() {
		widest = t.policy.Widest4
	}
	switch {
	case t.policy.Kinds != nil && !slices.Contains(t.policy.Kinds, d.Kind):
		return fmt.Sprintf("no %s of other hosts is taken here (fleet.accept)", d.Kind)
	case t.policy.Groups != nil && !slices.Contains(t.policy.Groups, d.Group):
		return fmt.Sprintf("the group %s is none that is listened to here (fleet.groups)", d.Group)
	case d.Target.Bits() < widest:
		return fmt.Sprintf("it is wider than /%d", widest)
	case d.Kind == KindBlock && d.By.Kind != connwarden.ByOperator && d.Score < t.policy.Score:
		return fmt.Sprintf("its score of %d is below %d (fleet.score)", d.Score, t.policy.Score)
	case p.count > t.policy.PerMinute:
		return fmt.Sprintf("more than %d decisions of one host in a minute", t.policy.PerMinute)
	case p.claims >= t.policy.Most:
		return fmt.Sprintf("more than %d decisions of one host", t.policy.Most)
	case t.known >= maxPlaces && t.places.at(where).from == 0:
		return fmt.Sprintf("more than %d decisions of the fleet", maxPlaces)
	case d.Kind == KindPardon && len(t.pardons) >= maxPardons && t.places.at(where).from == 0:
		return fmt.Sprintf("more than %d pardons of the fleet", maxPardons)
	}
	return ""
}
