package bots

// tools are programs made to attack or to look for what can be attacked, and what the malware behind mass scans calls itself.
// Nobody uses them on a site without having it in mind; an owner who does knows it.
var tools = words{
	"sqlmap", "sqlninja", "SQLPowerInjector", "bsqlbf", "jSQL Injection", "Havij", "Pangolin", "Marathon Tool", "commix", "XSSer", "Dalfox",
	"Nikto", "Wikto", "WPScan", "WPSec", "JoomScan", "droopescan", "CMSmap", "Plecost", "Vega/", "w3af", "Arachni", "skipfish", "Wapiti", "xray/",
	"Nuclei", "projectdiscovery", "httpx - open-source", "katana/", "naabu", "jaeles", "interactsh", "subfinder", "gospider", "hakrawler",
	"zgrab", "masscan", "ivre-masscan", "Nmap Scripting Engine", "Nmap NSE", "Nmap/", "NetSystemsResearch", "HTTP Banner Detection", "massdns",
	"gobuster", "DirBuster", "dirb/", "dirsearch", "feroxbuster", "Fuzz Faster U Fool", "ffuf/", "Wfuzz", "rustbuster", "crowbar/",
	"(Hydra)", "thc-hydra", "Hydra/", "patator", "medusa/", "brutus/", "xmlrpc-brute",
	"Acunetix", "Nessus", "OpenVAS", "Netsparker", "Invicti", "AppScan", "WebInspect", "BurpCollaborator", "BurpSuite", "Qualys", "Nexpose", "tenable.io",
	"zaproxy", "OWASP ZAP", "OWASP_ZAP", "Metasploit", "Cobalt Strike", "BeEF/", "core-project/", "WhatWeb", "webshag", "Grendel-Scan", "Uniscan", "Golismero",
	"ZmEu", "Morfeus", "Jorgee", "Muieblackcat", "DFind", "w00tw00t", "pmafind", "Paros/", "JexBoss", "Toata dragostea", "ProxyStrike",
	"libredtail-http", "Mozi.m", "Mozi.a", "Hello, World", "Hello-World", "Hello World", "^gmu-scan", "Custom-AsyncHttpClient", "ALittle Client", "l337", "r00ts3c",
	"Keydrop", "Odin; https://docs.getodin", "CriminalIP", "FOFA.", "ZoomEye", "Netlas.io", "hunter.how", "BinaryEdge", "watchTowr", "bitdiscovery", "air.ai/scanning",
	"abuse.xmco.fr", "TsunamiSecurityScanner", "AliyunSecBot", "springscan", "log4j-scan", "ltx71", "researchscan", "Riddler (http",
	"EmailSiphon", "EmailCollector", "EmailWolf", "ExtractorPro", "sitelockspider",
}

// libraries are what programs use to fetch; upstream has more.
var libraries = words{
	"^curl/", "^Wget", "python-requests", "Python-urllib", "python-httpx", "aiohttp", "urllib3", "PycURL", "Scrapy",
	"Go-http-client", "fasthttp", "^go-resty", "colly", "^req/v", "libwww-perl", "LWP::", "lwp-trivial", "Perl HTTP::Tiny", "WWW-Mechanize", "Mojolicious",
	"okhttp", "^Java/", "^Java1.", "Apache-HttpClient", "^Jakarta Commons", "^HttpClient/", "Jersey/", "^Spring", "^kotlin", "^Ktor", "reactor-netty", "unirest",
	"^axios/", "node-fetch", "^node", "^got (", "undici", "superagent", "^Deno/", "^Bun/",
	"^PHP/", "PHP-Curl", "GuzzleHttp", "^Guzzle", "^Symfony", "Zend_Http", "^PEAR", "^Faraday", "^Ruby", "rest-client", "HTTParty", "Typhoeus",
	"^Dart/", "reqwest", "^ureq", "^hyper/", "^isahc", "^libcurl", "WinHttp", "^Microsoft BITS", "WindowsPowerShell", "^PowerShell", "^.NET", "RestSharp", "^PostmanRuntime", "^insomnia",
	"^HTTPie", "^xh/", "^aria2", "^lua-resty", "^ApacheBench", "^wrk", "^Vegeta", "^k6/", "^hey/", "^Siege", "JMeter", "Gatling", "Locust", "^Artillery", "^autocannon", "^oha/",
	"^HTTP_Request", "^Snoopy", "Indy Library", "^Mechanize", "^cpp-httplib", "libfetch/", "^fetch/",
}

// generic is how bots that are unknown say that they are bots.
var generic = words{
	"bot/", "bot;", "bot)", "bot,", "bot$", "bot 0.", "bot 1.", "bot 2.", "-bot", "_bot", "bot-", "robot", "crawler", "spider", "scraper", "fetcher", "archiver", "+http://", "+https://",
}
