package judge

// Reasons that come from no rule of the language, and what they say. Their names stand in evidence as rules' names do.
const (
	impostorCrawler   = "impostor-crawler"
	connectionOutlier = "connection-outlier"
	requestOutlier    = "request-outlier"
	pathOutlier       = "path-outlier"
	pathCrowd         = "path-crowd"
)

// About tells what a reason says that comes from no rule of the language; "" of all others.
func About(name string) string {
	switch name {
	case impostorCrawler:
		return "its agent says that it is a crawler, and published ranges or its names say that it is not"
	case connectionOutlier:
		return "holds a fifth of the connections that came in, and ten times the median of the other addresses; suspicious at most"
	case requestOutlier:
		return "made a tenth of all requests, a thousand at least, or ten thousand if it loads pictures and styles, too; ten times the median of the addresses that come next, one in five seconds at least; suspicious at most, and it adds nothing to what else is said"
	case pathOutlier:
		return "made half of the requests to a path that is asked for ten times as often as its neighbours, one in five seconds at least; suspicious at most, and it adds nothing to what else is said"
	case pathCrowd:
		return "asked for one path four times or more, every two minutes at least, and for nothing else, as 200 addresses did that made half of the requests to it; suspicious at most, and it adds nothing to what else is said"
	}
	return ""
}
