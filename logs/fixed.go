package logs

import "time"

// Formats that are fixed lists of fields. Each names the document that it is taken from.
var (
	// docs.aws.amazon.com/elasticloadbalancing/latest/classic/access-log-collection.html
	awsELB = fixed("aws_elb", 12,
		f(partTime, ""), f(partToken, " "), f(partClient, " "), f(partToken, " "), took(time.Second), took(time.Second),
		took(time.Second), f(partStatus, " "), f(partToken, " "), f(partToken, " "), f(partSize, " "), f(partRequest, ` "`), f(partAgent, `" "`),
		f(partCipher, `" `), f(partToken, " "))

	// docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
	awsALB = fixed("aws_alb", 14,
		f(partToken, ""), f(partTime, " "), f(partToken, " "), f(partClient, " "), f(partToken, " "), took(time.Second), took(time.Second),
		took(time.Second), f(partStatus, " "), f(partToken, " "), f(partToken, " "), f(partSize, " "), f(partRequest, ` "`), f(partAgent, `" "`),
		f(partCipher, `" `), f(partToken, " "))

	// docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-access-logs.html: connections with TLS, no requests. Client and
	// target have their ports; behind them the connection's and the handshake's milliseconds, then bytes received and sent.
	awsNLB = fixed("aws_nlb", 18,
		f(partTLS, ""), f(partToken, " "), f(partTime, " "), f(partToken, " "), f(partToken, " "), f(partClient, " "), f(partToken, " "),
		took(time.Millisecond), f(partNumber, " "), f(partNumber, " "), f(partSize, " "), f(partToken, " "), f(partToken, " "), f(partToken, " "), f(partToken, " "),
		f(partToken, " "), f(partToken, " "), f(partHost, " "), f(partToken, " "))

	// docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html: owner, bucket, time, client, requester, request id,
	// operation, key, request, status, error, bytes, object size, total time, turn-around, referer, agent, version
	awsS3 = unquoted(fixed("aws_s3", 17,
		f(partToken, ""), f(partHost, " "), f(partTime, " ["), f(partClient, "] "), step{what: partUser, lead: []byte(" "), tight: true}, f(partToken, " "), f(partOperation, " "),
		f(partToken, " "), f(partRequest, ` "`), f(partStatus, `" `), f(partToken, " "), f(partSize, " "), f(partToken, " "),
		took(time.Millisecond), f(partToken, " "), f(partReferer, ` "`), f(partAgent, `" "`), f(partToken, `" `)))

	// wiki.squid-cache.org/Features/LogFormat, "squid": %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt
	squid = padded(fixed("squid", 10,
		f(partTime, ""), took(time.Millisecond), f(partClient, " "), f(partToken, " "), f(partStatus, "/"), f(partSize, " "), f(partMethod, " "),
		f(partURI, " "), f(partUser, " "), f(partToken, " ")))

	// www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage, "Default format string"
	envoy = fixed("envoy", 12,
		f(partTime, "["), f(partRequest, `] "`), f(partStatus, `" `), f(partFlags, " "), f(partNumber, " "), f(partSize, " "), took(time.Millisecond),
		f(partNumber, " "), f(partForward, ` "`), f(partAgent, `" "`), f(partSkip, `" "`), f(partHost, `" "`), f(partSkip, `" "`))

	// istio.io/latest/docs/tasks/observability/logs/access-log: Envoy's with more fields in the middle and at the end. Until 1.8 the details of
	// the response and of the connection's end were one word in quotes, the status of the mixer.
	istio    = &Format{Name: "istio", read: readIstio}
	istioNew = fixed("istio", 16, append([]step{f(partTime, "["), f(partRequest, `] "`), f(partStatus, `" `), f(partFlags, " "), f(partToken, " "), f(partToken, " "),
		f(partSkip, ` "`), f(partNumber, `" `)}, istioEnd...)...)
	istioOld = fixed("istio", 15, append([]step{f(partTime, "["), f(partRequest, `] "`), f(partStatus, `" `), f(partFlags, " "), f(partSkip, ` "`),
		f(partSkip, `" "`), f(partNumber, `" `)}, istioEnd...)...)
	istioEnd = []step{f(partSize, " "), took(time.Millisecond), f(partNumber, " "), f(partForward, ` "`), f(partAgent, `" "`),
		f(partSkip, `" "`), f(partHost, `" "`), f(partSkip, `" "`), f(partToken, `" `), f(partToken, " "), f(partToken, " "), f(partClient, " "),
		f(partToken, " ")}

	// Nginx Proxy Manager's log_formats "proxy" and "standard" (its docker/rootfs/etc/nginx/conf.d/include/log-proxy.conf): cache's and
	// upstream's status, status; method, scheme, host and target; client, size and more in brackets
	npmProxy = fixed("nginx_proxy_manager", 15,
		f(partTime, "["), f(partToken, "] "), f(partSkip, " "), f(partStatus, " "), f(partMethod, " - "), f(partToken, " "), f(partHost, " "), f(partURI, ` "`),
		f(partClient, `" [Client `), f(partSize, "] [Length "), f(partToken, "] [Gzip "), f(partToken, "] [Sent-to "), f(partAgent, `] "`), f(partReferer, `" "`),
		f(partSkip, `"`))
	npmOther = fixed("nginx_proxy_manager_standard", 12,
		f(partTime, "["), f(partStatus, "] "), f(partMethod, " - "), f(partToken, " "), f(partHost, " "), f(partURI, ` "`),
		f(partClient, `" [Client `), f(partSize, "] [Length "), f(partToken, "] [Gzip "), f(partAgent, `] "`), f(partReferer, `" "`), f(partSkip, `"`))

	// The ssl_request_log of the mod_ssl package of RHEL and SUSE: "%t %h %{SSL_PROTOCOL}x %{SSL_CIPHER}x \"%r\" %b"
	sslRequest = fixed("apache_ssl_request", 6,
		f(partTime, "["), f(partClient, "] "), f(partToken, " "), f(partToken, " "), f(partRequest, ` "`), f(partSize, `" `))
)

func readIstio(p *Parser, line []byte) grade {
	if g := istioNew.read(p, line); g == complete {
		return g
	}
	if g := istioOld.read(p, line); g == complete {
		return g
	}
	return istioNew.read(p, line)
}

func f(what part, lead string) step { return step{what: what, lead: []byte(lead)} }

func took(unit time.Duration) step {
	return step{what: partTook, lead: []byte(" "), unit: unit}
}

func fixed(name string, need int, steps ...step) *Format {
	l := &layout{steps: steps, need: need}
	l.lacks = lacking(l.parts)
	return &Format{Name: name, layout: l, read: func(p *Parser, line []byte) grade { return p.readLayout(l, line) }}
}

func padded(f *Format) *Format {
	f.layout.padded = true
	return f
}

func unquoted(f *Format) *Format {
	f.layout.unquoted = true
	return f
}
