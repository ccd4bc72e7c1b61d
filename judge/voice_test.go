package judge

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden"
)

// failures is what sshd's log says of one wrong password, in that many voices.
func failures(addr string, n int, voices []connwarden.Voice, more uint32) (list []*connwarden.Event) {
	for i := range n {
		for _, v := range voices {
			list = append(list, &connwarden.Event{
				Time: start.Add(time.Duration(i) * time.Second), Client: netip.MustParseAddr(addr), Kind: connwarden.EventAuthFailed, Voice: v, More: more,
				Service: "sshd", User: []byte("anna"), From: connwarden.Source{Name: "auth.log", Offset: int64(len(list)), Trust: connwarden.TrustLocal},
			})
		}
	}
	return list
}

// TestVoicesCountOnce: of what several lines say of one failure as many are counted as the voice that says most tells,
// whichever way the log is cut; and a line that tells of several counts as several.
func TestVoicesCountOnce(t *testing.T) {
	set := compiled(t) // the rule ssh asks for 5 within a minute
	all := []connwarden.Voice{connwarden.VoiceOwn, connwarden.VoicePAM, connwarden.VoiceName, connwarden.VoiceEnd}
	for _, c := range []struct {
		name string
		log  []*connwarden.Event
		want uint64 // 0: not accused
	}{
		{"three mistyped, four lines each", failures("192.0.2.7", 3, all, 0), 0},
		{"nine, four lines each", failures("192.0.2.7", 9, all, 0), 9},
		{"nine, one line each", failures("192.0.2.7", 9, all[:1], 0), 9},
		{"nine, of which only PAM speaks", failures("192.0.2.7", 9, all[1:2], 0), 9},
		{"two lines of three each", failures("192.0.2.7", 2, all[:1], 2), 6},
		{"three that two voices tell, and four that one tells", append(failures("192.0.2.7", 3, all[:2], 0), failures("192.0.2.7", 4, all[1:2], 0)...), 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			for cut := range 8 {
				r := rand.New(rand.NewPCG(uint64(cut), 5))
				log := slices.Clone(c.log)
				r.Shuffle(len(log), func(i, j int) { log[i], log[j] = log[j], log[i] })
				sum := twice(log, New(Options{Rules: set}), New(Options{Rules: set}), New(Options{Rules: set}))
				peers, _ := sum.Verdicts(start.Add(time.Minute))
				var got uint64
				for _, p := range peers {
					got += p.Evidence[0].Count
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Fatal(fmt.Sprint("cut ", cut, ": -want +got\n", diff))
				}
			}
		})
	}
}

// TestVoicesInTotal: the sentence does not count them twice either.
func TestVoicesInTotal(t *testing.T) {
	var log []*connwarden.Event
	for i := range 40 { // of them 20 or 22 within any minute
		for _, e := range failures("192.0.2.7", 1, []connwarden.Voice{connwarden.VoiceOwn, connwarden.VoicePAM}, 0) {
			e.Time = start.Add(time.Duration(i) * 3 * time.Second)
			log = append(log, e)
		}
	}
	peers, _ := twice(log, New(Options{Rules: compiled(t)})).Verdicts(start.Add(2 * time.Minute))
	if len(peers) != 1 || len(peers[0].Evidence) != 1 {
		t.Fatalf("verdicts %v, want one", peers)
	}
	if got, want := peers[0].Evidence[0].Why, "guesses: 20 failures in 1 minute, 40 in all"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
