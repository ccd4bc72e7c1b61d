package daemons

import "strings"

// splitJellyfin: `[2026-11-22 14:03:07.123 +00:00] [INF] [36] NAME: TEXT` (logging.json). A refusal must have its address in quotes: see
// wordsJellyfin.
func splitJellyfin(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = inBrackets(s, isoStamp); !ok {
		return
	}
	text = trim(text)
	n := shape(text, "[aaa] [")
	known := n > 0 && digits(text[n:]) > 0 && (!strings.HasSuffix(text, ").") || strings.HasSuffix(text, `").`))
	return stamp, "", text, known
}

// splitVaultwarden: "[2026-11-22 14:03:07.123][vaultwarden::api::identity][ERROR] TEXT".
func splitVaultwarden(s string) (stamp, program, text string, ok bool) {
	stamp, text, ok = inBrackets(s, isoStamp)
	return stamp, "", text, ok && strings.HasPrefix(text, "[vaultwarden")
}

// splitHomeAssistant: "2026-11-22 14:03:07.123 WARNING (MainThread) [homeassistant.components.http.ban] TEXT", on a console in the colour of
// its level.
func splitHomeAssistant(s string) (stamp, program, text string, ok bool) {
	if strings.HasPrefix(s, "\x1b[") {
		if _, rest, found := strings.Cut(s, "m"); found {
			s = strings.TrimSuffix(rest, "\x1b[0m")
		}
	}
	if stamp, text, ok = cut(s, isoStamp(s)); !ok {
		return
	}
	_, rest := word(text)
	thread, rest, found := strings.Cut(rest, ") [")
	return stamp, "", text, found && strings.HasPrefix(thread, "(") && (strings.HasPrefix(rest, "homeassistant.") || strings.HasPrefix(rest, "custom_components."))
}

// splitKeycloak: `2026-11-22 14:03:07,123 WARN  [org.keycloak.events] (executor-thread-1) type="LOGIN_ERROR", …`, or an object of JSON. An
// event without quotes is of a version that lets line ends through.
func splitKeycloak(s string) (stamp, program, text string, ok bool) {
	if rest, ok := strings.CutPrefix(s, `{"timestamp":"`); ok {
		n := isoStamp(rest)
		return rest[:n], "", s, n > 0 && strings.Contains(rest, `,"loggerName":"org.keycloak.`)
	}
	if stamp, text, ok = cut(s, isoStamp(s)); !ok {
		return
	}
	_, rest := word(text)
	rest = trim(rest)
	if event, found := strings.CutPrefix(rest, "[org.keycloak.events] ("); found {
		return stamp, "", text, strings.Contains(event, `) type="`)
	}
	return stamp, "", text, strings.HasPrefix(rest, "[org.keycloak.")
}

// splitAuthelia: time="2026-11-22T14:03:07Z" level=error msg="…" … method=POST path=/api/firstfactor remote_ip=ADDR, or {…,"time":"…"}.
func splitAuthelia(s string) (stamp, program, text string, ok bool) {
	if strings.HasPrefix(s, `{"`) {
		if !strings.Contains(s, `","remote_ip":"`) || !strings.Contains(s, `,"path":"/`) || !strings.Contains(s, `"msg":"`) || strings.Contains(s, `"status":`) {
			return "", "", "", false
		}
		stamp, _ = member(s, "time")
	} else {
		if !strings.HasPrefix(s, `time="`) || !strings.Contains(s, " path=/") || !strings.Contains(s, " remote_ip=") || !strings.Contains(s, " msg=") {
			return "", "", "", false
		}
		stamp, _ = pair(s, "time")
	}
	return stamp, "", s, isoStamp(stamp) > 0
}

// splitAuthentik: {"action": "login_failed", …, "logger": "authentik.events.models", …, "timestamp": "2026-11-22T14:03:07.123456", …}. Its
// requests are objects of another logger.
func splitAuthentik(s string) (stamp, program, text string, ok bool) {
	if !strings.HasPrefix(s, `{"`) || !strings.Contains(s, `"logger": "authentik.events`) && !strings.Contains(s, `"logger":"authentik.events`) {
		return "", "", "", false
	}
	stamp, _ = member(s, "timestamp")
	return stamp, "", s, isoStamp(stamp) > 0
}

// splitElastic: {"type":"audit", "timestamp":"2026-11-22T14:03:07,123+0000", …}.
func splitElastic(s string) (stamp, program, text string, ok bool) {
	if !strings.HasPrefix(s, `{"type":"audit",`) && !strings.HasPrefix(s, `{"type": "audit",`) {
		return "", "", "", false
	}
	stamp, _ = member(s, "timestamp")
	return stamp, "", s, isoStamp(stamp) > 0
}

// splitMattermost: {"timestamp":"2026-11-22 14:03:07.123 Z",…,"event_name":"login",…}.
func splitMattermost(s string) (stamp, program, text string, ok bool) {
	rest, ok := strings.CutPrefix(s, `{"timestamp":"`)
	n := isoStamp(rest)
	return rest[:n], "", s, ok && n > 0 && strings.Contains(rest, `,"event_name":"`) && strings.Contains(rest, `,"actor":{`)
}

// splitRouterOS: what a syslog daemon writes of MikroTik's routers, "Nov 22 14:03:07 HOST system,error,critical TEXT": topics stand where others
// have a tag.
func splitRouterOS(s string) (stamp, program, text string, ok bool) {
	n := monthStamp(s)
	if n == 0 {
		n = isoStamp(s)
	}
	if stamp, text, ok = cut(s, n); !ok {
		return
	}
	_, rest := word(text)
	topics, text := word(rest)
	for i := 0; i < len(topics); i++ {
		if c := topics[i]; c != ',' && c != '-' && (c < 'a' || c > 'z') {
			return "", "", "", false
		}
	}
	return stamp, "", text, strings.Contains(topics, ",error") || strings.Contains(topics, ",info") || strings.Contains(topics, ",warning") || strings.Contains(topics, ",critical")
}

// splitHestia: "2026-11-22 14:03:07 NAME ADDR failed to login".
func splitHestia(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = cut(s, isoStamp(s)); !ok || !strings.HasSuffix(text, " failed to login") && !strings.HasSuffix(text, " successfully logged in") {
		return "", "", "", false
	}
	_, rest := word(text)
	host, _ := word(rest)
	return stamp, "", text, isAddress(host)
}

// splitAdGuard: "2026/11/22 14:03:07.123456 [error] TEXT".
func splitAdGuard(s string) (stamp, program, text string, ok bool) {
	n := shape(s, "0000/00/00 00:00:00.000000")
	stamp, text, ok = cut(s, n)
	return stamp, "", text, ok && (strings.HasPrefix(text, "[error] ") || strings.HasPrefix(text, "[info] ") || strings.HasPrefix(text, "[warn] ") || strings.HasPrefix(text, "[debug] "))
}

// splitOdoo: "2026-11-22 14:03:07,123 4242 INFO shop odoo.addons.base.models.res_users: TEXT".
func splitOdoo(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = cut(s, isoStamp(s)); !ok {
		return
	}
	id, rest := word(text)
	_, rest = word(rest) // level
	_, rest = word(rest) // database
	logger, text, ok := strings.Cut(rest, ": ")
	return stamp, "", text, ok && id != "" && digits(id) == len(id) && strings.HasPrefix(logger, "odoo.") && strings.IndexByte(logger, ' ') < 0
}

// splitRedmine: "Failed login for 'NAME' from ADDR at 2026-11-22 14:03:07 UTC".
func splitRedmine(s string) (stamp, program, text string, ok bool) {
	if !strings.HasPrefix(s, "Failed login for '") && !strings.HasPrefix(s, "Successful authentication for '") {
		return "", "", "", false
	}
	return splitAt(s)
}

// splitISPConfig: "Failed login for user 'NAME' from ADDR at 2026-11-22 14:03:07".
func splitISPConfig(s string) (stamp, program, text string, ok bool) {
	if !strings.HasPrefix(s, "Failed login for user '") && !strings.HasPrefix(s, "Successful login for user '") {
		return "", "", "", false
	}
	return splitAt(s)
}

// splitAt finds the time behind the last " at ".
func splitAt(s string) (stamp, program, text string, ok bool) {
	_, stamp, ok = lastCut(s, " at ")
	n := isoStamp(stamp)
	return stamp[:n], "", s, ok && n > 0
}

// splitSFTPGo: {"level":"debug","time":"2026-11-22T14:03:07.123","sender":"connection_failed",…}.
func splitSFTPGo(s string) (stamp, program, text string, ok bool) {
	if !strings.HasPrefix(s, `{"level":"`) || !strings.Contains(s, `"sender":"connection_failed"`) {
		return "", "", "", false
	}
	stamp, _ = member(s, "time")
	return stamp, "", s, isoStamp(stamp) > 0
}

// splitStalwart: "2026-11-22T14:03:07Z INFO Authentication failed (auth.failed) listenerId = …".
func splitStalwart(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = cut(s, isoStamp(s)); !ok {
		return
	}
	event, _ := stalwartEvent(text)
	return stamp, "", text, event != ""
}

// splitEmby: "2026-11-22 14:03:07.123 Warn Server: TEXT".
func splitEmby(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = cut(s, isoStamp(s)); !ok {
		return
	}
	level, rest := word(text)
	switch level {
	case "Info", "Warn", "Error", "Debug", "Fatal":
	default:
		return "", "", "", false
	}
	part, _ := word(rest)
	switch part {
	case "AUTH-ERROR:", "Server:", "App:", "Main:", "HttpServer:", "HttpClient:", "SessionManager:":
		return stamp, "", text, true
	}
	return "", "", "", false
}
