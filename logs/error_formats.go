package logs

// errorFormats lists the formats of error logs, most particular first.
var errorFormats = []*Format{apacheError, apache22Error, nginxError, lighttpdError, litespeedError, caddyError, journalJSON, httpErr, phpError, phpFPM, phpFPMSlow, mysqlError, mysqlSlow, kernelLog}
