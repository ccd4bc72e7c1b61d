package logs

import (
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/google/go-cmp/cmp"
)

func TestErrorLogFormat(t *testing.T) {
	const standard = `[%{u}t] [%-m:%l] [pid %P:tid %T] %7F: %E: [client\ %a] %M% ,\ referer\ %{Referer}i`
	for _, c := range []struct{ note, spec, line, want string }{
		{"the manual's", standard, `[Sun Nov 22 14:03:07.123456 2026] [auth_basic:error] [pid 4242:tid 139] [client 192.0.2.7:51022] AH01618: user bob not found: /x, referer https://www.example.com/`,
			"event auth_failed apache client=192.0.2.7 user=\"bob\"\n" +
				`fault 2026-11-22T14:03:07.123456Z error apache module="auth_basic" code="AH01618" client=192.0.2.7 message="user bob not found: /x"`},
		{"without a client", standard, `[Sun Nov 22 14:03:07.123456 2026] [mpm_event:notice] [pid 4242:tid 139] AH00489: Apache/2.4.62 configured`,
			`fault 2026-11-22T14:03:07.123456Z notice apache module="mpm_event" code="AH00489" message="Apache/2.4.62 configured"`},
		{"with an error of the system", standard, `[Sun Nov 22 14:03:07.123456 2026] [proxy:error] [pid 4242:tid 139] (111)Connection refused: AH00957: http: attempt to connect failed`,
			`fault 2026-11-22T14:03:07.123456Z error apache module="proxy" code="AH00957" message="Connection refused: http: attempt to connect failed"`},
		{"site in front, ISO time", `%v [%{cu}t] %l %a %M`, `www.example.com [2026-11-22 14:03:07.123456] error 192.0.2.7:51022 AH01630: client denied by server configuration: /x`,
			"event not_allowed apache client=192.0.2.7\n" +
				`fault 2026-11-22T14:03:07.123456Z error apache code="AH01630" site="www.example.com" client=192.0.2.7 message="client denied by server configuration: /x"`},
		{"client at the end", `[%t] [%l] %M [client\ %a]`, `[Sun Nov 22 14:03:07 2026] [error] AH01618: user bob not found: /x [client 192.0.2.7:51022]`,
			"event auth_failed apache client=192.0.2.7 user=\"bob\"\n" +
				`fault 2026-11-22T14:03:07Z error apache code="AH01618" client=192.0.2.7 message="user bob not found: /x"`},
		{"a forged client in the message", `[%t] [%l] %M [client\ %a]`, `[Sun Nov 22 14:03:07 2026] [error] AH01618: user [client 203.0.113.9:1] not found: /x [client 192.0.2.7:51022]`,
			"event auth_failed apache client=192.0.2.7 user=\"[client 203.0.113.9:1]\"\n" +
				`fault 2026-11-22T14:03:07Z error apache code="AH01618" client=192.0.2.7 message="user [client 203.0.113.9:1] not found: /x"`},
		{"a client behind a header is nobody's", `[%t] [%l] [agent\ %{User-Agent}i] [client\ %a] %M`, `[Sun Nov 22 14:03:07 2026] [error] [agent x] [client 203.0.113.9:1] user bob not found: /x`,
			`fault 2026-11-22T14:03:07Z error apache message="user bob not found: /x"`},
		{"a client in front of a header at the end", `[%t] [%l] %M [client\ %a] [agent\ %{User-Agent}i]`, `[Sun Nov 22 14:03:07 2026] [error] user bob not found: /x [client 192.0.2.7:1] [agent y] [client 203.0.113.9:1] [agent x]`,
			`fault 2026-11-22T14:03:07Z error apache message="user bob not found: /x [client 192.0.2.7:1] [agent y]"`},
	} {
		t.Run(c.note, func(t *testing.T) {
			f, err := ErrorLogFormat(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			if !f.fits([]byte(c.line)) {
				t.Error("the line does not fit")
			}
			if diff := cmp.Diff(strings.Split(c.want, "\n"), readErrors(f, []byte(c.line+"\n"))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorLogFormatErrors(t *testing.T) {
	for spec, want := range map[string]string{"": "has no %M", "%t": "has no %M", "%M %q": "%q at 4", "%{x": "not closed", "%M %": "in the middle", strings.Repeat("x", 9000): "longer than"} {
		if _, err := ErrorLogFormat(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", spec, err, want)
		}
	}
}

func FuzzErrorLogFormat(f *testing.F) {
	f.Add(`[%{u}t] [%-m:%l] [pid %P:tid %T] %7F: %E: [client\ %a] %M% ,\ referer\ %{Referer}i`, "[Sun Nov 22 14:03:07.123456 2026] [core:error] [pid 1:tid 2] [client 192.0.2.7:1] x")
	f.Add(`%M%M%a`, "x")
	f.Fuzz(func(t *testing.T, spec, line string) {
		format, err := ErrorLogFormat(spec)
		if err != nil {
			return
		}
		p := format.NewParser(Options{Now: errorNow})
		p.Parse(connwarden.Source{Line: 1}, []byte(line), inside{t})
		p.Flush(inside{t})
	})
}
